"""The service on a free port of the loopback, in a thread, and sockets that speak to it as nobody's browser would."""

from __future__ import annotations

import datetime as dt
import http.client
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import uvicorn

from service.app import create_app
from service.people import People, Person
from service.protocol import TimedProtocol
from service.server import configuration
from service.sessions import cookie_name
from service.settings import ServiceSettings


@dataclass
class Reply:
    """An answer: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookie: str | None = None


@dataclass
class Serving:
    """Use as a context manager. `owner` is the admin `me`, `anna` and `ben` are listeners."""

    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    protocol: type[TimedProtocol] = TimedProtocol

    def __post_init__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        places = {name: self.folder / name for name in ("landing", "dir", "state_dir")}
        self.settings = ServiceSettings(_env_file=None, serve_port=self.port, **places, **self.options)
        self.people = People(self.settings.state_dir)
        self.owner = self.people.add("me", is_admin=True)
        self.anna, self.ben = self.people.add("anna"), self.people.add("ben")
        self.app = create_app(self.settings)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Serving:
        self.server = uvicorn.Server(configuration(self.app, self.protocol))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.server.should_exit = True
        self.thread.join()

    def session(self, person: Person) -> str:
        """The cookie of somebody who has logged in."""
        return self.app.state.sessions.begin(person, dt.datetime.now(dt.timezone.utc))

    def form_token(self, secret: str) -> str:
        """What forms of that session carry."""
        return self.app.state.sessions.find(secret, dt.datetime.now(dt.timezone.utc)).form_token

    def ask(
        self,
        method: str,
        path: str,
        *,
        secret: str | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """A request as a browser sends it from a page of the service; a header that is None is left out."""
        sent: dict[str, str | None] = {"Host": self.host, "Accept": "text/html"}
        if secret is not None:
            sent["Cookie"] = f"{cookie_name(self.port)}={secret}"
        if method != "GET":
            sent |= {"Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin"}
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            body = None if form is None else urlencode(form).encode()
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            cookie = answer.headers.get("set-cookie", "").partition(";")[0].partition("=")[2] or None
            answered = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status, answered, answer.read().decode(), cookie)
        finally:
            connection.close()
