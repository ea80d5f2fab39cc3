"""Accounts at Last.fm and ListenBrainz that people entered in the service: STATE_DIR/accounts.json, beside what settings name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from polling.answers import PollError
from polling.files import FILE_MODE, make_folder, write_file

FILE = "accounts.json"
LOCK_SECONDS = 20
Accounts = dict[str, dict[str, str]]
"""by source, account names by listener"""


class TakenError(PollError):
    """An account that another listener has."""


def stored(state_dir: Path, source: str) -> dict[str, str]:
    """Account names by listener. Raises PollError for a file that cannot be read."""
    return _read(state_dir / FILE).get(source, {})


def store(state_dir: Path, source: str, listener: str, name: str) -> None:
    """Note a listener's account; one that they had there before is replaced. Raises TakenError, PollError and OSError."""
    with _changed(state_dir) as accounts:
        if name.lower() in {other.lower() for owner, other in accounts.get(source, {}).items() if owner != listener}:
            raise TakenError(f"{name!r} belongs to another listener")
        accounts.setdefault(source, {})[listener] = name


def remove(state_dir: Path, source: str, listener: str) -> None:
    """Forget a listener's account; it is none's then. Raises PollError and OSError."""
    with _changed(state_dir) as accounts:
        accounts.get(source, {}).pop(listener, None)


@contextmanager
def _changed(state_dir: Path) -> Iterator[Accounts]:
    path = state_dir / FILE
    make_folder(state_dir)
    try:
        with FileLock(path.with_name(f".{FILE}.lock"), timeout=LOCK_SECONDS, mode=FILE_MODE):
            accounts = _read(path)
            yield accounts
            write_file(path, f"{json.dumps(accounts, indent=1)}\n".encode("ascii"))
    except Timeout as error:
        raise PollError(f"another process holds the lock of {path}; try again in a minute") from error


def _read(path: Path) -> Accounts:
    try:
        content = json.loads(path.read_bytes())
        return {source: {str(one): str(name) for one, name in accounts.items()} for source, accounts in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise PollError(f"{path} cannot be read: restore it from a backup, or remove it and enter the accounts again") from error
