"""One listener with a row that breaks a rule: everybody else is complete, that one as before, and each run says so."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import REGISTRY, column, satisfies, table
from lakehouse.plan import graph
from tests.end_to_end.pipeline import Answer, Pipeline, assert_same_content, export_row

LISTENERS = ("ann", "bob", "cid", "dan", "eve")
ONLY = [f"--only={name}" for name in ("silver.plays", "silver.users", "gold.daily_listening", "gold.even_plays")]
NOT_BROKEN = satisfies("no broken title", ["track_name"], lambda: F.coalesce(F.col("track_name"), F.lit("")) != "Broken")


def even_plays(plays: DataFrame) -> DataFrame:
    """One row per listener; a made-up rule wants an even number of plays."""
    return plays.groupBy("user_id").agg(F.count(F.lit(1)).alias("plays"))


@pytest.fixture
def five(pipeline: Pipeline) -> Iterator[Pipeline]:
    """Five listeners with two plays each, and a table of this module among the product's."""
    before = graph.load()
    table(
        "gold.even_plays",
        key=["user_id"],
        scope="user",
        schema=[column("user_id", "string", "listener"), column("plays", "bigint", "rows of silver.plays")],
        rules=[satisfies("even", ["plays"], lambda: F.col("plays") % 2 == 0)],
    )(even_plays)
    try:
        for listener in LISTENERS:
            drop(pipeline, listener, 1, 2)
        pipeline.build(*ONLY)
        yield pipeline
    finally:
        REGISTRY.clear()
        REGISTRY.update(before)


def drop(pipeline: Pipeline, listener: str, *days: int, **changes: object) -> None:
    """A file of a listener with a play on each of these days."""
    # No two listeners' files are the same.
    minute = LISTENERS.index(listener)
    rows = [export_row(f"2024-01-{day:02d}T08:1{minute}:00Z", day, **changes) for day in days]
    pipeline.write(f"listeners/{listener}/{min(days)}.json", rows)


def wanted_of_plays(*rules: object) -> None:
    """The rules that silver.plays has beside its own."""
    plays = graph.load()["silver.plays"]
    own = tuple(rule for rule in plays.rules if rule.name != NOT_BROKEN.name)
    REGISTRY["silver.plays"] = dataclasses.replace(plays, rules=(*own, *rules))


def counts(pipeline: Pipeline, name: str) -> dict[str, int]:
    """Rows of a table per listener."""
    rows = pipeline.rows(name, "user_id")
    return {listener: sum(row["user_id"] == listener for row in rows) for listener in LISTENERS}


def held(answer: Answer) -> list[tuple[str, str, str, int]]:
    names = ("table_name", "user_id", "rule", "violations")
    return [tuple(key[name] for name in names) for key in answer.document["held"]]


def lines_about_held(answer: Answer) -> list[str]:
    return [line for line in answer.out.splitlines() if line.startswith("held back")]


def test_a_listener_of_five_is_held_back_where_plays_enter_silver(five: Pipeline) -> None:
    wanted_of_plays(NOT_BROKEN)
    for listener in LISTENERS:
        drop(five, listener, 3, 4)
    drop(five, "bob", 5, 6, master_metadata_track_name="Broken")
    bobs = {name: five.rows(name, user_id="bob") for name in ("silver.plays", "silver.users", "gold.daily_listening")}
    answer = five.run(*ONLY)
    assert answer.code == 1
    assert {o["status"] for o in answer.document["outcomes"]} <= {"built", "unchanged", "up to date"}
    assert held(answer) == [("silver.plays", "bob", NOT_BROKEN.name, 2)]
    expected = {"ann": 4, "bob": 2, "cid": 4, "dan": 4, "eve": 4}
    assert counts(five, "silver.plays") == counts(five, "gold.daily_listening") == expected
    assert {name: five.rows(name, user_id="bob") for name in bobs} == bobs
    files = {row["file_name"]: row for row in answer.document["reconciliation"]}
    assert all(row["is_balanced"] for row in files.values())
    figures = {path: (row["bronze"], row["kept"], row["held_back"]) for path, row in files.items() if row["held_back"]}
    assert figures == {"listeners/bob/3.json": (2, 0, 2), "listeners/bob/5.json": (2, 0, 2)}

    again = five.call("run", *ONLY)
    assert again.code == 1
    [line] = lines_about_held(again)
    told = "held back: silver.plays: 1 listener stays as before (bob) until the rows pass: no broken title (2 rows); since 20"
    assert line.startswith(told)
    assert "held" in next(line for line in again.out.splitlines() if "rows in" in line)
    status = five.call("status")
    assert (status.code, lines_about_held(status)) == (0, [line])
    assert five.call("status", "--json").document["held"] == answer.document["held"]
    check = five.call("check", "--only", "silver.plays", "--engine", "embedded")
    assert (check.code, lines_about_held(check)) == (0, [line])
    planned = five.run("--dry-run", *ONLY).document["planned"]
    assert ("silver.plays", "1 listener held back before") in [(one["table"], one["why"]) for one in planned]

    # The rule was wrong, and is mended: Bob catches up, in every table, although nothing else is new.
    wanted_of_plays()
    answer = five.build(*ONLY)
    assert held(answer) == [] and five.rows("ops.held_keys") == []
    assert counts(five, "silver.plays") == {**dict.fromkeys(LISTENERS, 4), "bob": 6}
    assert {row["held_back"] for row in answer.document["reconciliation"]} == {0}
    assert five.build(*ONLY).document["engine_started"] is False
    assert_as_built_at_once(five)


def test_a_listener_is_let_go_when_new_plays_make_the_rule_hold(five: Pipeline) -> None:
    drop(five, "bob", 3)
    drop(five, "cid", 3, 4)
    answer = five.run(*ONLY)
    assert (answer.code, held(answer)) == (1, [("gold.even_plays", "bob", "even", 1)])
    plays = {row["user_id"]: row["plays"] for row in five.rows("gold.even_plays")}
    assert plays == {**dict.fromkeys(LISTENERS, 2), "cid": 4}
    assert counts(five, "gold.daily_listening")["bob"] == 3
    drop(five, "bob", 4)
    assert held(five.build(*ONLY)) == []
    assert five.rows("gold.even_plays", user_id="bob") == [{"user_id": "bob", "plays": 4}]
    assert_as_built_at_once(five)


def assert_as_built_at_once(pipeline: Pipeline) -> None:
    """What several runs built is what one run builds from the same landing folder."""
    several = pipeline.content()
    shutil.rmtree(pipeline.root)
    pipeline.build(*ONLY)
    assert_same_content(pipeline.content(), several)
