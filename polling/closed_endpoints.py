"""Endpoints that Spotify does not serve to an app, remembered so that they are asked for once only."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

from filelock import FileLock

from polling.answers import PollError
from polling.files import make_folder, write_file

FILE = "spotify_closed.json"


class EndpointClosedError(PollError):
    """The source does not serve an endpoint to this app."""


class ClosedEndpoints:
    """Those of an app, by hash of its id, in `STATE_DIR/spotify_closed.json`: endpoint, when refused. Remove it to ask again."""

    def __init__(self, state_dir: Path, client_id: str) -> None:
        self.path = state_dir / FILE
        # The id itself stays with the tokens.
        self.app = hashlib.sha256(client_id.encode()).hexdigest()[:16]

    def is_closed(self, endpoint: str) -> bool:
        """Whether the endpoint was refused to this app. Raises PollError for a file that cannot be read."""
        return endpoint in self._read().get(self.app, {})

    def close(self, endpoint: str, now: dt.datetime) -> None:
        """Remember a refusal. Raises OSError and PollError."""
        make_folder(self.path.parent)
        with FileLock(self.path.with_name(f".{FILE}.lock"), mode=0o600):
            closed = self._read()
            closed.setdefault(self.app, {})[endpoint] = now.isoformat()
            write_file(self.path, f"{json.dumps(closed, indent=1)}\n".encode())

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            closed = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise PollError(f"{self.path} cannot be read; remove it") from error
        if not isinstance(closed, dict) or not all(isinstance(one, dict) for one in closed.values()):
            raise PollError(f"{self.path} cannot be read; remove it")
        return closed
