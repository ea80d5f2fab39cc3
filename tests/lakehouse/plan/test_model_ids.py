"""Ids of models, from values: the same input gives the same id, other input another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lakehouse.declare import Table
from lakehouse.plan.model_ids import ancestors, model_id
from lakehouse.storage.landed_files import LandedFile
from tests.lakehouse.plan.declared import a_table, registered


class OneListener:
    """A source of rows that belong to the listener of the place."""

    name = "history"
    target = "plays"

    def recognises(self, sample: Any) -> bool:
        return False

    def read(self, stream: Any, listener: str) -> Iterator[Any]:
        return iter(())


class Everyones(OneListener):
    """A source that counts for the listener of every place."""

    name = "dislikes"
    is_shared = True


PLAYS = a_table("bronze.plays", is_landing=True, sources=(OneListener(), Everyones()))
SONGS = a_table("bronze.songs", is_landing=True)
HEARD = a_table("silver.heard", "plays", "files")
MOODS = a_table("models.moods", "heard")
TASTE = a_table("models.taste", "heard", "moods")
BLEND = a_table("models.blend", "taste")
OTHER = a_table("silver.other", "songs")
FILES = a_table("ops.files", is_kernel=True)
TABLES = {table.name: table for table in (PLAYS, SONGS, FILES, HEARD, OTHER, MOODS, TASTE, BLEND)}
FINGERPRINTS = {name: f"code of {name}" for name, table in TABLES.items() if table.transform}
IDS = {"models.moods": "moods-1", "models.taste": "taste-1"}


def a_file(**changes: Any) -> LandedFile:
    """A file of the listener me that was read into bronze.plays."""
    values: dict[str, Any] = dict.fromkeys(LandedFile.__dataclass_fields__)
    read = {"file_hash": "aaa", "path": "a.json", "listener": "me", "source": "history", "target": "plays"}
    return LandedFile(**values | read | {"status": "ingested", "is_present": True} | changes)


RECORDED = "taste-3ff06cd35815"
FILE = a_file()


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    with registered(list(TABLES.values())):
        yield


def id_of(
    name: str = "models.taste",
    *,
    files: Sequence[LandedFile] = (FILE,),
    fingerprints: Mapping[str, str] = FINGERPRINTS,
    ids: Mapping[str, str] = IDS,
    tables: Mapping[str, Table] = TABLES,
) -> str:
    return model_id(name, tables, fingerprints, files, ids)


def test_an_id_is_the_models_short_name_and_twelve_hex_digits() -> None:
    name, _, digits = id_of().rpartition("-")
    assert name == "taste"
    assert len(digits) == 12
    assert int(digits, 16) >= 0


def test_an_id_never_changes_without_a_reason() -> None:
    """Recorded: whoever changes how ids are made makes every model of every lakehouse train again."""
    assert id_of() == RECORDED


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "b.json"},
        {"source": "other"},
        {"rows": 5},
        {"run_id": "second", "first_run_id": "first"},
        {"is_present": False},
        {"container_modified_ns": 5},
    ],
    ids=str,
)
def test_where_and_when_a_file_was_read_is_no_part_of_the_id(changes: Mapping[str, Any]) -> None:
    assert id_of(files=[a_file(**changes)]) == id_of()


def test_the_order_and_number_of_equal_files_is_no_part_of_the_id() -> None:
    other = a_file(file_hash="bbb")
    assert id_of(files=[FILE, other]) == id_of(files=[other, FILE, FILE])


@pytest.mark.parametrize(
    "files",
    [
        [],
        [a_file(file_hash="bbb")],
        [a_file(listener="you")],
        [FILE, a_file(file_hash="bbb")],
        [FILE, a_file(listener="you")],
        [a_file(file_hash="me", listener="aaa")],
    ],
    ids=["no file", "another content", "another listener", "one file more", "one listener more", "changed places"],
)
def test_other_landing_files_give_another_id(files: Sequence[LandedFile]) -> None:
    assert id_of(files=files) != id_of()


@pytest.mark.parametrize("status", ["new", "waiting", "unknown", "broken", "duplicate"])
def test_files_whose_rows_are_in_no_table_do_not_count(status: str) -> None:
    assert id_of(files=[FILE, a_file(file_hash="bbb", status=status)]) == id_of()


def test_files_of_tables_that_the_model_does_not_descend_from_do_not_count() -> None:
    assert id_of(files=[FILE, a_file(file_hash="bbb", target="songs")]) == id_of()


def test_a_copy_at_another_place_counts_where_its_source_counts_for_everyone_there() -> None:
    copy = a_file(listener="you", status="duplicate", source="dislikes")
    assert id_of(files=[FILE, copy]) != id_of()
    assert id_of(files=[FILE, replace(copy, is_present=False)]) == id_of()
    assert id_of(files=[FILE, replace(copy, source="history")]) == id_of()


@pytest.mark.parametrize("name", ["models.taste", "silver.heard", "bronze.plays"])
def test_other_code_of_the_model_or_of_a_table_it_descends_from_gives_another_id(name: str) -> None:
    assert id_of(fingerprints={**FINGERPRINTS, name: "other code"}) != id_of()


@pytest.mark.parametrize("name", ["silver.other", "models.moods", "models.blend"])
def test_code_of_anything_else_is_no_part_of_the_id(name: str) -> None:
    """The code of a model that it descends from is in that model's id."""
    assert id_of(fingerprints={**FINGERPRINTS, name: "other code"}) == id_of()


def test_the_ids_of_models_it_learns_from_are_part_of_the_id() -> None:
    assert id_of(ids={**IDS, "models.moods": "moods-2"}) != id_of()
    assert id_of(ids={}) != id_of()
    assert id_of(ids={**IDS, "models.taste": "taste-2"}) == id_of()


def test_a_model_stands_for_all_that_it_descends_from() -> None:
    """blend learns from taste alone: other files reach it only through the id of taste."""
    assert id_of("models.blend", files=[]) == id_of("models.blend")
    assert id_of("models.blend", ids={**IDS, "models.moods": "moods-2"}) == id_of("models.blend")
    assert id_of("models.blend", ids={**IDS, "models.taste": "taste-2"}) != id_of("models.blend")


def test_two_models_of_the_same_input_have_different_ids() -> None:
    twins = {**TABLES, "models.twin": replace(TASTE, name="models.twin")}
    same_code = {**FINGERPRINTS, "models.twin": FINGERPRINTS["models.taste"]}
    one, other = id_of(tables=twins), id_of("models.twin", tables=twins, fingerprints=same_code)
    assert one.rpartition("-")[2] != other.rpartition("-")[2]


def test_ancestors_end_at_models() -> None:
    assert ancestors("models.taste", TABLES) == {"silver.heard", "bronze.plays", "ops.files", "models.moods"}
    assert ancestors("models.blend", TABLES) == {"models.taste"}
    assert ancestors("bronze.plays", TABLES) == set()
