"""Pages of tables: what they say, example queries that bind, and drawings that hold every table."""

from __future__ import annotations

import re

import duckdb
import pytest
from docs_site.command_pages import subcommands
from docs_site.declared import DocumentedColumn, DocumentedTable, settings, tables
from docs_site.example_query import example_query
from docs_site.lineage import analysis_svg, foundation_svg, needed_edges, neighbours_svg, overview_svg
from docs_site.settings_page import settings_page
from docs_site.table_pages import list_page, table_page

TABLES = tables()
DUCKDB_TYPES = {"string": "varchar", "array<string>": "varchar[]", "array<double>": "double[]"}
QUERIES = """
### 1. What did `this` hold, really?

SELECT 1 FROM gold.first

## Part

### 2. Other?

SELECT 1 FROM gold.firsts
"""
HELP = """usage: x [-h] COMMAND ...

positional arguments:
  COMMAND
    run       build
    compare-sources
              compare

options:
  -h, --help  show
"""


def table(name: str, *upstreams: str, category: str = "gold.descriptive") -> DocumentedTable:
    return DocumentedTable(
        name=name,
        category=category,
        question="What?",
        grain="One row per listener.",
        module="gold.descriptive.first",
        key=("user_id",),
        scope="user",
        columns=(
            DocumentedColumn("user_id", "string", False, "listener", ()),
            DocumentedColumn("share", "double", True, "a | b", ("0 to 1",)),
        ),
        rules=("a <= b (blocks publishing)",),
        upstreams=upstreams,
        optional=frozenset(),
        sources=(),
        settings=(),
        needs_java=False,
        model_kind="",
        retraining="",
    )


def test_a_page_says_what_the_declaration_says() -> None:
    first, second = table("gold.first", "silver.plays"), table("gold.second", "gold.first")
    known = {t.name: t for t in (table("silver.plays", category="silver"), first, second)}
    page = table_page(first, known, QUERIES)
    for text in (
        "# gold.first",
        "| `share` | double | yes | a \\| b | 0 to 1 |",
        "| `user_id` | string | no | listener |  |",
        "- a <= b (blocks publishing)",
        "Reads: [silver.plays](silver.plays.md).",
        "Read by: [gold.second](gold.second.md).",
        "`gold/descriptive/first.py`",
        "- [What did `this` hold, really?](../../how-to/queries.md#1-what-did-this-hold-really)",
    ):
        assert text in page
    assert "Other?" not in page


def test_constraints_of_a_column_are_in_words() -> None:
    columns = {c.name: c.allowed for c in TABLES["gold.weekend_vs_weekday"].columns}
    assert columns["skip_rate"] == ("0 to 1",)
    assert columns["total_plays"] == ("1 or more",)
    assert columns["period"] == ("one of `weekend`, `weekday`",)
    assert columns["user_id"] == ()


@pytest.mark.parametrize("name", [name for name, t in TABLES.items() if not t.is_model])
def test_an_example_query_binds_to_the_declared_columns(name: str) -> None:
    declared = TABLES[name]
    query = example_query(declared)
    with duckdb.connect() as connection:
        columns = ", ".join(f'"{c.name}" {DUCKDB_TYPES.get(c.type, c.type)}' for c in declared.columns)
        connection.execute(f"CREATE SCHEMA {name.split('.', maxsplit=1)[0]}; CREATE TABLE {name} ({columns})")
        assert connection.execute(query).fetchall() == []
    assert ("user_id = 'me'" in query) == any(c.name == "user_id" for c in declared.columns)


def test_the_list_names_every_table_once() -> None:
    page = list_page(TABLES, "tables")
    assert sorted(re.findall(r"^\| \[([\w.]+)\]", page, re.MULTILINE)) == sorted(TABLES)


def test_drawings_hold_every_table_and_link_to_its_page() -> None:
    drawn = set(re.findall(r'href="x/([\w.]+)\.html"', foundation_svg(TABLES, "x/") + analysis_svg(TABLES, "x/")))
    assert {name for name, t in TABLES.items() if t.category != "ops"} <= drawn
    overview = overview_svg(TABLES)
    assert all(f">{t.category}<" in overview for t in TABLES.values() if t.category != "ops")


def test_boxes_of_a_drawing_do_not_overlap() -> None:
    for drawing in (
        foundation_svg(TABLES, ""),
        analysis_svg(TABLES, ""),
        neighbours_svg("a", {"a": table("a", "b"), "b": table("b")}, [], ""),
    ):
        found = re.findall(r'class="box" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', drawing)
        boxes = [tuple(map(int, box)) for box in found]
        assert boxes
        apart = [
            x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1
            for i, (x1, y1, w1, h1) in enumerate(boxes)
            for x2, y2, w2, h2 in boxes[i + 1 :]
        ]
        assert all(apart)


def test_an_edge_that_a_longer_path_implies_is_not_needed() -> None:
    known = {t.name: t for t in (table("a"), table("b", "a"), table("c", "a", "b"))}
    assert needed_edges(known) == {("a", "b"), ("b", "c")}


def test_the_type_of_a_setting_is_in_words() -> None:
    types = {name: setting.type for name, setting in settings().items()}
    wanted = {
        "LAKEHOUSE_DIR": "folder",
        "LAKEHOUSE_TIMEZONES": "JSON object",
        "LAKEHOUSE_BI_NAMES": "JSON list",
        "CLIENT_ID": "secret",
    }
    assert {name: types[name] for name in wanted} == wanted


def test_every_setting_has_a_row_with_its_default_and_limits() -> None:
    page = settings_page("# How often\n#LAKEHOUSE_INTERVAL_HOURS=6\n\n# Other\n#OTHER=\n", settings())
    assert "How often" in page
    assert re.search(r"\| `LAKEHOUSE_INTERVAL_HOURS` \| number \| `6.0` \| .*at most 744.* \| `6` \|", page)
    assert "| `OTHER` | text |  |  |  |" in page


def test_subcommands_are_read_from_a_help_text() -> None:
    assert subcommands(HELP) == ["run", "compare-sources"]
    assert subcommands("usage: y [-h]\n\noptions:\n    long  text\n") == []
