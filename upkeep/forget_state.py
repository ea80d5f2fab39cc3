"""What the state folder, the BI stack and its logs hold of a listener: tokens, log-ins, entries of JSON files, lines of logs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from bi import listeners
from bi.secrets import read_env
from bi.settings import BISettings
from lakehouse.declare import Table
from lakehouse.settings import ENV_FILES, LISTENERS, Settings
from lakehouse.storage.tombstones import FOLDER
from polling.account_rows import state_files
from polling.files import FILE_MODE, write_file
from polling.tokens import TokenStore
from upkeep.backup_places import FILE as BACKUPS
from upkeep.forget_files import Place
from upkeep.forget_identity import Identity

LOCK_SECONDS = 60
NAMING_SETTINGS = ("LASTFM_USERS", "LISTENBRAINZ_USERS", "LAKEHOUSE_TIMEZONES", "LAKEHOUSE_USER")
OWNERS = ("user_id", "listener")
"""Fields of an entry of a state file that say whose it is."""


def find_tokens(settings: Settings, identity: Identity) -> list[Path]:
    """The token files of the listener's accounts."""
    folder = settings.state_dir / "tokens"
    stores = [TokenStore(settings.state_dir, path.name) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return [
        store.path(token.account_id) for store in stores for token in store.accounts() if identity.is_listener(token.listener)
    ]


def remove_token(path: Path, state_dir: Path) -> None:
    """Remove a token under its lock, and what stands for the lock. Raises PollError and OSError."""
    store = TokenStore(state_dir, path.parent.name)
    account = next((token.account_id for token in store.accounts() if store.path(token.account_id) == path), None)
    if account is None:
        return
    with store.locked(account):
        path.unlink(missing_ok=True)
    path.with_name(f".{path.name}.lock").unlink(missing_ok=True)


def find_entries(settings: Settings, identity: Identity) -> list[Path]:
    """JSON files of the state folder and of the inbox that name the listener, such as people, tokens of players and notices."""
    places = [*settings.state_dir.rglob("*.json"), *settings.inbox_folder.glob("*/_*.progress")]
    others = {settings.state_dir / FOLDER, settings.state_dir / "tokens", settings.state_dir / BACKUPS}
    own = [path for path in sorted(places) if not others & {path, *path.parents}]
    return [path for path in own if _without(_read(path), identity) != _read(path)]


def names_in(settings: Settings) -> set[str]:
    """Every name that could be a listener's, in the state folder, the inbox and the landing folder."""
    names = {path.name for root in (settings.landing, settings.inbox_folder) for path in (root / LISTENERS).glob("*")}
    names |= {state.listener for _, state in state_files(settings.inbox_folder) if state is not None}
    tokens = settings.state_dir / "tokens"
    for folder in tokens.iterdir() if tokens.is_dir() else []:
        names |= {token.listener for token in TokenStore(settings.state_dir, folder.name).accounts()}
    for path in settings.state_dir.rglob("*.json"):
        names |= set(_texts_in(_read(path)))
    return names


def _texts_in(content: Any) -> Iterator[str]:
    """Keys and values of JSON that are texts."""
    if isinstance(content, Mapping):
        yield from (str(key) for key in content)
    if isinstance(content, (Mapping, list)):
        for value in content.values() if isinstance(content, Mapping) else content:
            yield from _texts_in(value)
    if isinstance(content, str):
        yield content


def remove_entries(path: Path, identity: Identity) -> None:
    """Rewrite the file without the listener's entries, under the lock that its writers take. Raises Timeout and OSError."""
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS, mode=FILE_MODE):
        content = _without(_read(path), identity)
        write_file(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        # Its owner reports what cannot be read.
        return None


def _without(content: Any, identity: Identity) -> Any:
    """The content without entries under the listener's name, without entries that belong to the listener, and without names."""
    if isinstance(content, Mapping):
        kept = {key: value for key, value in content.items() if not _is_own(key, value, identity)}
        return {identity.redacted(key): _without(value, identity) for key, value in kept.items()}
    if isinstance(content, list):
        return [_without(value, identity) for value in content if not _is_own("", value, identity)]
    return identity.redacted(content) if isinstance(content, str) else content


def _is_own(key: str, value: Any, identity: Identity) -> bool:
    if identity.is_listener(key) or any(key == f"{source}/{account}" for source, account in identity.accounts):
        return True
    owners = [value.get(name) for name in OWNERS] if isinstance(value, Mapping) else [value]
    return any(identity.is_listener(owner) for owner in owners)


def find_login(settings: BISettings, identity: Identity) -> Path | None:
    """The file with the listener's log-in to Trino and Superset; None without one. Raises StackError."""
    login = listeners.login_name(identity.user_id)
    return listeners.credentials(settings, login) if listeners.known(settings).get(login) == identity.user_id else None


def remove_login(settings: BISettings, identity: Identity, tables: Mapping[str, Table]) -> None:
    """Take the log-in away; a running Trino knows within seconds. Raises StackError and OSError."""
    from bi.trino.configuration import render_access

    listeners.remove(settings, identity.user_id)
    if settings.credentials.is_file() and (settings.dir / "trino" / "etc").is_dir():
        render_access(settings, tables)


def find_logs(settings: BISettings, identity: Identity) -> list[Path]:
    """Logs of the BI stack that name the listener."""
    return [path for path in _logs(settings.dir) if any(identity.is_in(line) for line in _lines(path))]


def redact_log(path: Path, identity: Identity) -> None:
    """Rewrite a log without lines that name the listener, in place: its writer goes on behind the last line. Raises OSError."""
    kept = [line for line in _lines(path) if not identity.is_in(line)]
    with path.open("r+", encoding="utf-8", errors="surrogateescape", newline="") as log:
        log.writelines(kept)
        log.truncate()


def _logs(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file() and not path.is_symlink() and path.suffix == ".log":
            yield path


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as log:
        return log.readlines()


def left_elsewhere(identity: Identity) -> list[Place]:
    """Settings that name the listener or an account, which only a person can change."""
    environment = {name: value for file in ENV_FILES for name, value in read_env(file).items()} | dict(os.environ)
    return [
        Place("setting", name, "names the listener: take the name out, in the environment or in .env", is_left=True)
        for name, value in sorted(environment.items())
        if name in NAMING_SETTINGS and identity.is_in(value)
    ]
