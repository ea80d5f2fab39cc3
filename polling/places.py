"""Where the files of an account lie in the inbox: INBOX/SOURCE/ACCOUNT/YYYY-MM/, and beside that folder its state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

# Runs pass over names that begin with these.
HIDDEN = (".", "_")


@dataclass(frozen=True)
class AccountPlace:
    """The folder of an account, and its state and lock, which runs pass over as their names begin with _."""

    inbox: Path
    source: str
    account_id: str

    @property
    def folder(self) -> Path:
        """Poll files, in a folder a month."""
        return self.inbox / self.source / self._name

    @property
    def state(self) -> Path:
        """What is known of the account."""
        return self.inbox / self.source / f"_{self._name}.json"

    @property
    def lock(self) -> Path:
        """Held by the one process that polls the account."""
        return self.inbox / self.source / f"_{self._name}.lock"

    @property
    def _name(self) -> str:
        """The account's id as the name of a folder that is not hidden and lies in no other one."""
        name = quote(self.account_id, safe=" ")
        return f"%{ord(name[0]):02X}{name[1:]}" if name.startswith(HIDDEN) else name


def account_of(state: Path) -> tuple[str, str]:
    """Source and account id of a state file, by its place."""
    return state.parent.name, unquote(state.stem.removeprefix("_"))
