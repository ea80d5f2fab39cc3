"""The page: sections through templates that escape, one copy of Vega, and a policy under which nothing is fetched."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from report import formats
from report.formats import FILTERS, MOODS
from report.listeners import Listener
from report.reader import Reader
from report.section import Section
from report.sections import calendar, contrasts, coverage, headline, live, moods, overview, top, week, years

SECTIONS: tuple[ModuleType, ...] = (headline, live, calendar, week, top, moods, coverage, contrasts, years)
TEMPLATES = Path(__file__).parent / "templates"
LARGEST_PAGE = 3_000_000
# vega-embed brings the interpreter that evaluates Vega's expressions without building functions from text.
BUNDLE = "window.vegaEmbed = vegaEmbed;"


@dataclass(frozen=True)
class Part:
    """A listener's share of the page: its HTML, and the specifications of its charts by element id."""

    listener: Listener
    html: Markup
    specs: dict[str, Any]

    @property
    def size(self) -> int:
        return len(self.html.encode()) + len(json.dumps(self.specs))


def of_one(root: Path, listener: Listener, made_at: dt.datetime) -> str:
    """The page about one listener."""
    return _page([_part(root, listener, 0, made_at)], made_at, title=f"Listening history: {formats.name(listener.name)}")


def of_all(root: Path, listeners: Sequence[Listener], made_at: dt.datetime) -> tuple[str, list[Listener]]:
    """The overview, with every listener's report when all of them fit the size of a page; returns those that are inside."""
    environment = _environment()
    specs: dict[str, Any] = {}
    html = Markup()
    for number, section in enumerate(overview.sections(root, listeners)):
        html += _section(environment, section, f"o{number}", specs)
    room = LARGEST_PAGE - len(_bundle()) - len(html.encode()) - len(json.dumps(specs)) - len(_text("style.css")) - 20_000
    parts: list[Part] = []
    for number, listener in enumerate(listeners):
        parts.append(_part(root, listener, number, made_at))
        room -= parts[-1].size
        if room < 0:
            parts = []
            break
    page = _page(parts, made_at, title="Everybody's listening", overview=html, specs=specs, total=len(listeners))
    return page, [part.listener for part in parts]


def _part(root: Path, listener: Listener, number: int, made_at: dt.datetime) -> Part:
    reader, environment = Reader(root, listener, made_at), _environment()
    specs: dict[str, Any] = {}
    html = Markup()
    for module in SECTIONS:
        section: Section | None = module.section(reader)
        if section is not None:
            html += _section(environment, section, f"l{number}", specs)
    return Part(listener, html, specs)


def _section(environment: Environment, section: Section, prefix: str, specs: dict[str, Any]) -> Markup:
    """The section's HTML; adds its charts' specifications under ids that are unique on the page."""
    ids = {name: f"{prefix}-{name}" for name in section.charts}
    for name, chart in section.charts.items():
        specs[ids[name]] = dict(chart.spec) | {"description": chart.label}
    shell = environment.get_template("section.html")
    return Markup(shell.render(section=section, ids=ids, prefix=prefix, moods=list(MOODS.values()), **section.values))  # noqa: S704


def _page(parts: Sequence[Part], made_at: dt.datetime, **values: Any) -> str:
    specs = dict(values.pop("specs", {}))
    for part in parts:
        specs |= part.specs
    scripts = [_bundle(), _text("page.js")]
    return (
        _environment()
        .get_template("page.html")
        .render(
            parts=parts,
            made_at=made_at,
            specs=specs,
            style=Markup(_text("style.css")),  # noqa: S704
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            policy=_policy(scripts),
            **{"overview": None, "total": len(parts)} | values,
        )
    )


def _policy(scripts: Sequence[str]) -> str:
    """Only our own scripts run, named by hash: no network, no handler in markup, no code from text.

    Styles are inline because the charts set them.
    """
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    return environment


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; nothing in it may end the element that holds it."""
    script: str = vl_convert.javascript_bundle(BUNDLE)
    return script.replace("\r", "").replace("</script", "<\\/script").replace("<!--", "<\\!--")


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
