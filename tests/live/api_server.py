"""The service over a built lakehouse, by a real server on loopback, with people and tokens of every kind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import uvicorn

from service.api_tokens import MCP, READ, SUBMIT, issue
from service.app import create_app
from service.people import People
from service.protocol import TimedProtocol
from service.settings import ServiceSettings

ADMIN, OTHER = "me", "ben"


@dataclass
class Served:
    """A running service, and the tokens of its people."""

    url: str
    state: Path
    root: Path
    landing: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, token: str | None = ADMIN, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        """GET a path of the API, with the token of that name."""
        held = {} if token is None else {"Authorization": f"Bearer {self.tokens.get(token, token)}"}
        return requests.get(f"{self.url}{path}", query, headers=held | (headers or {}), timeout=30)

    def read(self, path: str, token: str = ADMIN, **query: Any) -> dict[str, Any]:
        """The answer to a request that has to go well."""
        answer = self.get(f"/api/v1{path}", token, **query)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@contextmanager
def served(folder: Path, landing: Path, root: Path) -> Iterator[Served]:
    """`me` is an admin, `ben` is not; every listener has a token of each scope."""
    state = folder / "state"
    people = People(state)
    people.add(ADMIN, is_admin=True)
    people.add(OTHER)
    settings = ServiceSettings(landing=landing, dir=root, state_dir=state)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(settings), http=TimedProtocol, ws="none", log_config=None, access_log=False, proxy_headers=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            running = Served(url, state, root, landing)
            for name in (ADMIN, OTHER):
                running.tokens[name] = issue(state, name, READ, "widget")
                running.tokens |= {f"{name}-{scope}": issue(state, name, scope, scope) for scope in (SUBMIT, MCP)}
            yield running
        finally:
            server.should_exit = True
            thread.join(10)
