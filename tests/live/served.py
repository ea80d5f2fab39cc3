"""The service in a process of its own, over folders of its own, and people who have logged in to it as a browser would."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import requests
from filelock import FileLock

from lakehouse.settings import PROJECT_ROOT

LINK = re.compile(r"http://\S+/enter\?key=\S+")
FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Browser:
    """Somebody's browser, with the cookie of their log-in."""

    base: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers.update({"Accept": "text/html"})
        self.session.trust_env = False

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.base + path, timeout=60, **options)

    def token(self, path: str = "/history") -> str:
        """The form token of a page."""
        found = FORM_TOKEN.search(self.get(path).text)
        assert found is not None
        return found[1]

    def post(self, path: str, fields: Mapping[str, str] | None = None, **options: Any) -> requests.Response:
        """A form of a page, as the browser sends it."""
        data = {"form_token": self.token(), **(fields or {})}
        headers = {"Origin": self.base, **options.pop("headers", {})}
        return self.session.post(self.base + path, data=data, headers=headers, timeout=60, **options)

    def put(self, path: str, content: Any, **options: Any) -> requests.Response:
        """A body, as the script of a page sends it."""
        headers = {"Origin": self.base, "X-Form-Token": self.token(), "Accept": "application/json", **options.pop("headers", {})}
        return self.session.put(self.base + path, data=content, headers=headers, timeout=120, **options)


class Served:
    """A service that was started with `lakehouse serve`; its owner is the listener `me`, who is its admin."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.landing, self.root, self.inbox, self.state = (folder / name for name in ("landing", "lakehouse", "inbox", "state"))
        self.landing.mkdir(exist_ok=True)
        (folder / "home").mkdir(exist_ok=True)
        places = {
            "LANDING": self.landing,
            "DIR": self.root,
            "INBOX": self.inbox,
            "STATE_DIR": self.state,
            "BI_DIR": folder / "bi",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
        self.settings = {f"LAKEHOUSE_{name}": str(path) for name, path in places.items()} | {
            "LAKEHOUSE_SERVE_PORT": str(self.port),
            "LAKEHOUSE_ENGINE": "embedded",
            "PYTHONPATH": str(PROJECT_ROOT),
            **(settings or {}),
        }
        self.environment = {**kept, **self.settings}

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Served:
        self.log = (self.folder / "log").open("wb")
        words = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "serve"]
        self.process = subprocess.Popen(words, env=self.environment, cwd=self.folder / "home", stderr=self.log, stdout=self.log)
        end = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{self.base}/login", timeout=5)
                return self
            except requests.ConnectionError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end
                time.sleep(0.05)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.terminate()
        self.process.wait(20)
        for child in children:
            if child.is_running():
                child.kill()
        self.log.close()

    def say(self, *words: str) -> str:
        """What a command prints."""
        command = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), *words]
        said = subprocess.run(command, env=self.environment, cwd=self.folder / "home", capture_output=True, text=True, check=True)
        return said.stdout

    def enter(self, listener: str | None = None) -> Browser:
        """Somebody who has followed their link; None: the owner."""
        found = LINK.search(self.say("link", *([] if listener is None else ["--user", listener])))
        assert found is not None
        browser, key = Browser(self.base), found[0].partition("key=")[2]
        answer = browser.session.post(f"{self.base}/enter", data={"key": key}, headers={"Origin": self.base}, timeout=30)
        assert answer.status_code == 200, answer.text
        return browser

    def brought(self) -> list[str]:
        """The files that runs read, by their place in the inbox."""
        every = (path.relative_to(self.inbox) for path in self.inbox.rglob("*") if path.is_file())
        return sorted(path.as_posix() for path in every if not any(part.startswith("_") for part in path.parts))

    def parts(self) -> list[Path]:
        """Files of uploads that are not whole."""
        return sorted((self.inbox / "_part").glob("*")) if (self.inbox / "_part").is_dir() else []

    def hold_lock(self) -> None:
        """Be the run that is under way, so that no other one begins."""
        self.root.mkdir(exist_ok=True)
        self._lock = FileLock(self.root / "_lock")
        self._lock.acquire(timeout=10)
