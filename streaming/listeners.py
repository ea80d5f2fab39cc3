"""Whose messages are taken: listeners that the lakehouse knows, and those that a setting allows."""

from __future__ import annotations

import fnmatch
import json
import time
import unicodedata
from collections.abc import Callable, Collection
from pathlib import Path

from lakehouse.settings import LISTENERS, is_person
from streaming.errors import StreamError
from streaming.settings import StreamSettings

# Somebody who is added while the stream runs is known after this time.
REFRESH_SECONDS = 2.0
MOST_NAMES = 100_000


class KnownListeners:
    """Answers for each name, and looks again for those that were not known. All methods raise StreamError."""

    def __init__(
        self, find: Callable[[], Collection[str]], allowed: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`find` tells who is known; `allowed` are names and patterns (fnmatch)."""
        self._find, self._clock = find, clock
        self._patterns = [pattern for pattern in allowed if any(sign in pattern for sign in "*?[")]
        self._allowed = set(allowed) - set(self._patterns)
        self._answers: dict[str, bool] = {}
        self._refresh()

    def knows(self, name: str) -> bool:
        """Whether messages of this listener are taken."""
        answer = self._answers.get(name)
        if answer:
            return True
        is_fresh = self._clock() - self._refreshed_at < REFRESH_SECONDS
        if answer is None or not is_fresh:
            answer = self._judged(name)
            if not answer and not is_fresh:
                self._refresh()
                answer = self._judged(name)
            if len(self._answers) < MOST_NAMES:
                self._answers[name] = answer
        return answer

    def _judged(self, name: str) -> bool:
        return (
            name in self._known or name in self._allowed or any(fnmatch.fnmatchcase(name, pattern) for pattern in self._patterns)
        )

    def _refresh(self) -> None:
        try:
            self._known = {unicodedata.normalize("NFC", name) for name in self._find()}
        except OSError as error:
            raise StreamError(
                f"who is known cannot be read ({error.strerror or error}: {error.filename}): start again later"
            ) from error
        self._answers = {name: True for name in self._answers if self._judged(name)}
        self._refreshed_at = self._clock()


def find_listeners(settings: StreamSettings) -> set[str]:
    """The default listener, the folders of the landing folder, the people of the service, and the listeners with plays.

    Raises StreamError for a file that cannot be read, and OSError.
    """
    return {settings.user, *_in_landing(settings.landing), *_in_service(settings.state_dir), *_in_lakehouse(settings.dir)}


def _in_landing(landing: Path) -> set[str]:
    folder = landing / LISTENERS
    return {path.name for path in folder.iterdir() if path.is_dir() and is_person(path.name)} if folder.is_dir() else set()


def _in_service(state_dir: Path) -> set[str]:
    path = state_dir / "people.json"
    try:
        people = json.loads(path.read_bytes())
    except FileNotFoundError:
        return set()
    except ValueError as error:
        raise StreamError(f"{path} cannot be read ({error}): restore it from a backup") from error
    return {name for name in people if isinstance(name, str)}


def _in_lakehouse(root: Path) -> set[str]:
    from lakehouse.storage import delta

    users = root / "silver" / "users"
    return {row["user_id"] for row in delta.read_rows(users, ["user_id"])} if delta.version(users) is not None else set()
