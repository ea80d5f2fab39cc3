"""The graph of a dozen declared values: names, order, urgency, selectors; each expectation written out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.declare import DeclarationError, Table
from lakehouse.plan import graph
from lakehouse.plan.graph import UnknownSelectorError
from tests.lakehouse.plan.declared import a_table, registered

TABLES = (
    a_table("gold.weeks", "heard", category="gold.descriptive"),
    a_table("gold.scores", "taste", category="gold.predictive"),
    a_table("gold.advice", "heard", "taste", category="gold.prescriptive", optional=frozenset({"taste"})),
    a_table("gold.metrics", "models", category="gold.predictive"),
    a_table("models.taste", "heard"),
    a_table("models.moods", "heard"),
    a_table("silver.heard", "plays", "songs"),
    a_table("bronze.plays", is_landing=True),
    a_table("bronze.songs", is_landing=True),
    a_table("ops.models", is_kernel=True),
    a_table("ops.files", is_kernel=True),
    a_table("ops.balance", "files", "plays", "heard"),
)
ORDERED = [
    "bronze.plays",
    "bronze.songs",
    "ops.models",
    "ops.files",
    "silver.heard",
    "models.moods",
    "models.taste",
    "gold.weeks",
    "ops.balance",
    "gold.advice",
    "gold.metrics",
    "gold.scores",
]


@pytest.fixture
def tables() -> Iterator[dict[str, Table]]:
    with registered(TABLES):
        by_name = {table.name: table for table in TABLES}
        yield {name: by_name[name] for name in graph.ordered(TABLES)}


def test_the_order_is_by_layer_and_name_wherever_upstreams_leave_a_choice(tables: dict[str, Table]) -> None:
    assert graph.ordered(TABLES) == ORDERED
    assert graph.ordered(reversed(TABLES)) == ORDERED


def test_upstreams_have_full_names_in_the_order_of_the_arguments(tables: dict[str, Table]) -> None:
    assert graph.upstream_names(tables["gold.advice"]) == ["silver.heard", "models.taste"]
    assert graph.upstream_names(tables["ops.balance"]) == ["ops.files", "bronze.plays", "silver.heard"]
    assert graph.upstream_names(tables["bronze.plays"]) == []


def test_an_argument_that_names_no_table_is_refused(tables: dict[str, Table]) -> None:
    with pytest.raises(DeclarationError, match=r"^gold\.lost: argument nowhere names no table$"):
        graph.upstream_names(a_table("gold.lost", "heard", "nowhere"))


def test_optional_are_the_models_a_table_does_without(tables: dict[str, Table]) -> None:
    assert graph.optional_names(tables["gold.advice"]) == {"models.taste"}
    assert graph.optional_names(tables["gold.scores"]) == frozenset()


def test_who_reads_the_record_of_models_waits_for_every_model(tables: dict[str, Table]) -> None:
    assert sorted(graph.awaited_names(tables["gold.metrics"])) == ["models.moods", "models.taste", "ops.models"]
    assert graph.awaited_names(tables["gold.scores"]) == ["models.taste"]


def test_a_circle_is_refused_and_shown() -> None:
    circle = (a_table("gold.left", "right"), a_table("gold.right", "left"))
    with registered(circle), pytest.raises(DeclarationError) as refused:
        graph.ordered(circle)
    shown = "tables depend on each other in a circle: "
    assert str(refused.value) in (shown + "gold.left -> gold.right -> gold.left", shown + "gold.right -> gold.left -> gold.right")


def test_urgency_is_the_time_from_a_start_to_the_last_end_that_waits_for_it(tables: dict[str, Table]) -> None:
    """scores, 3 s, waits for taste, of which a first training is taken for 4 s, and that for heard, 0.5 s, and plays, 1 s."""
    names = ["bronze.plays", "silver.heard", "models.taste", "gold.weeks", "gold.advice", "gold.scores"]
    urgent = graph.urgency(names, {"silver.heard": 0.5, "gold.scores": 3.0, "gold.advice": 2.0})
    assert {name: urgent[name] for name in names} == {
        "gold.scores": 3.0,
        "gold.advice": 2.0,
        "gold.weeks": graph.TABLE_SECONDS,
        "models.taste": graph.MODEL_SECONDS + 3.0,
        "silver.heard": 0.5 + graph.MODEL_SECONDS + 3.0,
        "bronze.plays": graph.TABLE_SECONDS + 0.5 + graph.MODEL_SECONDS + 3.0,
    }
    assert graph.MODEL_SECONDS > graph.TABLE_SECONDS > 0


def test_urgency_of_what_takes_less_than_a_second(tables: dict[str, Table]) -> None:
    names = ["silver.heard", "gold.weeks"]
    assert graph.urgency(names, {"silver.heard": 0.25, "gold.weeks": 0.5}) == pytest.approx(
        {"gold.weeks": 0.5, "silver.heard": 0.75, "bronze.plays": 0.75, "bronze.songs": 0.75}
    )


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (["gold.predictive"], ["gold.metrics", "gold.scores"]),
        (["gold"], ["gold.advice", "gold.metrics", "gold.scores", "gold.weeks"]),
        (["plays"], ["bronze.plays"]),
        (["models.taste", "bronze.songs"], ["bronze.songs", "models.taste"]),
        # `models` is a layer, and the short name of a table of ops.
        (["models"], ["models.moods", "models.taste", "ops.models"]),
        ([], sorted(ORDERED)),
    ],
)
def test_a_selector_is_a_layer_a_category_or_a_table(tables: dict[str, Table], selectors: list[str], expected: list[str]) -> None:
    matched = graph.matching(tables, selectors)
    assert sorted(matched) == expected
    assert matched == [name for name in tables if name in expected]


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("gold.week", "did you mean gold.weeks"),
        ("silv", "did you mean silver"),
        ("gold.predictiv", "did you mean gold.predictive"),
        ("qqqq", "`lakehouse tables` lists them"),
    ],
)
def test_an_unknown_selector_is_refused_with_the_nearest_name(tables: dict[str, Table], selector: str, hint: str) -> None:
    with pytest.raises(UnknownSelectorError) as refused:
        graph.matching(tables, ["gold.weeks", selector])
    assert str(refused.value).startswith(f"{selector!r} is not a layer, category or table; {hint}")


def test_at_most_three_names_are_suggested(tables: dict[str, Table]) -> None:
    more = {f"gold.weeks_{n}": a_table(f"gold.weeks_{n}", category="gold.descriptive") for n in range(5)}
    with pytest.raises(UnknownSelectorError) as refused:
        graph.matching(more, ["gold.weeks_"])
    assert str(refused.value).count("gold.weeks_") == 1 + 3
    [hint] = re.findall(r"did you mean (.*)\?$", str(refused.value))
    assert len(set(hint.split(" or ")) & set(more)) == 3


@pytest.mark.parametrize(
    ("selectors", "left_out"),
    [
        ([], set[str]()),
        (
            ["gold.weeks"],
            {"models.moods", "models.taste", "gold.advice", "gold.metrics", "gold.scores", "ops.models", "ops.files"},
        ),
        (["gold.scores"], {"models.moods", "gold.advice", "gold.metrics", "gold.weeks", "ops.models", "ops.files"}),
        # What it waits for comes with it, and what that needs.
        (["gold.metrics"], {"gold.advice", "gold.scores", "gold.weeks", "ops.files"}),
        (["bronze.plays"], set(ORDERED) - {"bronze.plays"}),
    ],
)
def test_what_is_selected_brings_all_it_needs_and_what_accounts_for_its_rows(
    tables: dict[str, Table], selectors: list[str], left_out: set[str]
) -> None:
    assert graph.select(tables, selectors) == [name for name in tables if name not in left_out]


@pytest.mark.parametrize(
    ("categories", "names", "expected"),
    [
        (["gold.descriptive"], ORDERED, {"bronze.plays", "bronze.songs", "silver.heard", "gold.weeks"}),
        (["gold.descriptive"], ["silver.heard", "gold.weeks", "gold.scores"], {"silver.heard", "gold.weeks"}),
        # heard is needed by nothing that is built.
        (["gold.descriptive"], ["silver.heard", "gold.scores"], set()),
        (
            ["gold.predictive", "gold.descriptive"],
            ["models.taste", "gold.scores", "gold.weeks"],
            {"models.taste", "gold.scores", "gold.weeks"},
        ),
        ([], ORDERED, set()),
    ],
)
def test_what_categories_need_of_the_tables_to_build(
    tables: dict[str, Table], categories: list[str], names: list[str], expected: set[str]
) -> None:
    assert graph.needed_for(categories, names) == expected


def test_loading_declares_every_module_and_puts_upstreams_first() -> None:
    """The project's own graph, upstreams first, with the tables that the kernel writes."""
    tables = graph.load()
    names = list(tables)
    assert names == graph.ordered(tables.values())
    assert {table.layer for table in tables.values()} == {"bronze", "silver", "models", "gold", "ops"}
    for place, name in enumerate(names):
        assert set(graph.awaited_names(tables[name])) <= set(names[:place]), name


def test_the_declared_project_is_one_graph_with_the_tables_of_the_design() -> None:
    tables = graph.load()
    assert {"bronze.kaggle_tracks", "silver.plays", "gold.year_in_music", "ops.reconciliation", "ops.table_builds"} <= set(tables)
    assert tables["gold.weekend_effects"].category == "gold.diagnostic"


def test_what_accounts_for_the_rows_comes_with_the_tables_it_is_made_of() -> None:
    tables = graph.load()
    assert "ops.reconciliation" in graph.select(tables, ["gold.user_metrics"])
    assert "ops.reconciliation" not in graph.select(tables, ["bronze.kaggle_tracks"])


def test_a_module_that_cannot_be_imported_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "broken_layer"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "wrong.py").write_text("ONE = 1\nTWO = ONE + '1'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(graph, "PACKAGES", ("broken_layer",))
    with pytest.raises(DeclarationError, match=r"broken_layer\.wrong cannot be imported: TypeError: .*wrong\.py:2\)"):
        graph.load()
