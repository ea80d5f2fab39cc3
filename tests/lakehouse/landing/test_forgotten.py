"""Listeners with a tombstone: none of their rows is read, whatever file holds them, and their names stand nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse.storage.tombstones import FORGOTTEN, Tombstones, read_tombstones
from tests.end_to_end.pipeline import kaggle_csv
from tests.lakehouse.landing.test_inbox import NAME, content
from tests.lakehouse.landing_runs import LandingRuns
from tests.landing_files import ALL_SOURCES, as_json, extended
from upkeep.tombstones import bury

EVERY = tuple(ALL_SOURCES.values())
LINE = "{}\t2008-01-0{}T10:00:00Z\t\tArtist\t\tTitle\n"
SHARED = "".join(LINE.format(f"user_00000{n % 2 + 1}", n + 1) for n in range(5)).encode()


@pytest.fixture
def runs(tmp_path: Path) -> LandingRuns:
    (tmp_path / "staging").mkdir()
    return LandingRuns(tmp_path / "landing", tmp_path / "staging")


def forgotten(folder: Path, *names: str) -> Tombstones:
    for name in names:
        bury(folder, name)
    return read_tombstones(folder)


def test_rows_in_a_file_with_others_are_left_out_and_counted(runs: LandingRuns, tmp_path: Path) -> None:
    runs.put("shared.tsv", SHARED)
    visit = runs.run(tombstones=forgotten(tmp_path, "lastfm1k:user_000001"))
    assert [(row["user_id"], row["row_number"]) for row in visit.rows["shared.tsv"]] == [
        ("lastfm1k:user_000002", 2),
        ("lastfm1k:user_000002", 4),
    ]
    state = visit.state["shared.tsv"]
    assert (state.status, state.rows, state.forgotten) == ("ingested", 5, 3)
    again = runs.run(tombstones=read_tombstones(tmp_path))
    assert again.read == []
    assert again.state["shared.tsv"] == state


def test_without_tombstones_every_row_is_read_and_none_counted(runs: LandingRuns) -> None:
    runs.put("shared.tsv", SHARED)
    visit = runs.run()
    assert len(visit.rows["shared.tsv"]) == 5
    assert visit.state["shared.tsv"].forgotten is None


def test_a_file_with_nothing_else_has_no_row(runs: LandingRuns, tmp_path: Path) -> None:
    runs.put("shared.tsv", SHARED)
    visit = runs.run(tombstones=forgotten(tmp_path, "lastfm1k:user_000001", "lastfm1k:user_000002"))
    assert visit.rows["shared.tsv"] == []
    assert visit.state["shared.tsv"].forgotten == 5


@pytest.mark.parametrize("folder", ["listeners", "_api/listeners"])
def test_the_folder_of_who_is_forgotten_is_not_looked_into(runs: LandingRuns, tmp_path: Path, folder: str) -> None:
    for name in ("anna", "Zoe\u0308"):
        runs.put(f"{folder}/{name}/history.json", as_json([extended()]))
    visit = runs.run(tombstones=forgotten(tmp_path, "Zoë"))
    assert list(visit.state) == [f"{folder}/anna/history.json"]
    assert visit.passed_over == 1


def test_who_owns_the_files_at_the_top_is_forgotten_but_not_the_catalogue(runs: LandingRuns, tmp_path: Path) -> None:
    runs.put("history.json", as_json([extended()]))
    runs.put("dislikes.csv", b"artist,track\nArtist,Title\n")
    runs.put("dataset.csv", kaggle_csv({}).encode())
    visit = runs.run("zora", sources=EVERY, tombstones=forgotten(tmp_path, "zora"))
    assert {path: len(rows) for path, rows in visit.rows.items()} == {"history.json": 0, "dataset.csv": 1}
    assert {file.listener for file in visit.state.values()} == {FORGOTTEN}
    assert "zora" not in str(visit.state)


def test_received_files_are_of_whom_they_name(runs: LandingRuns, tmp_path: Path) -> None:
    runs.put(NAME, content(1, 2))
    assert runs.run(tombstones=forgotten(tmp_path, "bob")).state[NAME].forgotten is None
    runs.known = []
    assert runs.run(tombstones=forgotten(tmp_path, "anna")).state[NAME].forgotten == 2


def test_files_are_read_again_once_that_is_lifted(runs: LandingRuns, tmp_path: Path) -> None:
    runs.put("listeners/zora/history.json", as_json([extended()]))
    assert runs.run(tombstones=forgotten(tmp_path, "zora")).read == []
    assert runs.run().read == ["listeners/zora/history.json"]


def test_what_no_parser_has_read_is_read_again_if_it_is_there(runs: LandingRuns, tmp_path: Path) -> None:
    runs.put("shared.tsv", SHARED)
    gone = runs.put("gone.tsv", SHARED + LINE.format("user_000001", 9).encode())
    runs.run(tombstones=forgotten(tmp_path, "lastfm1k:user_000001"))
    gone.unlink()
    # As lifting a tombstone leaves them.
    runs.known = [replace(file, parser=None) if file.forgotten else file for file in runs.known]
    visit = runs.run()
    assert {path: len(rows) for path, rows in visit.rows.items()} == {"shared.tsv": 5}
    assert (visit.state["shared.tsv"].forgotten, visit.state["gone.tsv"].forgotten) == (None, 4)
