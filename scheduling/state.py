"""What the scheduler remembers over a restart, so that it neither skips a poll nor repeats one: one JSON file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from polling.files import make_folder, write_file

FORMAT = "listening-lakehouse/scheduler/1"
FILE = "scheduler.json"
REPEATED, FORGOTTEN = dt.timedelta(days=1), dt.timedelta(days=7)


class StateError(Exception):
    """A state file that cannot be read."""


@dataclass(frozen=True)
class SchedulerState:
    """What is due, and what was said. Times are UTC; None: at once."""

    poll_at: dt.datetime | None = None
    build_at: dt.datetime | None = None
    maintain_at: dt.datetime | None = None
    """None: never planned"""
    new_plays: int = 0
    """received since the last build began"""
    build: tuple[str, ...] = ()
    """what the builds were, as their arguments: other ones are due at once"""
    said: Mapping[str, dt.datetime] = field(default_factory=dict)
    """when a notice was last logged that is repeated once a day"""

    def of_build(self, arguments: tuple[str, ...]) -> SchedulerState:
        """The state for builds with these arguments."""
        return self if self.build == arguments else replace(self, build=arguments, build_at=None)

    def was_said(self, notice: str, now: dt.datetime) -> bool:
        """Whether a notice was logged within a day."""
        last = self.said.get(notice)
        return last is not None and dt.timedelta(0) <= now - last < REPEATED

    def saying(self, notices: Iterable[str], now: dt.datetime) -> SchedulerState:
        """The state after notices were logged. Those of a week ago are forgotten."""
        kept = {notice: at for notice, at in self.said.items() if now - at < FORGOTTEN}
        return replace(self, said=kept | dict.fromkeys(notices, now))


def load(folder: Path) -> SchedulerState:
    """The state in the folder; a new one where there is none. Raises StateError and OSError."""
    try:
        content = json.loads((folder / FILE).read_bytes())
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        return SchedulerState(
            poll_at=_moment(content["poll_at"]),
            build_at=_moment(content["build_at"]),
            # An older version wrote none.
            maintain_at=_moment(content.get("maintain_at")),
            new_plays=int(content["new_plays"]),
            build=tuple(str(word) for word in content["build"]),
            said={key: _utc(text) for key, text in content["said"].items()},
        )
    except FileNotFoundError:
        return SchedulerState()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{folder / FILE} cannot be read ({error}); polls and builds are due at once") from error


def save(folder: Path, state: SchedulerState) -> None:
    """Replace the state in the folder. Raises OSError; the old one stays then."""
    content = {
        "format": FORMAT,
        "poll_at": state.poll_at and state.poll_at.isoformat(),
        "build_at": state.build_at and state.build_at.isoformat(),
        "maintain_at": state.maintain_at and state.maintain_at.isoformat(),
        "new_plays": state.new_plays,
        "build": list(state.build),
        "said": {key: at.isoformat() for key, at in state.said.items()},
    }
    make_folder(folder)
    write_file(folder / FILE, json.dumps(content, indent=1).encode("ascii"))


def _moment(text: str | None) -> dt.datetime | None:
    return None if text is None else _utc(text)


def _utc(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return moment.astimezone(dt.timezone.utc)
