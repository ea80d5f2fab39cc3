"""The tokens of connected accounts: one private file each, with the time of the account holder's consent.

`STATE_DIR/tokens/SOURCE/ACCOUNT.json`, named by the account's immutable id. Every change is made under a lock of the account's
own, as two processes that renew one token at the same time would each void the other's.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from filelock import FileLock, Timeout

from music.consent import command_for, consent_end, ending_notice
from polling.answers import PollError
from polling.files import make_folder, write_file

LOCK_SECONDS = 60


@dataclass(frozen=True)
class Token:
    """The token of one account. Times are UTC."""

    source: str
    account_id: str
    listener: str
    name: str
    """the account's name as people see it; only for the person who connects it, never for a log or a table"""
    client_id: str
    """the application that the consent was given to: its refresh token is worth nothing to another"""
    scope: str
    refresh_token: str = field(repr=False)
    access_token: str = field(repr=False)
    expires_at: dt.datetime
    """of the access token, by this machine's clock"""
    consented_at: dt.datetime
    """by the server's clock"""
    refused_at: dt.datetime | None = None
    """when the source last refused the refresh token; None: not refused"""
    refusals: int = 0
    """refusals in a row"""

    @property
    def account(self) -> str:
        """The account as messages name it."""
        return f"account {self.account_id} (listener {self.listener})"

    @property
    def consent_ends(self) -> dt.datetime:
        """When the consent ends."""
        return consent_end(self.consented_at)

    def refused(self, now: dt.datetime) -> Token:
        """The token after one more refusal."""
        return replace(self, refused_at=now, refusals=self.refusals + 1)

    def renewed(self, answer: Mapping[str, Any], now: dt.datetime) -> Token:
        """The token after a refresh: what the answer leaves out stays. Raises PollError for an answer without a usable token."""
        access, valid = answer.get("access_token"), lifetime(answer.get("expires_in"))
        if not isinstance(access, str) or not access or valid is None:
            raise PollError(f"{self.account}: the source's answer holds no usable access token; the next poll tries again")
        refresh, scope = answer.get("refresh_token"), answer.get("scope")
        return replace(
            self,
            access_token=access,
            expires_at=now + valid,
            refresh_token=refresh if isinstance(refresh, str) and refresh else self.refresh_token,
            scope=scope if isinstance(scope, str) and scope else self.scope,
            refused_at=None,
            refusals=0,
        )


def lifetime(expires_in: Any) -> dt.timedelta | None:
    """How long a token lives, from the seconds that its answer states; None for anything but a number up to a year."""
    is_number = isinstance(expires_in, (int, float)) and not isinstance(expires_in, bool)
    return dt.timedelta(seconds=expires_in) if is_number and 0 < expires_in < 366 * 86_400 else None


def consent_notice(token: Token, now: dt.datetime) -> str | None:
    """What a person should be told about the end of consent; None up to 30 days before it.

    One line, with the account, the day and the command that renews the consent: for status, metrics and logs.
    """
    if token.refused_at is not None:
        remedy = f"renew it with `{command_for(token.source, token.listener)}`"
        return f"{token.account}: the source refuses the stored consent since {token.refused_at:%Y-%m-%d}; {remedy}"
    notice = ending_notice(token.source, token.listener, token.consent_ends, now)
    return None if notice is None else f"{token.account}: {notice}"


class TokenStore:
    """The tokens of one source."""

    def __init__(self, state_dir: Path, source: str) -> None:
        self.source, self.folder = source, state_dir / "tokens" / source

    def path(self, account_id: str) -> Path:
        """The account's file. The id comes from outside: no part of it can leave the folder or hide the file."""
        name = quote(account_id, safe="")
        if not name or len(name) > 200:
            raise PollError(f"{account_id[:40]!r} cannot be the id of an account")
        return self.folder / f"{'%2E' + name[1:] if name.startswith('.') else name}.json"

    def accounts(self) -> list[Token]:
        """All tokens that can be read, by account id."""
        return [token for _, token in self._read_all() if isinstance(token, Token)]

    def unreadable(self) -> dict[str, PollError]:
        """What is wrong with the other files, by account id."""
        return {unquote(path.stem): error for path, error in self._read_all() if isinstance(error, PollError)}

    def _read_all(self) -> Iterator[tuple[Path, Token | PollError | None]]:
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else []:
            if not path.name.startswith("."):
                try:
                    yield path, _read(path)
                except PollError as error:
                    yield path, error

    def read(self, account_id: str) -> Token | None:
        """The account's token; None if it is not connected. Raises PollError for a file that cannot be read."""
        token = _read(self.path(account_id))
        if token is not None and token.account_id != account_id:
            raise PollError(f"{self.path(account_id)} belongs to another account; remove it and connect again")
        return token

    def write(self, token: Token) -> None:
        """Replace the account's file at once. Raises OSError; the old token then stays."""
        path = self.path(token.account_id)
        make_folder(path.parent)
        write_file(path, f"{json.dumps(_as_json(token), indent=1)}\n".encode())

    @contextmanager
    def locked(self, account_id: str) -> Iterator[None]:
        """Hold the account's lock. Raises PollError when another process holds it for a minute."""
        path = self.path(account_id)
        make_folder(path.parent)
        try:
            with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS, mode=0o600):
                yield
        except Timeout as error:
            raise PollError(f"another process holds the token of account {account_id}; the next poll tries again") from error


def _as_json(token: Token) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in asdict(token).items()}


def _read(path: Path) -> Token | None:
    try:
        content = json.loads(path.read_bytes())
        known = {one.name for one in fields(Token)}
        values = {name: value for name, value in content.items() if name in known}
        for name in ("expires_at", "consented_at", "refused_at"):
            if values.get(name) is not None:
                values[name] = dt.datetime.fromisoformat(values[name]).astimezone(dt.timezone.utc)
        return Token(**values)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise PollError(f"{path} cannot be read; remove it and connect the account again") from error
