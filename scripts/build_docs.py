"""Write docs/tables.md, the catalogue of all tables, from their declarations."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "docs" / "tables.md"


def catalogue() -> str:
    """The catalogue as Markdown: per table its question, grain, key, upstreams, columns and rules."""
    sys.path.insert(0, str(ROOT))
    from lakehouse.plan import graph

    tables = graph.load()
    lines = ["# Tables", "", "Generated from the declarations by `make docs`; do not edit.", ""]
    lines += [
        "Every table has two more columns: `_run_id` (run that wrote the row) and `_built_at` (start of that run, UTC).",
        "",
    ]
    for category in dict.fromkeys(sorted(t.category for t in tables.values())):
        lines += [f"- **{category}**: " + ", ".join(_link(t.name) for t in tables.values() if t.category == category)]
    for name in sorted(tables):
        declared = tables[name]
        module = sys.modules[declared.module].__doc__ if declared.module else None
        question = (module or "").strip().split("\n")[0]
        lines += ["", f"## {name}", "", *([question, ""] if question else []), declared.description, ""]
        if declared.retrain:
            policy = f"a table it learns from has grown or shrunk by {declared.retrain.share:.0%}"
            lines += [f"A {declared.kind} model, trained again when {policy}, or after {declared.retrain.days} days."]
        else:
            lines += [f"Key: {', '.join(f'`{k}`' for k in declared.key)}. Scope: {declared.scope}."]
        if upstreams := graph.upstream_names(declared):
            lines += [f"From: {', '.join(_link(u) for u in upstreams)}."]
        if declared.sources:
            lines += [f"From landing files: {', '.join(s.name for s in declared.sources)}."]
        if declared.parameters:
            lines += [f"Settings: {', '.join(f'`{p}`' for p in declared.parameters)}."]
        if declared.is_model:
            continue
        lines += ["", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{c.name}` | {c.type}{'' if c.nullable else ', not null'} | {c.comment} |" for c in declared.columns]
        stated = [r for r in declared.rules if not r.name.startswith(("not_null", "unique"))]
        if stated:
            lines += ["", "Rules: " + "; ".join(f"{r.name} ({r.severity})" for r in stated) + "."]
    return "\n".join(lines) + "\n"


def _link(name: str) -> str:
    return f"[{name}](#{name.replace('.', '')})"


if __name__ == "__main__":
    CATALOGUE.write_text(catalogue(), encoding="utf-8")
