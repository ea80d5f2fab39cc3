"""The order of tables, read from the arguments of their transforms, and what selectors mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lakehouse.declare import REGISTRY, DeclarationError, column, table
from lakehouse.plan import graph
from lakehouse.plan.graph import UnknownSelectorError
from tests.lakehouse.small_graph import Lake, declared


@pytest.fixture
def names(lake: Lake) -> Iterator[list[str]]:
    yield list(lake.tables())


def declare(name: str, transform: Any) -> None:
    transform.__doc__ = "One row per user."
    table(name, key=["user_id"], scope="user", schema=[column("user_id", "string", "who")])(transform)


def test_every_table_follows_its_upstreams(names: list[str]) -> None:
    for name in names:
        for upstream in graph.upstream_names(REGISTRY[name]):
            assert names.index(upstream) < names.index(name)


def test_the_order_does_not_depend_on_the_order_of_declaration(names: list[str]) -> None:
    assert graph.ordered([REGISTRY[name] for name in reversed(names)]) == names


def test_a_circle_is_refused_and_shown(lake: Lake) -> None:
    declare("gold.mini_left", lambda mini_right: mini_right)
    declare("gold.mini_right", lambda mini_left: mini_left)
    with pytest.raises(DeclarationError, match=r"circle: .*mini_left.* -> .*mini_right"):
        lake.tables()


def test_an_argument_that_names_no_table_is_refused(lake: Lake) -> None:
    declare("gold.mini_lost", lambda mini_nowhere: mini_nowhere)
    with pytest.raises(DeclarationError, match=r"gold\.mini_lost: argument mini_nowhere names no table"):
        lake.tables()


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["bronze.mini_events"], {"bronze.mini_events"}),
        (["mini_items"], {"bronze.mini_events", "silver.mini_items"}),
        (["silver"], {"bronze.mini_events", "silver.mini_items", "silver.mini_marked"}),
        (["bronze.mini_settings", "silver.mini_items"], {"bronze.mini_events", "bronze.mini_settings", "silver.mini_items"}),
        (["gold.mini_counts"], {"bronze.mini_events", "gold.mini_counts"}),
    ],
)
def test_a_selector_means_its_tables_and_all_they_need(lake: Lake, selectors: list[str], expected: set[str]) -> None:
    tables = lake.tables()
    chosen = graph.select(tables, selectors)
    assert set(chosen) == expected
    assert chosen == [name for name in tables if name in expected]


def test_no_selector_means_every_table(lake: Lake) -> None:
    tables = lake.tables()
    assert graph.select(tables, []) == list(tables)


def test_an_unknown_selector_suggests_the_nearest_names(lake: Lake) -> None:
    with pytest.raises(UnknownSelectorError, match=r"did you mean .*gold\.mini_totals"):
        graph.select(lake.tables(), ["gold.mini_total"])
    with pytest.raises(UnknownSelectorError, match="'qqqq' is no layer, category or table; `lakehouse tables` lists them"):
        graph.select(lake.tables(), ["qqqq"])


def test_one_unknown_selector_among_known_ones_is_refused(lake: Lake) -> None:
    with pytest.raises(UnknownSelectorError, match="qqqq"):
        graph.select(lake.tables(), ["silver", "qqqq"])


def test_the_declared_project_is_one_graph_with_the_tables_of_the_design() -> None:
    tables = graph.load()
    assert {"bronze.kaggle_tracks", "silver.plays", "gold.year_in_music", "ops.reconciliation", "ops.table_builds"} <= set(tables)
    assert tables["gold.weekend_effects"].category == "gold.diagnostic"
    order = list(tables)
    for name, found in tables.items():
        assert all(order.index(upstream) < order.index(name) for upstream in graph.upstream_names(found)), name


def test_urgency_is_the_longest_way_to_the_end() -> None:
    with declared():
        names = ["bronze.mini_events", "silver.mini_items", "silver.mini_marked", "gold.mini_counts"]
        urgent = graph.urgency(names, {"silver.mini_items": 5.0, "gold.mini_counts": 2.5})
    # mini_marked needs mini_items needs mini_events; mini_counts needs mini_events alone.
    assert [urgent[name] for name in names] == [7.0, 6.0, 1.0, 2.5]


def test_what_accounts_for_the_rows_comes_with_the_tables_it_is_made_of() -> None:
    tables = graph.load()
    assert "ops.reconciliation" in graph.select(tables, ["gold.user_metrics"])
    assert "ops.reconciliation" not in graph.select(tables, ["bronze.kaggle_tracks"])
