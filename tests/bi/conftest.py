"""One stack for the whole test run, on free ports, over a small lakehouse of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from bi import listeners
from bi.browser import chromium
from bi.dashboards.client import Superset
from bi.process import StackError
from bi.secrets import read_env
from bi.settings import BISettings
from bi.stack import steps
from bi.trino.client import TrinoError, connect, rows
from lakehouse.settings import PROJECT_ROOT
from tests.bi import small_lakehouse
from tests.bi.pages import Dashboards


@dataclass(frozen=True)
class Stack:
    """A running stack: its settings, the lakehouse that it shows, and ways to ask it."""

    settings: BISettings
    lakehouse: Path
    landing: Path
    environment: dict[str, str]

    def login(self, user: str) -> dict[str, Any]:
        """What `connect` needs to log in as etl, bi, analyst, or a listener's log-in."""
        known = read_env(self.settings.credentials)
        is_listener = user.startswith(listeners.PREFIX)
        own = read_env(listeners.credentials(self.settings, user)) if is_listener else {}
        password = own["TRINO_PASSWORD"] if is_listener else known[f"TRINO_{user.upper()}_PASSWORD"]
        return {"url": known["TRINO_URL"], "certificate": known["TRINO_CA"], "user": user, "password": password}

    def ask(self, user: str, *statements: str) -> list[list[Any]]:
        """Rows of the last statement. Raises TrinoError."""
        return self.ask_as(self.login(user), *statements)

    def ask_as(self, login: dict[str, Any], *statements: str) -> list[list[Any]]:
        """The same with a log-in of `login`."""
        connection = connect(**login, catalog="lakehouse")
        try:
            for statement in statements:
                found = rows(connection, statement)
        finally:
            connection.close()  # type: ignore[no-untyped-call]
        return found

    def refusal(self, user: str, statement: str) -> str:
        """What Trino says to a statement that it refuses, or "" when it does not."""
        try:
            self.ask(user, statement)
        except TrinoError as error:
            return str(error)
        return ""

    def script(self, name: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """A script of the project, in a process of its own, with the stack's settings."""
        command = [sys.executable, str(PROJECT_ROOT / name), *arguments]
        options = {"capture_output": True, "text": True, "timeout": 600, "cwd": self.landing.parent} | more
        return subprocess.run(command, check=False, env=self.environment, **options)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at just now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def environment_of(settings: BISettings) -> dict[str, str]:
    """The environment of a process that is to mean this stack, and nothing else of this machine."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LAKEHOUSE_", "TRINO_"))}
    named = ("dir", "trino_port", "superset_port", "postgres_port", "trino_memory")
    environment |= {f"LAKEHOUSE_BI_{name.upper()}": str(getattr(settings, name)) for name in named}
    if java := os.environ.get("TRINO_JAVA_HOME"):
        environment["TRINO_JAVA_HOME"] = java
    return environment


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole stack over the lakehouse; stopped at the end. Without the programs it skips, and fails under CI=true.

    Who writes tests names a folder in BI_TEST_FOLDER: there the stack is built once, and goes on running.
    """
    kept = os.environ.get("BI_TEST_FOLDER")
    # A short path, for Postgres' socket, which every user may pass through.
    folder = Path(kept or tempfile.mkdtemp(prefix="bi-test-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    settings = settings_in(folder)
    if problems := [problem for step in steps(settings, folder) for problem in step.problems()]:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail("\n".join(problems))
        pytest.skip("; ".join(problems))
    lakehouse = folder / "lakehouse"
    if not lakehouse.is_dir():
        small_lakehouse.build(folder)
    running = Stack(settings, lakehouse, folder / "landing", environment_of(settings))
    try:
        began = running.script("scripts/bi.py", "up", "--lakehouse", str(lakehouse))
        assert began.returncode == 0, began.stdout + began.stderr
        yield running
    finally:
        if not kept:
            assert processes_of(folder), "a stack that is up has processes"
            ended = running.script("scripts/bi.py", "down")
            left = processes_of(folder)
            shutil.rmtree(folder)
            assert ended.returncode == 0, ended.stdout + ended.stderr
            assert not left, "what `bi.py down` leaves"


def processes_of(folder: Path) -> list[str]:
    """The commands of all processes that have something in the folder to do."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            told = [*process.cmdline(), *process.environ().values()]
            if any(str(folder) in text for text in told):
                found.append(" ".join(process.cmdline()))
    return found


def settings_in(folder: Path) -> BISettings:
    """The settings of the stack in the folder; a new one gets free ports."""
    ports = folder / "ports.json"
    if not ports.is_file():
        ports.write_text(json.dumps(dict(zip(("trino_port", "superset_port", "postgres_port"), free_ports(3), strict=True))))
    return BISettings(dir=folder / "bi", trino_memory="1G", **json.loads(ports.read_text()))


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Iterator[Superset]:
    """Superset's REST interface, for the administrator; one log-in, as there are ten a minute."""
    known = read_env(stack.settings.credentials)
    with Superset(known["SUPERSET_URL"], "admin", known["SUPERSET_ADMIN_PASSWORD"]) as superset:
        yield superset


@pytest.fixture(scope="session")
def dashboards(stack: Stack, admin: Superset) -> Iterator[Dashboards]:
    """A browser with the listener logged in. Without Chromium it skips, and fails under CI=true."""
    try:
        with chromium() as browser:
            known = read_env(stack.settings.credentials)
            yield Dashboards(browser, known["SUPERSET_URL"], known["SUPERSET_LISTENER_PASSWORD"], admin)
    except StackError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
