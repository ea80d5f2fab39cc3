"""What differs between the rows that were computed and those they replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.build import diff
from lakehouse.build.batched_aggregates import ask
from lakehouse.declare import Table, column
from lakehouse.storage.changes import EVERYTHING, NOTHING, Change
from tests.lakehouse.plan.declared import a_table

SCHEMA = "user_id string, item string, amount bigint, share double, vector array<double>, _run_id string"
SCORES = a_table(
    "gold.scores",
    key=("user_id", "item"),
    columns=(
        column("user_id", "string", "who"),
        column("item", "string", "what"),
        column("amount", "bigint", "how much"),
        column("share", "double", "0-1"),
        column("vector", "array<double>", "where"),
        column("_run_id", "string", "lineage"),
    ),
)
WHOLE = a_table("gold.whole", key=("item",), scope="whole", columns=SCORES.columns)
ANN = ("ann", "x", 1, 0.5, [0.1, 0.2], "first")
BOB = ("bob", "y", 2, 0.25, [0.3], "first")
CID = ("cid", "z", None, None, None, "first")


@pytest.fixture
def frame(spark: SparkSession) -> Any:
    def of(*rows: Sequence[Any]) -> DataFrame:
        return spark.createDataFrame(list(rows), SCHEMA)

    return of


def with_(row: Sequence[Any], **changes: Any) -> tuple[Any, ...]:
    names = [c.name for c in SCORES.columns]
    return tuple(changes.get(name, value) for name, value in zip(names, row, strict=True))


def changed(old: DataFrame, new: DataFrame, declared: Table = SCORES) -> Change:
    return diff.changed_keys(declared, old, new)


def differing(old: DataFrame, new: DataFrame, by: str | None = "user_id") -> set[str | None]:
    """As the builder asks: both sides in one query."""
    answers = ask({"old": diff.digested(old, SCORES, by), "new": diff.digested(new, SCORES, by)})
    return diff.differing(answers["old"], answers["new"])


OTHER_CONTENT = {
    "a number": with_(ANN, amount=3),
    "a text": with_(ANN, item="X"),
    "a null for a number": with_(ANN, amount=None),
    "a double in its ninth digit": with_(ANN, share=0.500000002),
    "an element of an array in its ninth digit": with_(ANN, vector=[0.1, 0.200000002]),
    "a longer array": with_(ANN, vector=[0.1, 0.2, 0.0]),
}
SAME_CONTENT = {
    "itself": ANN,
    "lineage": with_(ANN, _run_id="second"),
    "a double in its tenth digit": with_(ANN, share=0.5000000001),
    "an element of an array in its tenth digit": with_(ANN, vector=[0.1, 0.2000000001]),
}


@pytest.mark.parametrize("row", OTHER_CONTENT.values(), ids=OTHER_CONTENT)
def test_another_content_is_a_change_of_its_key(frame: Any, row: Sequence[Any]) -> None:
    old, new = frame(ANN, BOB, CID), frame(CID, row, BOB)
    assert changed(old, new) == Change(frozenset({"ann"}))
    assert differing(old, new) == {"ann"}
    assert differing(old, new, by=None) == {None}


@pytest.mark.parametrize("row", SAME_CONTENT.values(), ids=SAME_CONTENT)
def test_order_lineage_and_the_last_digits_are_no_change(frame: Any, row: Sequence[Any]) -> None:
    old, new = frame(ANN, BOB, CID), frame(CID, row, BOB)
    assert changed(old, new) == NOTHING
    assert differing(old, new) == set()
    assert differing(old, new, by=None) == set()


def test_keys_that_come_and_go_are_changes(frame: Any) -> None:
    old, new = frame(ANN, BOB), frame(ANN, CID)
    assert changed(old, new) == Change(frozenset({"bob", "cid"}))
    assert differing(old, new) == {"bob", "cid"}


def test_a_row_more_or_less_of_the_same_content_is_a_change(frame: Any) -> None:
    assert changed(frame(ANN, BOB), frame(ANN, BOB, BOB)) == Change(frozenset({"bob"}))
    assert differing(frame(ANN, ANN, BOB), frame(ANN, BOB, BOB)) == {"ann", "bob"}


def test_two_values_that_change_places_are_a_change_of_both_keys(frame: Any) -> None:
    old, new = frame(ANN, BOB), frame(with_(ANN, amount=2), with_(BOB, amount=1))
    assert changed(old, new) == Change(frozenset({"ann", "bob"}))
    assert differing(old, new) == {"ann", "bob"}


def test_keys_are_listed_up_to_a_limit_beyond_which_everything_changed(frame: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = frame(ANN), frame(BOB, CID)
    monkeypatch.setattr(diff, "MAX_KEYS", 3)
    assert changed(old, new) == Change(frozenset({"ann", "bob", "cid"}))
    monkeypatch.setattr(diff, "MAX_KEYS", 2)
    assert changed(old, new) == EVERYTHING


def test_a_table_without_scope_column_changes_entirely(frame: Any) -> None:
    assert changed(frame(ANN), frame(BOB), WHOLE) == EVERYTHING


def test_a_digest_is_the_number_of_rows_and_two_sums_per_key(frame: Any) -> None:
    answers = ask(
        {"all": diff.digested(frame(ANN, BOB, BOB), SCORES, None), "keys": diff.digested(frame(ANN, BOB, BOB), SCORES, "user_id")}
    )
    assert set(answers["keys"]) == {"ann", "bob"}
    assert [figures[0] for _, figures in sorted(answers["keys"].items())] == [1, 2]
    summed = [a + b for a, b in zip(answers["keys"]["ann"], answers["keys"]["bob"], strict=True)]
    assert answers["all"] == {None: summed}
    # Both halves of a hash count: the lower 32 bits are not negative, and no half alone is the whole.
    _, low, high = answers["keys"]["ann"]
    assert 0 <= low < 2**32
    assert -(2**31) <= high < 2**31


def test_digests_of_rows_do_not_cancel_out(frame: Any) -> None:
    """A hundred rows of one key have another digest than a hundred others."""
    some, others = ([with_(ANN, amount=n) for n in numbers] for numbers in (range(100), range(1, 101)))
    assert differing(frame(*some), frame(*others)) == {"ann"}


def test_rows_are_counted_per_key_and_in_all(frame: Any) -> None:
    rows = frame(ANN, BOB, BOB, CID)
    answers = ask(
        {"keys": diff.counted(rows, "user_id"), "all": diff.counted(rows, None), "none": diff.counted(rows.limit(0), None)}
    )
    assert answers == {"keys": {"ann": [1], "bob": [2], "cid": [1]}, "all": {None: [4]}, "none": {None: [0]}}
    assert [diff.total(answers[name]) for name in ("keys", "all", "none")] == [4, 4, 0]


def test_the_total_of_digests_is_their_rows() -> None:
    assert diff.total({"ann": [3, 700, 800], "bob": [2, 5, 6]}) == 5
    assert diff.total({None: [None, None]}) == 0
    assert diff.total({}) == 0


def test_keys_differ_where_figures_do_or_one_side_has_none() -> None:
    old = {"same": [1, 2], "other": [1, 2], "gone": [1, 2]}
    new = {"same": [1, 2], "other": [1, 3], "new": [1, 2]}
    assert diff.differing(old, new) == {"other", "gone", "new"}
    assert diff.differing({None: [1]}, {None: [2]}) == {None}


def test_rows_missing_from_others_are_whole_and_compared_without_lineage(frame: Any) -> None:
    rows = frame(ANN, BOB, CID, with_(BOB, share=0.75))
    others = frame(with_(ANN, _run_id="second"), with_(BOB, share=0.2500000001), with_(CID, amount=1))
    missing = diff.missing_from(others, rows, SCORES)
    assert missing.columns == [c.name for c in SCORES.columns]
    assert sorted(map(tuple, missing.collect())) == [with_(BOB, share=0.75), CID]
    assert diff.missing_from(rows, rows, SCORES).count() == 0


def test_a_row_is_missing_though_another_key_has_its_content(frame: Any) -> None:
    moved = with_(ANN, user_id="bob")
    assert [row["user_id"] for row in diff.missing_from(frame(ANN), frame(moved), SCORES).collect()] == ["bob"]
