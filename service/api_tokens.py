"""The tokens of players, scripts and assistants: one listener and one scope each, shown once and stored as a hash.

`STATE_DIR/api_tokens.json` holds them all; a change is made under a lock and replaces the file at once. The day of a token's last
use lies in a small file of its own, which is written once a day, so that no request rewrites the list.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock

from filelock import FileLock, Timeout

from polling.files import FILE_MODE, make_folder, write_file

SUBMIT, READ, MCP = "submit", "read", "mcp"
SCOPES = (SUBMIT, READ, MCP)

FILE, USES = "api_tokens.json", "api_token_uses"
FORMAT = 1
LOCK_SECONDS = 10
MOST_TOKENS, MOST_LABEL = 50, 100
"""tokens of one listener; characters of a label"""
LONGEST_TOKEN = 128
"""a presented one that is longer is none of ours: ours have 43 characters"""

_logger = logging.getLogger(__name__)


class TokensError(Exception):
    """Tokens that cannot be read, changed or issued; the message says why and what to do."""


class TooManyGuessesError(Exception):
    """An address that presented too many wrong tokens. `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many wrong tokens; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Granted:
    """What a token lets its holder do."""

    user_id: str
    scope: str
    token_id: str


@dataclass(frozen=True)
class Listed:
    """A token as its owner sees it, without what would let anybody use it. Days are UTC."""

    token_id: str
    scope: str
    label: str
    created: dt.date
    last_used: dt.date | None


@dataclass(frozen=True)
class _Stored:
    user_id: str
    scope: str
    label: str
    created: str
    digest: str = field(repr=False)


def issue(state_dir: Path, user_id: str, scope: str, label: str) -> str:
    """A new token of the listener, which nobody can see again. Raises TokensError; ValueError for what is no scope or label."""
    label = label.strip()
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is no scope; scopes are {', '.join(SCOPES)}")
    if not user_id or len(label) > MOST_LABEL or not label.isprintable():
        raise ValueError(f"a label is one line of at most {MOST_LABEL} characters")
    token = secrets.token_urlsafe(32)
    digest = _digest(token)
    with _changed(state_dir) as stored:
        if sum(one.user_id == user_id for one in stored.values()) >= MOST_TOKENS:
            raise TokensError(f"a listener has at most {MOST_TOKENS} tokens; revoke one that is no longer used")
        stored[_id(digest)] = _Stored(user_id, scope, label, _today().isoformat(), digest)
    return token


def checked(state_dir: Path, token: str, client: str | None = None) -> Granted | None:
    """What the token grants; None for a wrong one. Raises TokensError for a file that cannot be read.

    With `client`, the address that presents it, guessing is slowed down: raises TooManyGuessesError without a look at the token
    while that address has presented too many wrong ones. Tokens that it presented well before are exempt, so that a stranger
    behind the same address keeps nobody's player out.
    """
    digest = _digest(token) if len(token) <= LONGEST_TOKEN else ""
    token_id = _id(digest)
    if client is not None:
        _guesses.admit(client, digest)
    stored = _read(state_dir / FILE).get(token_id)
    if stored is None or not hmac.compare_digest(stored.digest, digest):
        if client is not None:
            _guesses.count(client)
        return None
    if client is not None:
        _guesses.remember(client, digest)
    _note_use(state_dir, token_id)
    return Granted(stored.user_id, stored.scope, token_id)


def listed(state_dir: Path, user_id: str) -> list[Listed]:
    """The listener's tokens, oldest first. Raises TokensError."""
    tokens = [
        Listed(token_id, one.scope, one.label, dt.date.fromisoformat(one.created), _last_use(state_dir, token_id))
        for token_id, one in _read(state_dir / FILE).items()
        if one.user_id == user_id
    ]
    return sorted(tokens, key=lambda one: (one.created, one.token_id))


def revoke(state_dir: Path, user_id: str, token_id: str) -> bool:
    """Revoke one of the listener's tokens; False if the listener has no such token. Raises TokensError."""
    with _changed(state_dir) as stored:
        if token_id not in stored or stored[token_id].user_id != user_id:
            return False
        del stored[token_id]
    _use_file(state_dir, token_id).unlink(missing_ok=True)
    return True


def revoke_all(state_dir: Path, user_id: str) -> int:
    """Revoke all tokens of the listener; returns how many there were. Raises TokensError."""
    with _changed(state_dir) as stored:
        revoked = [token_id for token_id, one in stored.items() if one.user_id == user_id]
        for token_id in revoked:
            del stored[token_id]
    for token_id in revoked:
        _use_file(state_dir, token_id).unlink(missing_ok=True)
    return len(revoked)


class _Guesses:
    """Wrong tokens by address: after MOST in WINDOW seconds, the address waits until the first of them is that old."""

    MOST, WINDOW, ADDRESSES, ACCEPTED = 10, 60.0, 10_000, 10_000

    def __init__(self) -> None:
        self._wrong = OrderedDict[str, deque[float]]()
        self._accepted = OrderedDict[tuple[str, str], None]()
        self._lock = Lock()

    def admit(self, client: str, digest: str) -> None:
        """Raises TooManyGuessesError for an address that has to wait."""
        with self._lock:
            times = self._wrong.get(client)
            if times is None or len(times) < self.MOST or (client, digest) in self._accepted:
                return
            wait = times[0] + self.WINDOW - time.monotonic()
        if wait > 0:
            raise TooManyGuessesError(int(wait) + 1)

    def count(self, client: str) -> None:
        with self._lock:
            self._wrong.setdefault(client, deque(maxlen=self.MOST)).append(time.monotonic())
            self._wrong.move_to_end(client)
            while len(self._wrong) > self.ADDRESSES:
                self._wrong.popitem(last=False)

    def remember(self, client: str, digest: str) -> None:
        with self._lock:
            self._accepted[client, digest] = None
            self._accepted.move_to_end((client, digest))
            while len(self._accepted) > self.ACCEPTED:
                self._accepted.popitem(last=False)


_guesses = _Guesses()
# The content of files that have not changed since they were read, and the day on which a use was last noted.
_cached: dict[Path, tuple[tuple[int, int, int], Mapping[str, _Stored]]] = {}
_noted: dict[Path, dt.date] = {}


def _digest(token: str) -> str:
    """No salt and no slow hash: a token has 256 random bits, so that no table and no search finds it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _id(digest: str) -> str:
    """A token is found by the first 64 bits of its hash, which say nothing of the token, and compared by all of it."""
    return digest[:16]


def _today() -> dt.date:
    return dt.datetime.now(dt.timezone.utc).date()


def _read(path: Path) -> Mapping[str, _Stored]:
    try:
        stat = path.stat()
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if path not in _cached or _cached[path][0] != stamp:
            _cached[path] = stamp, _parsed(path)
        return _cached[path][1]
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TokensError(f"{path} cannot be read ({error.strerror}): make it readable for the owner of the service") from error


def _parsed(path: Path) -> Mapping[str, _Stored]:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        return {token_id: _Stored(**one) for token_id, one in document["tokens"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TokensError(f"{path} cannot be read: restore it from a backup, or remove it and issue new tokens") from error


@contextmanager
def _changed(state_dir: Path) -> Iterator[dict[str, _Stored]]:
    """The tokens, to be changed under the lock, and written if they were."""
    path = state_dir / FILE
    make_folder(state_dir)
    try:
        with FileLock(path.with_name(f".{FILE}.lock"), timeout=LOCK_SECONDS, mode=FILE_MODE):
            # Not what was cached: files that replace each other within a tick of the clock look alike.
            before = _parsed(path) if path.exists() else {}
            stored = dict(before)
            yield stored
            if stored != before:
                document = {"format": FORMAT, "tokens": {token_id: asdict(one) for token_id, one in stored.items()}}
                write_file(path, f"{json.dumps(document, indent=1)}\n".encode())
    except Timeout as error:
        raise TokensError(f"another process holds the lock of {path}; try again") from error


def _use_file(state_dir: Path, token_id: str) -> Path:
    return state_dir / USES / token_id


def _last_use(state_dir: Path, token_id: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(_use_file(state_dir, token_id).read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return None


def _note_use(state_dir: Path, token_id: str) -> None:
    """A full disk keeps nobody from reading: the day is only for the owner to see which tokens are unused."""
    path, today = _use_file(state_dir, token_id), _today()
    if _noted.get(path) == today:
        return
    _noted[path] = today
    try:
        make_folder(path.parent)
        write_file(path, today.isoformat().encode())
    except OSError as error:
        _logger.warning("the day on which token %s was last used is not noted: %s", token_id, error.strerror)
