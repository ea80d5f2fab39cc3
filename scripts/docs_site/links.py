"""The check of a built site: links that lead nowhere, and anything that a browser would fetch from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, by element and attribute. A link that a person has to click is none.
FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
    "link": ("href",),
}
# Links of a page's head that a browser does not fetch.
UNFETCHED_RELATIONS = frozenset({"canonical", "author", "license", "next", "prev", "index", "search", "help", "copyright"})
STYLE_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?\s*((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
# In JavaScript: an address in quotes that something is done with, other than to compare or to show it.
SCRIPT_URL = re.compile(
    r"""(?:fetch|importScripts|import|open|XMLHttpRequest|sendBeacon|WebSocket|EventSource)\s*\(?[^;\n]{0,80}["'`]((?:https?|wss?):)?//"""
    r"""|\.src\s*=\s*["'`](?:https?:)?//""",
    re.IGNORECASE,
)


@dataclass
class Page:
    """What a page links to, fetches and can be linked to."""

    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.inside = tag if tag in ("style", "script") else self.inside
        if "id" in values:
            self.page.anchors.add(values["id"])
        if "style" in values:
            self.page.styles.append(values["style"])
        if tag == "a":
            if "name" in values:
                self.page.anchors.add(values["name"])
            if "href" in values:
                self.page.links.append(values["href"])
        if tag == "link" and set(values.get("rel", "").split()) & UNFETCHED_RELATIONS:
            self.page.links.append(values.get("href", ""))
            return
        for name in FETCHED.get(tag, ()):
            if value := values.get(name):
                parts = [part.split()[0] for part in value.split(",") if part.split()] if name == "srcset" else [value]
                self.page.fetched += parts

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.page.styles.append(data)
        elif self.inside == "script":
            self.page.scripts.append(data)


def read_page(text: str) -> Page:
    """What a page of HTML links to and fetches."""
    reader = _Reader()
    reader.feed(text)
    return reader.page


def dead_links(site: Path) -> list[str]:
    """Each internal link or fetched file that is not in the site, with the page that has it; anchors included."""
    pages = {path: read_page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    dead = []
    for path, page in pages.items():
        for link in dict.fromkeys([*page.links, *page.fetched]):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            known = pages.get(site / target.relative_to(site.resolve())) if target.is_relative_to(site.resolve()) else None
            if not target.is_file() or not target.is_relative_to(site.resolve()):
                dead.append(f"{path.relative_to(site)}: {link}")
            elif anchor and known is not None and anchor not in known.anchors:
                dead.append(f"{path.relative_to(site)}: {link} (no such anchor)")
    return dead


def external_requests(site: Path) -> list[str]:
    """Everything that viewing the site would fetch from another host, with the file that says so."""
    found = []
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            page = read_page(path.read_text("utf-8"))
            requests = [url for url in page.fetched if _is_external(url)]
            requests += _in_styles(page.styles) + _in_scripts(page.scripts)
        elif path.suffix == ".css":
            requests = _in_styles([path.read_text("utf-8")])
        elif path.suffix == ".js":
            requests = _in_scripts([path.read_text("utf-8")])
        elif path.suffix == ".svg":
            requests = [u for u in read_page(path.read_text("utf-8")).fetched if _is_external(u)]
        else:
            continue
        found += [f"{path.relative_to(site)}: {request}" for request in dict.fromkeys(requests)]
    return found


def _is_external(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ws", "wss", "ftp")


def _in_styles(texts: Iterable[str]) -> list[str]:
    return [match for text in texts for match in STYLE_URL.findall(text)]


def _in_scripts(texts: Iterable[str]) -> list[str]:
    return [match[0] for text in texts for match in SCRIPT_URL.finditer(text)]
