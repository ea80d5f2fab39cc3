"""A lakehouse of its own with accounts at all services, and the commands that people type, in processes of their own."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehouse.settings import PROJECT_ROOT
from polling.places import AccountPlace
from polling.tokens import Token, TokenStore
from tests.live.services import Services
from tests.polling.server import Listen
from tests.polling.spotify_server import SCOPE

CLIENT_ID = "planted-client-id-0011223344"
UTC = dt.timezone.utc
# As `lakehouse`, with all that any library logs.
LOUD = (
    "import logging, sys; logging.basicConfig(level=logging.DEBUG); from lakehouse.cli.main import main; "
    "from run_pipeline import PRODUCT; sys.exit(main(PRODUCT, sys.argv[1:]))"
)


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def accounts(self) -> dict[str, dict[str, Any]]:
        """Of `poll --json`: what came of the poll, by source."""
        return {one["source"]: one for one in json.loads(self.out)["accounts"]}


@dataclass
class Live:
    """Folders, and settings that lead to the server of the tests."""

    folder: Path
    server: Services
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.landing, self.root, self.state = (self.folder / name for name in ("landing", "lakehouse", "state"))
        self.landing.mkdir()
        (self.folder / "home").mkdir()
        self.settings |= self.server.settings() | {"CLIENT_ID": CLIENT_ID, "LAKEHOUSE_STATE_DIR": str(self.state)}

    @property
    def inbox(self) -> Path:
        return self.landing / "_api"

    def spotify(self, account_id: str, *plays: Any, listener: str = "anna", is_expired: bool = False) -> Token:
        """Connect an account at Spotify with these plays, newest first."""
        self.server.add(account_id, *plays)
        granted, now = self.server.grant(account_id, CLIENT_ID), dt.datetime.now(UTC)
        expires_at = now + dt.timedelta(minutes=-1 if is_expired else 50)
        names = {"source": "spotify_api", "account_id": account_id, "listener": listener, "name": "Vega", "client_id": CLIENT_ID}
        tokens = {name: granted[name] for name in ("access_token", "refresh_token")}
        token = Token(**names, **tokens, scope=SCOPE, expires_at=expires_at, consented_at=now)
        TokenStore(self.state, "spotify_api").write(token)
        return token

    def scrobblers(self, **listens: list[Listen]) -> None:
        """Accounts of `anna` at Last.fm (`lastfm`) and ListenBrainz (`listenbrainz`)."""
        for service, history in listens.items():
            getattr(self.server.music, service)[f"{service}-anna"] = history
            self.settings[f"{service.upper()}_USERS"] = json.dumps({"anna": f"{service}-anna"})

    def start(self, *words: str, is_loud: bool = False) -> subprocess.Popen[str]:
        """A command as a person types it after `lakehouse`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
        environment = {**kept, "ALLOW_SYNTHETIC": "false", "PYTHONPATH": str(PROJECT_ROOT), **self.settings}
        program = ["-c", LOUD] if is_loud else [str(PROJECT_ROOT / "run_pipeline.py")]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, *program, *words], env=environment, cwd=self.folder / "home", **pipes)

    def say(self, *words: str, is_loud: bool = False) -> Said:
        """A command, until it ends."""
        process = self.start(*words, is_loud=is_loud)
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        return Said(process.returncode, out, err)

    def poll(self, *options: str) -> Said:
        return self.say("poll", "--landing", str(self.landing), "--json", *options)

    def build(self, *tables: str) -> None:
        """Build tables with the embedded engine; it has to go well."""
        only = [word for table in tables or ("silver.plays",) for word in ("--only", table)]
        said = self.say("run", "--landing", str(self.landing), "--lakehouse", str(self.root), "--engine", "embedded", *only)
        assert said.code == 0, said.err

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a table."""
        every = DeltaTable(self.root.joinpath(*table.split("."))).to_pyarrow_table().to_pylist()
        return [row for row in every if all(row[name] == value for name, value in where.items())]

    def state_of(self, source: str, account_id: str) -> dict[str, Any]:
        """The stored state of an account."""
        document: dict[str, Any] = json.loads(AccountPlace(self.inbox, source, account_id).state.read_text())
        return document


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with Services() as server:
        yield Live(tmp_path, server)
