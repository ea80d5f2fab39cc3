"""What a check finds, and what it looks at."""

from __future__ import annotations

import datetime as dt
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from music.settings import ListeningSettings


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    check: str
    """the subject, e.g. disk"""
    what: str
    where: str
    remedy: str
    """what mends it: a command where there is one"""


@dataclass(frozen=True)
class SetUp:
    """What is looked at."""

    settings: ListeningSettings
    now: dt.datetime
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def lakehouse(self) -> Path:
        return self.settings.dir

    @property
    def own_folders(self) -> dict[str, Path]:
        """The folders that the product writes to, by what they are."""
        return {"lakehouse": self.settings.dir, "inbox": self.settings.inbox_folder, "state": self.settings.state_dir}

    def age(self, path: Path) -> dt.timedelta:
        """How long ago a file was written."""
        return self.now - dt.datetime.fromtimestamp(path.stat().st_mtime, dt.timezone.utc)


def files_below(folder: Path) -> Iterator[Path]:
    """All files and folders of a folder, itself included, as far as it can be entered. Links are not followed."""
    yield folder
    for place, folders, names in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *names))


def command(*words: str | Path) -> str:
    """A command as it can be typed."""
    return shlex.join(str(word) for word in words)
