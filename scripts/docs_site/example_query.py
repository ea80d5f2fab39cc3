"""An example query of a table, made from its declaration; it runs in Trino and in DuckDB."""

from __future__ import annotations

from docs_site.declared import DocumentedTable

SHOWN_COLUMNS = 8
ROWS = 10
# Names of columns that either engine reserves.
RESERVED = frozenset(
    {"at", "list", "key", "kind", "row", "rank", "value", "values", "date", "year", "mode", "offset", "end", "desc"}
)


def example_query(table: DocumentedTable) -> str:
    """The first columns of ten rows, of one listener where rows name listeners, in the order of the key."""
    lineage = [c.name for c in table.columns if not c.name.startswith("_")]
    others = [name for name in lineage if name not in table.key]
    shown = [*table.key, *others[: max(2, SHOWN_COLUMNS - len(table.key))]]
    has_listener = "user_id" in lineage
    if has_listener:
        shown = [name for name in shown if name != "user_id"]
    lines = [f"SELECT {', '.join(map(_quoted, shown))}", f"FROM {table.name}"]
    if has_listener:
        lines.append("WHERE user_id = 'me'")
    order = [name for name in table.key if name != "user_id"] or shown[:1]
    lines += [f"ORDER BY {', '.join(map(_quoted, order))}", f"LIMIT {ROWS};"]
    return "\n".join(lines)


def _quoted(name: str) -> str:
    return f'"{name}"' if name in RESERVED else name
