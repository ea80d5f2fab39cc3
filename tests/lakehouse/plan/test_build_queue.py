"""Whose turn it is, from declared values: order, waiting, room, and what a failure stops."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import pytest

from lakehouse.declare import Table
from lakehouse.plan.build_queue import BuildQueue
from lakehouse.plan.staleness import Stale
from tests.lakehouse.plan.declared import a_table, registered

PLAYS = a_table("bronze.plays", is_landing=True)
SONGS = a_table("bronze.songs", is_landing=True)
HEARD = a_table("silver.heard", "plays", "songs")
WEEKS = a_table("gold.weeks", "heard")
YEARS = a_table("gold.years", "heard")
TASTE = a_table("models.taste", "heard", needs="spark")
MOODS = a_table("models.moods", "heard", needs="spark")
ADVICE = a_table("gold.advice", "heard", "taste", optional=frozenset({"taste"}))
SCORES = a_table("gold.scores", "taste")
TABLES = (PLAYS, SONGS, HEARD, TASTE, MOODS, WEEKS, YEARS, ADVICE, SCORES)


@pytest.fixture
def tables() -> Iterator[dict[str, Table]]:
    with registered(TABLES) as named:
        yield named


def queue(
    tables: Mapping[str, Table],
    names: Sequence[str],
    *,
    seconds: Mapping[str, float] | None = None,
    failed: Mapping[str, str] | None = None,
    workers: int = 9,
    early: Collection[str] = (),
) -> BuildQueue:
    """A queue of these tables, in this order; those that need Spark go to the child."""
    stale = {name: Stale(name, "new", is_whole=True) for name in names}
    return BuildQueue(
        stale, tables, seconds or {}, failed or {}, workers, lambda name: tables[name].needs == "spark", early=early
    )


def started(turns: BuildQueue) -> list[str]:
    return [stale.table for stale in turns.next()]


def blocked(turns: BuildQueue) -> list[tuple[str, str]]:
    return [(stale.table, upstream) for stale, upstream in turns.blocked()]


def test_a_table_waits_for_every_upstream_that_is_built_in_this_run(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["bronze.plays", "bronze.songs", "silver.heard", "gold.weeks"])
    assert started(turns) == ["bronze.plays", "bronze.songs"]
    assert started(turns) == []
    turns.ended("bronze.plays", None)
    assert started(turns) == []
    turns.ended("bronze.songs", None)
    assert started(turns) == ["silver.heard"]
    assert started(turns) == []
    turns.ended("silver.heard", None)
    assert started(turns) == ["gold.weeks"]
    assert (list(turns.waiting), turns.running, turns.failed) == ([], {"gold.weeks"}, {})


def test_what_is_up_to_date_is_not_waited_for(tables: dict[str, Table]) -> None:
    assert started(queue(tables, ["gold.weeks", "gold.years"])) == ["gold.weeks", "gold.years"]


def test_the_stale_table_is_handed_out_as_it_came(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["gold.weeks"])
    assert list(turns.next()) == [Stale("gold.weeks", "new", is_whole=True)]


def test_what_most_waits_for_goes_first(tables: dict[str, Table]) -> None:
    """songs takes 2 s by itself; behind plays, 1 s, stand the 5 s of years as behind songs, so songs has 2 s more."""
    seconds = {"bronze.plays": 1.0, "bronze.songs": 2.0, "gold.years": 5.0, "gold.weeks": 0.5}
    turns = queue(tables, ["bronze.plays", "bronze.songs", "silver.heard", "gold.weeks", "gold.years"], seconds=seconds)
    assert started(turns) == ["bronze.songs", "bronze.plays"]
    turns.ended("bronze.songs", None)
    turns.ended("bronze.plays", None)
    assert started(turns) == ["silver.heard"]
    turns.ended("silver.heard", None)
    assert started(turns) == ["gold.years", "gold.weeks"]


def test_of_equally_urgent_tables_the_first_named_goes_first(tables: dict[str, Table]) -> None:
    assert started(queue(tables, ["gold.weeks", "gold.years"], workers=1)) == ["gold.weeks"]
    assert started(queue(tables, ["gold.years", "gold.weeks"], workers=1)) == ["gold.years"]


def test_no_more_tables_run_than_there_are_workers(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["bronze.plays", "bronze.songs", "gold.weeks", "gold.years"], workers=2)
    assert started(turns) == ["bronze.plays", "bronze.songs"]
    assert started(turns) == []
    turns.ended("bronze.songs", None)
    assert started(turns) == ["gold.weeks"]


def test_the_child_builds_one_table_at_a_time_beside_all_workers(tables: dict[str, Table]) -> None:
    names = ["models.taste", "models.moods", "gold.weeks", "gold.years", "bronze.plays"]
    turns = queue(tables, names, workers=2)
    assert started(turns) == ["models.taste", "gold.weeks", "gold.years"]
    turns.ended("gold.weeks", None)
    assert started(turns) == ["bronze.plays"]
    turns.ended("models.taste", None)
    assert started(turns) == ["models.moods"]


def test_early_tables_go_before_all_others_but_those_of_the_child(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["bronze.songs", "gold.years", "gold.weeks", "models.taste"], early={"gold.weeks", "bronze.songs"})
    assert started(turns) == ["models.taste", "bronze.songs", "gold.weeks"]


def test_nothing_else_starts_while_an_early_table_waits_or_runs(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["gold.years", "gold.weeks", "gold.advice"], workers=2, early={"gold.years", "gold.weeks"})
    assert started(turns) == ["gold.years", "gold.weeks"]
    turns.ended("gold.years", None)
    assert started(turns) == []
    turns.ended("gold.weeks", "failed")
    assert started(turns) == ["gold.advice"]


def test_a_failure_blocks_all_that_descends_from_it_and_nothing_else(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["bronze.plays", "bronze.songs", "silver.heard", "gold.weeks"])
    assert started(turns) == ["bronze.plays", "bronze.songs"]
    turns.ended("bronze.plays", "refused")
    assert blocked(turns) == [("silver.heard", "bronze.plays"), ("gold.weeks", "silver.heard")]
    assert turns.failed == {"bronze.plays": "refused", "silver.heard": "blocked", "gold.weeks": "blocked"}
    assert list(turns.waiting) == []
    assert blocked(turns) == []
    assert turns.running == {"bronze.songs"}


def test_what_failed_before_blocks_too(tables: dict[str, Table]) -> None:
    failed = {"bronze.songs": "failed"}
    turns = queue(tables, ["silver.heard", "models.moods"], failed=failed)
    assert blocked(turns) == [("silver.heard", "bronze.songs"), ("models.moods", "silver.heard")]
    # The caller's own record stays as it was.
    assert failed == {"bronze.songs": "failed"}


def test_what_needs_a_model_that_cannot_be_trained_here_is_not_built_either_and_has_not_failed(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["gold.scores"], failed={"models.taste": "not built"})
    assert blocked(turns) == [("gold.scores", "models.taste")]
    assert turns.failed == {"models.taste": "not built", "gold.scores": "not built"}


def test_a_table_goes_on_without_an_optional_model(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["gold.advice", "gold.scores"], failed={"models.taste": "failed"})
    assert blocked(turns) == [("gold.scores", "models.taste")]
    assert started(turns) == ["gold.advice"]


def test_an_optional_model_is_waited_for(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["models.taste", "gold.advice"])
    assert started(turns) == ["models.taste"]
    turns.ended("models.taste", "failed")
    assert blocked(turns) == []
    assert started(turns) == ["gold.advice"]


def test_nothing_is_blocked_while_nothing_failed(tables: dict[str, Table]) -> None:
    turns = queue(tables, ["bronze.plays", "silver.heard"])
    assert blocked(turns) == []
    assert list(turns.waiting) == ["bronze.plays", "silver.heard"]
