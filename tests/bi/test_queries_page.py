"""Every query and every snippet of docs/how-to/queries.md runs and finds something."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from bi.console.statements import split
from lakehouse.engine.java import java_problem
from lakehouse.settings import PROJECT_ROOT
from tests.bi.conftest import Stack

PAGE = (PROJECT_ROOT / "docs" / "how-to" / "queries.md").read_text(encoding="utf-8")
# A title takes no query of a later one; and `.` over whole lines would backtrack for ever.
QUERIES = dict(re.findall(r"^### ([^\n]+)\n(?:(?!^#)[^\n]*\n)*?```sql\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))
REGISTERED = "SELECT table_schema, table_name FROM lakehouse.information_schema.tables WHERE table_schema <> 'bronze'"
NOTES = re.findall(r"```sql notes\n(.*?)```", PAGE, re.DOTALL)
SNIPPETS = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))


def test_the_page_has_what_it_promises() -> None:
    assert [title.split(".")[0] for title in QUERIES] == [str(n) for n in range(1, 26)]
    assert len(re.findall(r"```sql\n", PAGE)) == len(QUERIES)
    assert sum("notes.notes" in query for query in QUERIES.values()) >= 2
    tables = set(re.findall(r"\b((?:silver|gold|ops)\.\w+)", " ".join(QUERIES.values())))
    assert len(tables) >= 20


@pytest.fixture(scope="module")
def with_notes(stack: Stack) -> Stack:
    """The analysts' tables of the page, made as it says."""
    stack.ask("analyst", *split(NOTES[0]).all)
    return stack


@pytest.mark.parametrize("title", QUERIES)
def test_a_query_of_the_page_finds_rows(with_notes: Stack, title: str) -> None:
    statements = split(QUERIES[title]).all
    assert len(statements) == 1
    assert with_notes.ask("analyst", *statements)


def test_the_example_query_of_every_table_runs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of the reference pages; tables that need Java may be missing."""
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "scripts"))
    from docs_site.declared import tables
    from docs_site.example_query import example_query

    there = {f"{schema}.{name}" for schema, name in stack.ask("analyst", REGISTERED)}
    examples = {t.name: example_query(t).rstrip(";") for t in tables().values() if t.name in there}
    assert len(examples) >= 60
    for query in examples.values():
        stack.ask("analyst", query)


@pytest.mark.parametrize("tool", SNIPPETS)
def test_a_snippet_finds_rows_without_a_server(stack: Stack, tool: str) -> None:
    if tool == "pyspark" and (problem := java_problem()):
        pytest.skip(problem)
    code = SNIPPETS[tool].replace("data/lakehouse", str(stack.lakehouse)) + "assert len(found) > 0\n"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
