"""The stack of docker-compose.yml on a real engine, from a clone that only its owner can read, over root's landing folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bi.trino.client import connect, rows
from lakehouse.settings import PROJECT_ROOT
from scripts import container_engine
from scripts.container_engine import Engine, EngineError, checked

MEMORY_BYTES = 8 * 2**30
# With the images that have to be built.
UP_SECONDS, COMMAND_SECONDS = 5400, 1800
SETTLE_SECONDS = 180
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class Stack:
    """The project on its engine; `folder` is its clone, `landing` the folder that it reads."""

    engine: Engine
    folder: Path
    landing: Path
    environment: dict[str, str]
    seconds: dict[str, float]

    def compose(self, *words: str, seconds: float = COMMAND_SECONDS) -> str:
        """Run `docker compose` in the clone; its output. Raises EngineError."""
        files = ["--file=docker-compose.yml", f"--file={self.folder.parent / 'here.json'}"]
        return checked([*self.engine.compose, *files, *words], seconds, environment=self.environment, folder=self.folder)

    def run(self, *words: str) -> str:
        """Run a command as a person does."""
        return self.compose("run", "--rm", "-T", "pipeline", *words)

    def up(self, name: str) -> None:
        """`docker compose up -d`, and wait for what it starts last; the seconds are kept under the name."""
        began = time.monotonic()
        self.compose("up", "--detach", seconds=UP_SECONDS)
        self.engine("wait", self.container("dashboards"), seconds=COMMAND_SECONDS)
        self.seconds[name] = time.monotonic() - began
        container_engine.say(f"{name}: {self.seconds[name]:.0f} s")

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).split()[-1]

    def services(self) -> dict[str, dict[str, Any]]:
        """What Compose says of every container, by service."""
        listed = [json.loads(line) for line in self.compose("ps", "--all", "--format=json").splitlines() if line.startswith("{")]
        return {one["Service"]: one for one in listed}

    def settled(self) -> dict[str, dict[str, Any]]:
        """The same once every health check has said something."""
        until, found = time.monotonic() + SETTLE_SECONDS, self.services()
        while any(one["Health"] == "starting" for one in found.values()) and time.monotonic() < until:
            time.sleep(2)
            found = self.services()
        return found

    def inspected(self, service: str) -> dict[str, Any]:
        """What the engine says of a service's container."""
        [found] = json.loads(self.engine("inspect", self.container(service)))
        return dict(found)

    def credentials(self) -> dict[str, str]:
        """The generated log-ins."""
        lines = self.compose("exec", "-T", "serve", "cat", "/bi/credentials.env").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def ask(self, sql: str, user: str = "analyst") -> list[list[Any]]:
        """Rows of a statement, from Trino's port on this machine."""
        certificate = self.folder.parent / "ca.pem"
        self.compose("cp", "trino:/bi/ca.pem", str(certificate))
        url = f"https://localhost:{self.environment['LAKEHOUSE_BI_TRINO_PORT']}"
        password = self.credentials()[f"TRINO_{user.upper()}_PASSWORD"]
        connection = connect(url, str(certificate), user, password, "lakehouse")
        try:
            return rows(connection, sql)
        finally:
            connection.close()  # type: ignore[no-untyped-call]

    def address(self, setting: str) -> str:
        """The address of a server on this machine, by the setting of its port."""
        return f"http://127.0.0.1:{self.environment[setting]}"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A container engine. Where there can be none the tests skip visibly, and fail under CI=true."""
    found = container_engine.problems()
    if found:
        problem = "; ".join(found)
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    engine = container_engine.start(memory_bytes=MEMORY_BYTES)
    try:
        container_engine.provide_images(engine)
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack, up over an empty landing folder; taken down with all it stored at the end."""
    place = tmp_path_factory.mktemp("compose")
    landing = place / "landing"
    landing.mkdir()
    landing.chmod(0o755)
    (place / "here.json").write_text(json.dumps(_here(engine)))
    environment = engine.environment | {
        "COMPOSE_PROJECT_NAME": "listening-test",
        "COMPOSE_BAKE": "false",
        "LAKEHOUSE_LANDING": str(landing),
        **{name: str(_free_port()) for name in ("LAKEHOUSE_BI_TRINO_PORT", "LAKEHOUSE_BI_SUPERSET_PORT", "LAKEHOUSE_SERVE_PORT")},
    }
    stack = Stack(engine, _clone(place / "clone"), landing, environment, {})
    try:
        stack.compose("build", "--quiet", seconds=UP_SECONDS)
        stack.up("up with the demo")
        yield stack
    except EngineError:
        container_engine.say(stack.compose("logs", "--tail=40"))
        raise
    finally:
        stack.compose("down", "--volumes", "--remove-orphans")


def _clone(folder: Path) -> Path:
    """The files of this working tree as a clone under umask 077 has them."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        source, target = PROJECT_ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o700 if os.access(source, os.X_OK) else 0o600)
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o700)
    folder.chmod(0o700)
    return folder


def _here(engine: Engine) -> dict[str, Any]:
    """What the build needs on this machine: its base images, its network, and the certificates of that."""
    build: dict[str, Any] = {"network": "host", "args": engine.arguments}
    if CERTIFICATES.is_file():
        build["secrets"] = ["certificates"]
    services = {name: {"build": build} for name in ("first-run", "postgres", "trino", "superset-init")}
    return {"services": services, "secrets": {"certificates": {"file": str(CERTIFICATES)}}}


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
