"""What a run sees of a lakehouse: versions of real Delta tables, models in use, and what changed since a build."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from lakehouse.declare import Table
from lakehouse.plan.state import State, microseconds
from lakehouse.storage import changes
from lakehouse.storage.changes import EVERYTHING, NOTHING, Change
from lakehouse.storage.held import HeldKey
from lakehouse.storage.lakehouse import Lakehouse
from lakehouse.storage.ledger import HELD_KEYS, Built, Ledger
from tests.lakehouse.plan.declared import a_table, registered

HEARD = a_table("silver.heard")
SONGS = a_table("silver.songs")
TASTE = a_table("models.taste", "heard")
ADVICE = a_table("gold.advice", "heard", "songs", "taste", optional=frozenset({"taste"}))
TABLES = {table.name: table for table in (HEARD, SONGS, TASTE, ADVICE)}
CHOSEN_AT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.timezone.utc)
ROW = {"model": "taste", "model_id": "taste-1", "chosen_at": CHOSEN_AT}


@pytest.fixture
def lakehouse(tmp_path: Path) -> Iterator[Lakehouse]:
    with registered(list(TABLES.values())):
        yield Lakehouse(tmp_path)


def commit(lakehouse: Lakehouse, declared: Table, change: Change) -> None:
    """One more version of a table, whose commit says that this changed."""
    metadata = changes.metadata_of(declared, change, "run", {})
    rows = pa.table({"user_id": pa.array(["ann"], pa.string())})
    properties = CommitProperties(custom_metadata={"userMetadata": metadata})
    write_deltalake(lakehouse.path(declared), rows, mode="append", commit_properties=properties)


def state_of(lakehouse: Lakehouse, consumed: Mapping[str, int] | None = None, models: Any = ()) -> State:
    """The state, in which gold.advice was last built from these versions, or never."""
    last = {} if consumed is None else {"gold.advice": Built("code", consumed, 0, 1.0)}
    return State(lakehouse, TABLES, last, models)


def test_microseconds_since_1970() -> None:
    assert microseconds(dt.datetime(1970, 1, 1, 0, 0, 2, 5, tzinfo=dt.timezone.utc)) == 2_000_005
    assert microseconds(dt.datetime(1970, 1, 2, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))) == 86_400_000_000


def test_versions_are_of_delta_and_a_models_is_when_it_was_chosen(lakehouse: Lakehouse) -> None:
    commit(lakehouse, HEARD, NOTHING)
    commit(lakehouse, HEARD, NOTHING)
    expected = {"silver.heard": 1, "silver.songs": None, "models.taste": microseconds(CHOSEN_AT), "gold.advice": None}
    assert state_of(lakehouse, models=[ROW]).versions == expected
    assert state_of(lakehouse).versions == {**expected, "models.taste": None}


def test_what_the_run_publishes_counts_when_it_is_noted(lakehouse: Lakehouse) -> None:
    state = state_of(lakehouse)
    commit(lakehouse, HEARD, NOTHING)
    assert state.versions["silver.heard"] is None
    state.refresh("silver.heard")
    assert state.versions["silver.heard"] == 0
    assert state.model_ids(TABLES) == {}
    state.use("models.taste", ROW)
    assert state.versions["models.taste"] == microseconds(CHOSEN_AT)
    assert state.model_ids(TABLES) == {"models.taste": "taste-1"}
    assert state.model_ids(["silver.heard"]) == {}


def test_upstreams_that_are_not_there_have_no_version(lakehouse: Lakehouse) -> None:
    commit(lakehouse, SONGS, NOTHING)
    assert state_of(lakehouse).upstream_versions(ADVICE) == {"silver.songs": 0}
    assert state_of(lakehouse, models=[ROW]).upstream_versions(ADVICE) == {
        "silver.songs": 0,
        "models.taste": microseconds(CHOSEN_AT),
    }


def test_changes_since_a_build_are_those_of_the_commits_since(lakehouse: Lakehouse) -> None:
    for change in (EVERYTHING, Change(frozenset({"ann"})), Change(frozenset({"bob"}))):
        commit(lakehouse, HEARD, change)
        commit(lakehouse, SONGS, change)
    consumed = {"silver.heard": 0, "silver.songs": 2, "models.taste": microseconds(CHOSEN_AT)}
    assert state_of(lakehouse, consumed, [ROW]).changes("gold.advice") == {
        "silver.heard": Change(frozenset({"ann", "bob"})),
        "silver.songs": NOTHING,
        "models.taste": NOTHING,
    }


def test_what_was_never_consumed_changed_entirely(lakehouse: Lakehouse) -> None:
    commit(lakehouse, HEARD, NOTHING)
    assert state_of(lakehouse, models=[ROW]).changes("gold.advice") == dict.fromkeys(
        ["silver.heard", "silver.songs", "models.taste"], EVERYTHING
    )
    # songs was consumed and is gone.
    changes = state_of(lakehouse, {"silver.heard": 0, "silver.songs": 0}, [ROW]).changes("gold.advice")
    assert changes == {"silver.heard": NOTHING, "silver.songs": EVERYTHING, "models.taste": EVERYTHING}


def test_an_optional_model_that_neither_was_nor_is_there_changed_nothing(lakehouse: Lakehouse) -> None:
    commit(lakehouse, HEARD, NOTHING)
    commit(lakehouse, SONGS, NOTHING)
    built = {"silver.heard": 0, "silver.songs": 0}
    assert not any(state_of(lakehouse, built).changes("gold.advice").values())
    assert state_of(lakehouse, {**built, "models.taste": 5}).changes("gold.advice")["models.taste"] == EVERYTHING
    assert state_of(lakehouse, {**built, "models.taste": 5}, [ROW]).changes("gold.advice")["models.taste"] == EVERYTHING


def pending(lakehouse: Lakehouse, **names: set[str]) -> State:
    """The state in which the last builds of these tables left the rows of listeners as they were."""
    last = {f"silver.{name}": Built("code", {}, 0, 1.0, pending=frozenset(users)) for name, users in names.items()}
    last["gold.advice"] = replace(last.pop("silver.advice"), upstreams={}) if "advice" in names else Built("code", {}, 0, 1.0)
    return State(lakehouse, TABLES, last)


def test_listeners_are_withheld_where_a_table_upstream_left_them_and_retried_where_none_does(lakehouse: Lakehouse) -> None:
    state = pending(lakehouse, heard={"ann"}, advice={"ann", "bob"})
    assert (state.withheld("silver.heard"), state.retried("silver.heard")) == (frozenset(), {"ann"})
    assert (state.withheld("gold.advice"), state.retried("gold.advice")) == ({"ann"}, {"bob"})
    # The run has built it, and nobody is left as before.
    state.pending["silver.heard"] = frozenset()
    assert (state.withheld("gold.advice"), state.retried("gold.advice")) == (frozenset(), {"ann", "bob"})
    assert (state.withheld("models.taste"), state.retried("silver.songs")) == (frozenset(), frozenset())


def test_who_is_held_back_elsewhere_changes_nothing(tmp_path: Path) -> None:
    balance = a_table("ops.balance", "heard", "held_keys", key=("name",), scope="whole", columns=())
    tables = {table.name: table for table in (HEARD, SONGS, HELD_KEYS, balance)}
    with registered(list(tables.values())):
        ledger, now = Ledger(tmp_path), dt.datetime.now(dt.timezone.utc)
        commit(Lakehouse(tmp_path), HEARD, NOTHING)
        ledger.open_held(tables, "run", now)
        for name in ("silver.songs", "silver.heard"):
            ledger.write_held([name], [HeldKey(name, "ann", "rule", 1, now, "run")], "run", now)
        changed = []
        for consumed in (0, 1, 2):
            last = {"ops.balance": Built("code", {"silver.heard": 0, "ops.held_keys": consumed}, 0, 1.0)}
            changed.append(State(Lakehouse(tmp_path), tables, last).changes("ops.balance")["ops.held_keys"])
    assert changed == [Change(frozenset({"silver.heard"})), Change(frozenset({"silver.heard"})), NOTHING]
