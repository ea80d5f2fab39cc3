"""Building the site: the pages of docs/ and those generated from the code, by Sphinx, with warnings as errors."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from docs_site import lineage
from docs_site.command_pages import commands_page
from docs_site.declared import settings, tables
from docs_site.settings_page import settings_page
from docs_site.table_pages import list_page, table_page

# Pages of the project's root that are part of the site.
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
GENERATED = "generated"


def write_source(root: Path, source: Path) -> None:
    """Copy docs/ to `source`, which is made anew, and write the generated pages into it."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "docs", source, ignore=shutil.ignore_patterns("__pycache__"))
    for name, page in ROOT_PAGES.items():
        (source / page).write_text(_moved(root, (root / name).read_text("utf-8")), "utf-8")
    declared = tables()
    reference, generated = source / "reference", source / "reference" / GENERATED
    folder = reference / "tables"
    for path in (generated, folder):
        path.mkdir()
    queries = (root / "docs" / "how-to" / "queries.md").read_text("utf-8")
    for name, table in declared.items():
        (folder / f"{name}.md").write_text(table_page(table, declared, queries), "utf-8")
    example = (root / ".env.example").read_text("utf-8")
    drawings = {
        "overview": lineage.overview_svg(declared),
        "foundation": lineage.foundation_svg(declared, "../reference/tables/"),
        "analysis": lineage.analysis_svg(declared, "../reference/tables/"),
    }
    fragments = {
        "tables": list_page(declared, "tables"),
        "commands": commands_page(root),
        "settings": settings_page(example, settings()),
        **drawings,
    }
    schema = root / "streaming" / "listen.schema.json"
    (generated / schema.name).write_text(schema.read_text("utf-8"), "utf-8")
    for name, text in fragments.items():
        (generated / f"{name}.md").write_text(text + "\n", "utf-8")


def _moved(root: Path, text: str) -> str:
    """A page of the root with its links into docs/ as they are in the site; other files of the project become plain text."""

    def rewritten(match: re.Match[str]) -> str:
        label, target = match[1], match[2]
        path = target.partition("#")[0]
        if target.startswith(("http:", "https:", "#")):
            return match[0]
        if path in ROOT_PAGES:
            return f"[{label}]({ROOT_PAGES[path]}{target.removeprefix(path)})"
        if path.startswith("docs/"):
            return f"[{label}]({target.removeprefix('docs/')})"
        if not (root / path).exists():
            raise FileNotFoundError(f"a link leads to {path}, which is not there")
        return label

    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", rewritten, text)


def build(root: Path, out: Path) -> int:
    """Write `out`/source and build `out`/html from it; Sphinx's exit code, not 0 for any warning."""
    from sphinx.cmd.build import main as sphinx_build

    source, html = out / "source", out / "html"
    write_source(root, source)
    shutil.rmtree(html, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet", "--jobs", "auto", "--builder", "html"]
    return sphinx_build([*options, "--doctree-dir", str(out / "doctrees"), "--fresh-env", str(source), str(html)])
