"""The reference of settings: `.env.example` tells what each is for, the settings classes tell type, default and limits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from docs_site.declared import Setting

LINE = re.compile(r"^#?([A-Z0-9_]+)=(.*)$")


def settings_page(example: str, settings: Mapping[str, Setting]) -> str:
    """A section per comment of the example file, with the settings below it."""
    lines: list[str] = []
    for comment, named in _sections(example):
        lines += ["", comment, "", "| setting | type | default | limits | example |", "|---|---|---|---|---|"]
        for name, value in named:
            setting = settings.get(name, Setting("text", "", ""))
            cells = (f"`{name}`", setting.type, _code(setting.default), _cell(setting.limits), _code(value))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _sections(example: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each comment with the settings that follow it."""
    sections: list[tuple[str, list[tuple[str, str]]]] = []
    comment: list[str] = []
    for line in example.splitlines():
        if found := LINE.match(line):
            if comment:
                sections.append((" ".join(comment), []))
                comment = []
            if sections:
                sections[-1][1].append((found[1], found[2]))
        elif line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        else:
            comment = []
    return sections


def _code(text: str) -> str:
    return _cell(f"`{text}`") if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
