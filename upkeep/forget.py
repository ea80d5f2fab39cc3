"""Forgetting a listener: everything that the product stores of them goes, at once and for good; everybody else's stays as it is.

The tombstone comes first, so that no run and no poll brings anything back meanwhile; the listener's own name is needed to find
the rest, so what names them goes last. Killed anywhere, another `lakehouse forget`, or the next run, goes on.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bi.settings import BISettings
from lakehouse.declare import Table
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.lakehouse import STAGING
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.ledger import FORGOTTEN_BUILD, INGESTION_STATE, TABLE_BUILDS, Ledger
from lakehouse.storage.lock import LockedError
from lakehouse.storage.tombstones import FORGOTTEN, read_tombstones
from polling.state import BusyError
from upkeep import forget_files, forget_inbox, forget_models, forget_state, forget_tables, tombstones
from upkeep.backup_places import known_backups
from upkeep.backup_store import new_id
from upkeep.forget_files import OF_LISTENERS, Files, Place, spellings
from upkeep.forget_identity import Identity, identity_of

HISTORY_TABLE, USERS = "bronze.listening_history", "silver.users"
LAST = (INGESTION_STATE.name, HISTORY_TABLE, USERS)
"""Tables that tell of whom there are rows, and in which files: they are cleaned after all others."""
Tell = Callable[[str], None]


class UnknownListenerError(Exception):
    """Nothing is known of a listener of that name; the message says what to do."""


@dataclass(frozen=True)
class Found:
    """Everything that the product stores of a listener, before anything is removed."""

    settings: Settings
    bi: BISettings
    tables: Mapping[str, Table]
    identity: Identity
    files: Files
    accounts: Sequence[forget_inbox.Account]
    known: Sequence[LandedFile]
    own_hashes: frozenset[str]
    """contents of files in the listener's folders and of their lists, whatever their rows are"""
    rows: Mapping[str, int]
    """by table, rows of the listener"""
    models: Sequence[Path]
    tokens: Sequence[Path]
    entries: Sequence[Path]
    login: Path | None
    logs: Sequence[Path]

    @cached_property
    def own_containers(self) -> frozenset[str]:
        """Received files of the listener, as the ledger names them."""
        return containers_of(self.settings, self.accounts)

    @property
    def is_nothing(self) -> bool:
        """Whether no place of all these has anything of the listener."""
        found = (self.files.removed, self.files.left, self.accounts, self.rows, self.tokens, self.entries, self.login, self.logs)
        return not any(found)

    def places(self) -> list[Place]:
        """Everything, as the report lists it before it is done."""
        inbox = [Place("account", str(one.place.folder), f"{_count(len(one.own), 'file')} removed") for one in self.accounts]
        rows = [Place("table", name, f"{_count(count, 'row')} removed") for name, count in self.rows.items()]
        again = "removed; the next run trains it without them"
        models = [Place("model", path.name, again) for path in (self.models if self.rows else ())]
        state = [Place("token", str(path), "removed") for path in self.tokens]
        state += [Place("state", str(path), "entries removed") for path in self.entries]
        state += [Place("log-in", str(self.login), "removed")] if self.login else []
        state += [Place("log", str(path), "lines removed") for path in self.logs]
        return [*self.files.places(), *inbox, *rows, *models, *state]


def containers_of(settings: Settings, accounts: Iterable[forget_inbox.Account]) -> frozenset[str]:
    """The listener's files in these folders, as the ledger names them."""
    files = [path if member is None else path.with_name(member) for one in accounts for path, member in one.own]
    return frozenset(forget_files.name_of(settings, path) for path in files)


def find(settings: Settings, tables: Mapping[str, Table], user_id: str) -> Found:
    """Look everywhere; changes nothing. `tables` are all that are declared, models too. Raises OSError, StackError and others."""
    identity = identity_of(settings, user_id)
    bi = BISettings()
    known = Ledger(settings.dir).files()
    accounts = forget_inbox.find_accounts(settings.inbox_folder, identity)
    files = forget_files.find_files(settings, identity, known, containers_of(settings, accounts))
    hashes = frozenset(_own_hashes(known, identity))
    spelt = spellings(identity)
    counts = {
        forget_tables.name_of(path): forget_tables.row_count(path, forget_tables.owned_by(path, identity, spelt, hashes))
        for path in forget_tables.tables_in(settings.dir)
    }
    return Found(
        settings=settings,
        bi=bi,
        tables=tables,
        identity=identity,
        files=files,
        accounts=accounts,
        known=known,
        own_hashes=hashes,
        rows={name: count for name, count in counts.items() if count},
        models=forget_models.stored_models(settings.dir, tables),
        tokens=forget_state.find_tokens(settings, identity),
        entries=forget_state.find_entries(settings, identity),
        login=forget_state.find_login(bi, identity),
        logs=forget_state.find_logs(bi, identity),
    )


def forget(found: Found, tell: Tell) -> list[Place]:
    """Remove all of it, and return where it was, what is left and why. The caller holds the lock of the lakehouse.

    Raises OSError, DeltaError, LockedError, StackError; what was not reached is removed by another call.
    """
    settings, identity = found.settings, found.identity
    before = tombstones.finished_at(settings.state_dir, identity.user_id) if found.is_nothing else None
    tombstones.bury(settings.state_dir, identity.user_id)
    tell("landing files and inbox")
    files = forget_files.remove_files(found.files)
    for account in found.accounts:
        try:
            forget_inbox.remove_received(account)
        except BusyError as error:
            raise LockedError(f"{account.place.folder} is being polled: run the command again") from error
    _erase_tables(found, tell)
    tell("tokens, log-ins and logs")
    for path in found.tokens:
        forget_state.remove_token(path, settings.state_dir)
    if found.login is not None:
        forget_state.remove_login(found.bi, identity, found.tables)
    for path in found.logs:
        forget_state.redact_log(path, identity)
    for account in found.accounts:
        forget_inbox.remove_account(account)
    for path in forget_state.find_entries(settings, identity):
        forget_state.remove_entries(path, identity)
    tombstones.finish(settings.state_dir, identity.user_id)
    elsewhere = forget_state.left_elsewhere(identity)
    return [*replace(found, files=files).places(), *elsewhere, *uncleaned_backups(settings, before)]


def uncleaned_backups(settings: Settings, before: dt.datetime | None = None) -> list[Place]:
    """Backups that were taken before the time, or at all: they hold what they held."""
    newest = new_id(before) if before is not None else "~"
    known = known_backups(settings.state_dir)
    why = "taken before, not cleaned: a restore leaves the listener out; take a new one with --keep 1, or remove it"
    return [Place("backup", f"{one.folder} ({one.backup_id})", why, is_left=True) for one in known if one.backup_id < newest]


def erase_forgotten(
    settings: Settings, tables: Mapping[str, Table], tell: Tell = lambda _: None, *, is_thorough: bool = False
) -> int:
    """Remove every listener with a tombstone of whom the lakehouse has rows, as after a kill or a restore; returns how many.

    A run looks at silver.users; `is_thorough`, and where a removal was broken off, every place is looked at that may name
    somebody. If no name is left then, what is left to do is done for all tables. The caller holds the lock. Raises as `forget`.
    """
    buried = read_tombstones(settings.state_dir)
    if not buried:
        return 0
    is_broken_off = not all(one.is_finished for one in buried.every)
    is_thorough = is_thorough or is_broken_off
    candidates = listeners_in(settings.dir, is_thorough=is_thorough)
    names = buried.among(candidates | forget_state.names_in(settings) if is_thorough else candidates)
    for name in names:
        forget(find(settings, tables, name), tell)
    if is_broken_off and not all(one.is_finished for one in read_tombstones(settings.state_dir).every):
        for path in forget_tables.tables_in(settings.dir):
            forget_tables.purge(path)
        tombstones.finish_all(settings.state_dir)
    return len(names)


def listeners_in(lakehouse: Path, *, is_thorough: bool) -> set[str]:
    """The listeners of silver.users; where there is none, or on demand, of larger tables, which know of more."""
    places = [(USERS, "user_id")]
    if is_thorough or delta.version(lakehouse.joinpath(*USERS.split("."))) is None:
        places += [(HISTORY_TABLE, "user_id"), (INGESTION_STATE.name, "listener")]
    found = set[str]()
    for name, column in places:
        path = lakehouse.joinpath(*name.split("."))
        for batch in delta.dataset(path).to_batches(columns=[column]) if delta.version(path) is not None else ():
            found.update(batch.column(column).unique().to_pylist())
    return found


def let_in_again(settings: Settings, user_id: str) -> bool:
    """Lift the tombstone, and have the files read again whose rows were left out. The caller holds the lock."""
    is_lifted = tombstones.lift(settings.state_dir, user_id)
    ledger = Ledger(settings.dir)
    known = ledger.files()
    # What no parser has read is read by the next run, if it is still there; else its row stays, as its other rows do.
    unread = [replace(file, parser=None) if file.forgotten else file for file in known]
    if is_lifted and unread != known:
        now = dt.datetime.now(dt.timezone.utc)
        ledger.write_files(unread, _run_id(now), now)
    return is_lifted


def _erase_tables(found: Found, tell: Tell) -> None:
    lakehouse, identity = found.settings.dir, found.identity
    shutil.rmtree(lakehouse / STAGING, ignore_errors=True)
    paths = forget_tables.tables_in(lakehouse)
    if not paths:
        return
    if found.rows:
        tell("models")
        forget_models.remove_models(lakehouse, found.tables)
        _note_forgotten(found, paths)
    spelt = spellings(identity)
    order = sorted(paths, key=lambda path: (_place_in_last(path), path))
    for number, path in enumerate(order, start=1):
        name = forget_tables.name_of(path)
        tell(f"table {number} of {len(order)}: {name}")
        if name == INGESTION_STATE.name:
            _rewrite_files(found)
        forget_tables.delete_rows(path, forget_tables.owned_by(path, identity, spelt, found.own_hashes))
        forget_tables.redact_rows(path, identity)
        forget_tables.purge(path)


def _place_in_last(path: Path) -> int:
    name = forget_tables.name_of(path)
    return LAST.index(name) + 1 if name in LAST else 0


def _note_forgotten(found: Found, paths: Iterable[Path]) -> None:
    """Have the next run build everything whole: earlier versions, which builds compare with, are about to go."""
    ledger, now = Ledger(found.settings.dir), dt.datetime.now(dt.timezone.utc)
    built = {forget_tables.name_of(path) for path in paths}
    last = ledger.last_builds()
    rows = [
        {
            "run_id": _run_id(now),
            "table_name": name,
            "status": FORGOTTEN_BUILD,
            "why": "a listener was forgotten",
            "fingerprint": "",
            "upstreams": "{}",
            "version": build.version,
            "seconds": build.seconds,
            "finished_at": now,
        }
        for name, build in last.items()
        if name in built and name in found.tables and not found.tables[name].is_landing
    ]
    ledger.append(TABLE_BUILDS, rows, _run_id(now), now)


def _rewrite_files(found: Found) -> None:
    """Bring ops.ingestion_state to what is left: no file of the listener's, and of shared ones how many rows are kept out."""
    identity, kept = found.identity, []
    for file in found.known:
        rows = found.files.rows.get(file.file_hash)
        if _is_removed(file, found):
            continue
        listener = FORGOTTEN if identity.is_listener(file.listener) else file.listener
        is_counted = file.status == "ingested"
        forgotten = (file.rows or 0) - rows.others if rows is not None and is_counted else file.forgotten
        kept.append(replace(file, listener=listener, forgotten=forgotten))
    now = dt.datetime.now(dt.timezone.utc)
    if set(kept) != set(found.known):
        Ledger(found.settings.dir).write_files(kept, _run_id(now), now)


def _is_removed(file: LandedFile, found: Found) -> bool:
    """Whether nothing of the file stays, in the lakehouse or in the landing folder; or what is known of it names the listener."""
    rows = found.files.rows.get(file.file_hash)
    if file.file_hash in found.own_hashes and (rows is None or not rows.others):
        return True
    if file.container in found.own_containers or (rows is not None and not rows.others and not _is_left(file, found)):
        return True
    return file.status == "duplicate" and found.identity.is_in(file.reason or "")


def _is_left(file: LandedFile, found: Found) -> bool:
    return forget_files.path_of(found.settings, file.container) in {path for path, _ in found.files.left}


def _own_hashes(known: Iterable[LandedFile], identity: Identity) -> Iterator[str]:
    """Contents in the listener's folders, and lists of theirs elsewhere."""
    from lakehouse.landing.owners import folder_listener

    lists = set(OF_LISTENERS) - {"listening_history"}
    for file in known:
        is_list = file.target in lists and identity.is_listener(file.listener)
        if is_list or identity.is_listener(folder_listener(file.container)):
            yield file.file_hash


def _run_id(now: dt.datetime) -> str:
    """Sortable among the ids of runs."""
    return f"{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
