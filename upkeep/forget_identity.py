"""Under which names a listener stands anywhere: the user_id, the accounts at live sources, and the ways to write these."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from bi.listeners import login_name
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.tombstones import FORGOTTEN
from polling.account_rows import state_files
from polling.places import account_of
from polling.tokens import TokenStore

# Tables that name the accounts of listeners.
ACCOUNT_TABLES = ("poll_state", "gaps")


@dataclass(frozen=True)
class Identity:
    """A listener, and every account that is theirs: source and id at the source."""

    user_id: str
    accounts: frozenset[tuple[str, str]] = frozenset()
    account_names: frozenset[str] = frozenset()
    """as their owners see them, such as a display name"""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every text that stands for the listener, the longest first."""
        plain = {self.user_id, login_name(self.user_id), *self.account_names, *(account for _, account in self.accounts)}
        written = {form for name in plain if name.strip() for form in _forms(name)}
        return tuple(sorted(written, key=lambda name: (-len(name), name)))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # A name within a longer word is another word.
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, self.names))})(?!\w)", re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        """Whether the text names the listener."""
        return self._pattern.search(text) is not None

    def redacted(self, text: str) -> str:
        """The text with FORGOTTEN in place of the listener's names."""
        return self._pattern.sub(FORGOTTEN, text)

    def is_listener(self, name: object) -> bool:
        """Whether this is the listener's id, in any Unicode form."""
        return isinstance(name, str) and unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", self.user_id)


def _forms(name: str) -> set[str]:
    """A name as tables, paths, addresses and JSON have it."""
    forms = {name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)}
    forms |= {quote(form, safe=safe) for form in forms for safe in ("", " ")}
    forms |= {form.replace("'", "''") for form in forms}
    return forms | {json.dumps(form)[1:-1] for form in forms}


def identity_of(settings: Settings, user_id: str) -> Identity:
    """Everything that the state folder, the inbox and the lakehouse know the listener by. Raises OSError."""
    accounts, names = set[tuple[str, str]](), set[str]()
    tokens = settings.state_dir / "tokens"
    for folder in sorted(tokens.iterdir()) if tokens.is_dir() else []:
        for token in TokenStore(settings.state_dir, folder.name).accounts() if folder.is_dir() else []:
            if token.listener == user_id:
                accounts.add((token.source, token.account_id))
                names.add(token.name)
    accounts |= set(_of_inbox(settings.inbox_folder, user_id))
    for table in ACCOUNT_TABLES:
        rows = delta.read_rows(settings.dir / "ops" / table, ["source", "account_id", "user_id"])
        accounts |= {(row["source"], row["account_id"]) for row in rows if row["user_id"] == user_id}
    return Identity(user_id, frozenset(accounts), frozenset(names))


def _of_inbox(inbox: Path, user_id: str) -> Iterable[tuple[str, str]]:
    for path, state in state_files(inbox) if inbox.is_dir() else []:
        if state is not None and state.listener == user_id:
            yield account_of(path)
