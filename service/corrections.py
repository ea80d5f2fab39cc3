"""Corrections of one listener: what `lakehouse corrections suggest` finds, what of it they accepted, and what they rejected.

Accepted lines stand in INBOX/listeners/NAME/corrections.csv, which runs read as that listener's; rejections in the state folder.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from polling.files import FILE_MODE, make_folder, write_file
from scheduling.child import lakehouse
from service import commands
from service.private_file import PrivateFile
from service.settings import ServiceSettings
from service.uploads.store import folder_of

FILE, REJECTED = "corrections.csv", "rejected_corrections.json"
# ingestion.corrections.FIELDS, whose module brings half of Arrow along.
FIELDS = (
    *("action", "kind", "from_artist", "from_title", "from_album", "to_artist", "to_title", "to_album"),
    *("played_at", "until", "note"),
)
SECONDS, LOCK_SECONDS, MOST_KEPT = 180.0, 20, 20


class CorrectionsError(Exception):
    """Suggestions that could not be made, or lines that cannot be read or written; the message says what to do."""


@dataclass(frozen=True)
class Suggestion:
    """A line that could be accepted."""

    key: str
    kind: str
    name: str
    plays: int
    other: str
    other_plays: int
    artist: str | None
    """of a recording"""
    line: Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """A line of a listener's file."""

    key: str
    cells: Mapping[str, str]


class Suggestions:
    """What is suggested, kept until the lakehouse has other plays: finding it takes seconds, in a process of its own."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._kept: OrderedDict[tuple[str, str], list[Suggestion]] = OrderedDict()

    async def of(self, listener: str) -> list[Suggestion]:
        """All suggestions for a listener, the most played first. Raises CorrectionsError and OSError."""
        log = self._settings.dir / "silver" / "listening_with_features" / "_delta_log"
        version = max((path.name for path in log.glob("*.json")), default=None) if log.is_dir() else None
        if version is None:
            return []
        if (listener, version) not in self._kept:
            self._kept[listener, version] = await self._found(listener)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return self._kept[listener, version]

    async def _found(self, listener: str) -> list[Suggestion]:
        words = ("corrections", "suggest", "--json", "--user", listener, "--lakehouse", str(self._settings.dir))
        try:
            ended = await commands.run(lakehouse(*words), self._settings, SECONDS)
            if ended.exit_code != 0:
                raise CorrectionsError(f"Suggestions could not be made: {ended.errors.strip()[-300:]}")
            return [_suggestion(one) for one in json.loads(ended.output) if one["user_id"] == listener]
        except (commands.CommandError, ValueError) as error:
            raise CorrectionsError(f"Suggestions could not be made: {error}. Try again later.") from error


class Corrections:
    """What listeners decided."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._rejected = PrivateFile(
            settings.state_dir / REJECTED, "restore it from a backup, or remove it to see all suggestions again"
        )

    def accept(self, listener: str, suggestion: Suggestion) -> None:
        """Add the line to the listener's file, once. Raises CorrectionsError and OSError."""
        with self._changed(listener) as lines:
            if not any(_is_same(line, suggestion.line) for line in lines):
                lines.append(dict(suggestion.line))

    def take_back(self, listener: str, key: str) -> bool:
        """Remove a line of the listener's file; False if there is none such. Raises CorrectionsError and OSError."""
        with self._changed(listener) as lines:
            kept = [line for line in lines if _key(line) != key]
            is_there = len(kept) < len(lines)
            lines[:] = kept
        return is_there

    def reject(self, listener: str, suggestion: Suggestion) -> None:
        """Do not suggest it again. Raises PrivateFileError and OSError."""
        with self._rejected.changing() as rejected:
            rejected.setdefault(listener, {})[suggestion.key] = True

    def forget_rejections(self, listener: str) -> None:
        """Suggest everything again. Raises PrivateFileError and OSError."""
        with self._rejected.changing() as rejected:
            rejected.pop(listener, None)

    def rejected(self, listener: str) -> int:
        """How many suggestions the listener rejected. Raises PrivateFileError and OSError."""
        return len(self._rejected.read().get(listener, {}))

    def open(self, listener: str, suggestions: list[Suggestion]) -> list[Suggestion]:
        """Those that the listener has not decided yet. Raises CorrectionsError, PrivateFileError and OSError."""
        rejected, lines = self._rejected.read().get(listener, {}), [line.cells for line in self.accepted(listener)]
        undecided = (one for one in suggestions if one.key not in rejected)
        return [one for one in undecided if not any(_is_same(line, one.line) for line in lines)]

    def accepted(self, listener: str) -> list[Line]:
        """The lines of the listener's file. Raises CorrectionsError and OSError."""
        return [Line(_key(cells), cells) for cells in _read(self._path(listener))]

    def _path(self, listener: str) -> Path:
        return folder_of(self._settings.inbox_folder, listener) / FILE

    @contextmanager
    def _changed(self, listener: str) -> Iterator[list[dict[str, str]]]:
        path = self._path(listener)
        make_folder(path.parent)
        try:
            with FileLock(path.with_name(f".{FILE}.lock"), timeout=LOCK_SECONDS, mode=FILE_MODE):
                lines = _read(path)
                before = [dict(line) for line in lines]
                yield lines
                if lines != before:
                    write_file(path, _content(lines))
        except Timeout as error:
            raise CorrectionsError("Your corrections are being changed elsewhere. Try again.") from error


def _suggestion(row: Mapping[str, Any]) -> Suggestion:
    name, other = row["name"], row["other"]
    is_artist = row["kind"] == "artist"
    line = {field: str(row["line"].get(field) or "") for field in FIELDS}
    return Suggestion(
        key=hashlib.sha256(json.dumps([row["kind"], name["key"], other["key"]]).encode()).hexdigest()[:32],
        kind=row["kind"],
        name=name["artist"] if is_artist else name["title"],
        plays=name["plays"],
        other=other["artist"] if is_artist else other["title"],
        other_plays=other["plays"],
        artist=None if is_artist else other["artist"],
        line=line,
    )


def _is_same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two lines correct the same; a note is nobody's correction."""
    return all(one.get(field, "") == other.get(field, "") for field in FIELDS if field != "note")


def _key(line: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps([line.get(field, "") for field in FIELDS]).encode()).hexdigest()[:32]


def _read(path: Path) -> list[dict[str, str]]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise CorrectionsError(f"{path} is not UTF-8: mend it or move it away.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if not set(reader.fieldnames or ()) <= set(FIELDS):
        raise CorrectionsError(f"{path} has columns of its own: put it into the landing folder instead.")
    return [{field: row.get(field) or "" for field in FIELDS} for row in reader]


def _content(lines: list[dict[str, str]]) -> bytes:
    """The header alone takes back what was corrected before."""
    text = io.StringIO(newline="")
    # Names may hold line breaks of every kind, not all of which are quoted by themselves.
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode("utf-8", "replace")
