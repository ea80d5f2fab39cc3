"""Files that the product received for a listener: poll files and journals, loose or packed, with the state of their accounts."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from lakehouse.landing.archive import ARCHIVE_ERRORS
from lakehouse.landing.packed import Archives, archives_in, files_of, remove_from
from lakehouse.settings import LISTENERS
from polling.places import AccountPlace
from polling.state import BusyError, StateError, locked, read_state
from upkeep.forget_identity import Identity

WAIT_SECONDS = 60.0
HEAD_BYTES = 64 * 1024
# The first field of that name stands in the head of poll files and journals, before anything that came from a source.
LISTENER = re.compile(rb'"listener": ("(?:[^"\\]|\\.)*")')


@dataclass
class Account:
    """The folder of an account, or of a player's journals, with files of the listener."""

    place: AccountPlace
    own: list[tuple[Path, str | None]] = field(default_factory=list)
    """file, or archive and name in it"""
    others: int = 0
    """files in the same folder that are somebody else's, as when an account changed hands"""
    is_named: bool = False
    """the account is the listener's now, so its state goes too"""


def find_accounts(inbox: Path, identity: Identity) -> list[Account]:
    """Every account folder of the inbox that holds anything of the listener. Raises OSError."""
    found = []
    for source in sorted(path for path in inbox.iterdir() if path.is_dir()) if inbox.is_dir() else []:
        if source.name == LISTENERS or source.name.startswith("."):
            continue
        names = {path.name for path in source.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
        names |= {path.stem.removeprefix("_") for path in source.glob("_*.json")}
        for name in sorted(names):
            account = _look(AccountPlace(inbox, source.name, unquote(name)), identity)
            if account.own or account.is_named:
                found.append(account)
    return found


def remove_received(account: Account) -> int:
    """Remove the listener's files under the account's lock; returns how many. Raises BusyError after a minute, and OSError."""
    with _held(account.place):
        packed: dict[Path, list[str]] = {}
        for path, member in account.own:
            if member is None:
                path.unlink(missing_ok=True)
            else:
                packed.setdefault(path, []).append(member)
        for archive, members in packed.items():
            remove_from(archive, members)
        if not account.others:
            shutil.rmtree(account.place.folder, ignore_errors=True)
    return len(account.own)


def remove_account(account: Account) -> None:
    """Remove the state of the listener's account, and empty folders; one that is another's now keeps it. Raises OSError."""
    if account.is_named or not account.place.state.exists():
        for path in (account.place.state, account.place.part, account.place.lock):
            path.unlink(missing_ok=True)
    folder = account.place.folder
    for empty in (folder, folder.parent):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


def _look(place: AccountPlace, identity: Identity) -> Account:
    account = Account(place)
    try:
        account.is_named = identity.is_listener(read_state(place.state).listener)
    except (FileNotFoundError, StateError):
        account.is_named = (place.source, place.account_id) in identity.accounts
    for path, member, content in _contents(place.folder):
        # What is damaged belongs to whom the account belongs to.
        is_own = account.is_named if content is None else identity.is_listener(listener_in(content))
        if is_own:
            account.own.append((path, member))
        else:
            account.others += 1
    return account


def _contents(folder: Path) -> Iterator[tuple[Path, str | None, bytes | None]]:
    """Every file of the folder and of its archives, hidden ones too, with its beginning; None for a damaged archive."""
    archives = Archives()
    try:
        for top, _, names in os.walk(folder):
            packs = archives_in(Path(top))
            for path in sorted(Path(top, name) for name in names):
                if path not in packs:
                    with path.open("rb") as file:
                        yield path, None, file.read(HEAD_BYTES)
            for archive in packs:
                try:
                    heads = [(one.name, archives.read(archive, one.name)[:HEAD_BYTES]) for one in files_of(archive)]
                except ARCHIVE_ERRORS:
                    yield archive, None, None
                    continue
                yield from ((archive, name, head) for name, head in heads)
    finally:
        archives.close()


def listener_in(content: bytes) -> str | None:
    """Whose a received file is, from its beginning; None for a file that does not say so."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(content, HEAD_BYTES)
        except (zlib.error, gzip.BadGzipFile):
            return None
    match = LISTENER.search(content)
    if match is None:
        return None
    try:
        return str(json.loads(match[1]))
    except ValueError:
        return None


@contextmanager
def _held(place: AccountPlace) -> Iterator[None]:
    """The account's lock, for which a poll is waited for."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with locked(place):
                yield
                return
        except BusyError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
