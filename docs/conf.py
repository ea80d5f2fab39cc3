"""Sphinx's configuration. `make docs` builds the site; `scripts/build_docs.py` adds the pages that are made from the code."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

project = "Listening lakehouse"
author = "the listening lakehouse's contributors"
copyright = "the listening lakehouse's contributors. Apache-2.0"
extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["reference/generated/*", "README.md"]
html_theme = "furo"
html_title = "Listening lakehouse"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
nitpicky = True
# Code on these pages is shell, SQL, Python or text, and says which; what says nothing is text.
highlight_language = "text"


def link_tables(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Make `gold.top_artists` in running text a link to the page of that table."""
    for literal in list(tree.findall(nodes.literal)):
        target = f"reference/tables/{literal.astext()}"
        inside = isinstance(literal.parent, nodes.reference) or any(isinstance(p, nodes.title) for p in ancestors(literal))
        if target == page or inside or target not in app.env.found_docs:
            continue
        link = nodes.reference("", "", internal=True, refuri=app.builder.get_relative_uri(page, target))
        literal.replace_self(link)
        link += literal


def ancestors(node: nodes.Element) -> list[nodes.Element]:
    """The elements that hold a node, the nearest first."""
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the links to tables."""
    if not (Path(app.srcdir) / "reference" / "generated").is_dir():
        raise SystemExit("build the site with `make docs`: some of its pages are generated from the code")
    app.connect("doctree-resolved", link_tables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
