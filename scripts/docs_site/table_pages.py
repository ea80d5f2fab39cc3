"""The reference page of each table and model, and the list of all, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from docs_site.declared import CATEGORIES, DocumentedTable
from docs_site.example_query import example_query
from docs_site.lineage import neighbours_svg

SCOPES = {
    "user": "listener: all rows of a changed listener are recomputed",
    "file": "landing file: a new file adds its own rows",
    "entity": "entity: only changed keys are recomputed",
    "whole": "whole table: any change rebuilds all of it",
    "model": "model: a newly trained model replaces its rows",
}
TITLES = {
    "bronze": "Bronze: rows as the source wrote them",
    "silver": "Silver: every play accounted for, with features, sessions and local time",
    "models": "Models: retrained rarely, tested on later data",
    "gold.descriptive": "Gold, descriptive: what, when, how much",
    "gold.diagnostic": "Gold, diagnostic: differences, with effect sizes and intervals",
    "gold.predictive": "Gold, predictive: what comes next",
    "gold.prescriptive": "Gold, prescriptive: recommendations, with reasons",
    "gold.cognitive": "Gold, cognitive: habits, moods, anomalies",
    "ops": "Ops: runs, builds, checks, files",
}
QUESTION = re.compile(r"^### (\d+)\. ([^\n]+)\n(.*?)(?=^### |^## |\Z)", re.MULTILINE | re.DOTALL)


def list_page(tables: Mapping[str, DocumentedTable], folder: str) -> str:
    """All tables by category, each with its question; a fragment to be included in a page beside `folder`."""
    lines: list[str] = []
    for category in CATEGORIES:
        chosen = sorted((t for t in tables.values() if t.category == category), key=lambda t: t.name)
        if not chosen:
            continue
        lines += ["", f"## {TITLES[category]}", "", "| table | question |", "|---|---|"]
        lines += [f"| [{t.name}]({folder}/{t.name}.md) | {_cell(t.question or t.grain)} |" for t in chosen]
    lines += ["", "```{toctree}", ":hidden:", ":maxdepth: 1", "", *(f"{folder}/{name}" for name in sorted(tables)), "```"]
    return "\n".join(lines) + "\n"


def table_page(table: DocumentedTable, tables: Mapping[str, DocumentedTable], queries: str) -> str:
    """The page of one table; `queries` is the text of the page of queries, whose questions that use the table are linked."""
    downstreams = [name for name, other in tables.items() if table.name in other.upstreams]
    lines = [f"# {table.name}", "", *([f"*{table.question}*", ""] if table.question else []), table.grain, ""]
    lines += ["| | |", "|---|---|", *(f"| **{name}** | {value} |" for name, value in _facts(table)), ""]
    lines += ["## Lineage", "", *_lineage(table, tables, downstreams)]
    if table.columns:
        lines += ["## Columns", "", "| column | type | null | meaning | allowed |", "|---|---|---|---|---|"]
        lines += [
            f"| `{c.name}` | {c.type} | {'yes' if c.is_nullable else 'no'} | {_cell(c.comment)} | {_cell('; '.join(c.allowed))} |"
            for c in table.columns
        ]
        lines += [
            "",
            "Two lineage columns follow: `_run_id`, the run that wrote the row, and `_built_at`, the start of that run (UTC).",
        ]
    if table.rules:
        lines += [
            "",
            "## Rules",
            "",
            "Checked on the new rows before they are published:",
            "",
            *(f"- {rule}" for rule in table.rules),
        ]
    if not table.is_model:
        lines += ["", "## Example query", "", "```sql", example_query(table), "```"]
    if asked := _questions(table.name, queries):
        lines += [
            "",
            "## Questions that use it",
            "",
            *(f"- [{title}](../../how-to/queries.md#{anchor})" for title, anchor in asked),
        ]
    return "\n".join(lines) + "\n"


def _facts(table: DocumentedTable) -> list[tuple[str, str]]:
    facts = [("category", table.category)]
    if table.is_model:
        share, days = table.retraining.split(" or ")
        facts += [
            ("kind", table.model_kind),
            ("retrained", f"when a table it learns from has changed by {share}, or after {days}"),
        ]
    else:
        facts += [("key", ", ".join(f"`{k}`" for k in table.key)), ("scope", SCOPES[table.scope])]
    if table.needs_java:
        facts.append(("needs", "Java 17 or later (for MLlib, or for functions that the embedded engine lacks)"))
    if table.sources:
        facts.append(("landing files", ", ".join(f"`{s}`" for s in table.sources)))
    if table.settings:
        facts.append(("settings", ", ".join(f"`{s}`" for s in table.settings)))
    written = f"`{table.module.replace('.', '/')}.py`" if table.module else "the kernel"
    return [*facts, ("declared in" if table.module else "written by", written)]


def _lineage(table: DocumentedTable, tables: Mapping[str, DocumentedTable], downstreams: list[str]) -> list[str]:
    if not table.upstreams and not downstreams:
        return ["No other table reads it, and it reads none.", ""]
    lines = [neighbours_svg(table.name, tables, downstreams, ""), ""]
    if table.upstreams:
        marks = [f"[{u}]({u}.md)" + (" (optional)" if u in table.optional else "") for u in table.upstreams]
        lines += [f"Reads: {', '.join(marks)}.", ""]
    if downstreams:
        lines += [f"Read by: {', '.join(f'[{d}]({d}.md)' for d in sorted(downstreams))}.", ""]
    return lines


def _questions(name: str, queries: str) -> list[tuple[str, str]]:
    """Titles and anchors of the questions whose text names the table."""
    pattern = re.compile(rf"\b{re.escape(name)}\b")
    return [(title, _anchor(f"{n}. {title}")) for n, title, body in QUESTION.findall(queries) if pattern.search(body)]


def _anchor(heading: str) -> str:
    """The anchor that GitHub and MyST give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
