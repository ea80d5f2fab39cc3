"""The stack as a list of steps, each of which can be brought up, taken down and asked how it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bi import secrets
from bi.postgres.server import Postgres
from bi.process import StackError, port_problem
from bi.settings import BISettings
from bi.superset.steps import DashboardsStep, SupersetStep
from bi.trino.client import TrinoError
from bi.trino.configuration import Place, render
from bi.trino.registration import Registration, access_for
from bi.trino.server import TrinoServer
from lakehouse.declare import Table
from lakehouse.plan import graph

# Each needs those before it.
PARTS = ("trino", "superset")


class Step(Protocol):
    """A part of the stack. `part` is what `--only` names: a step without one belongs to every part."""

    name: str
    part: str | None

    def problems(self) -> list[str]:
        """What keeps it from coming up here, each with its remedy; looked at before anything is installed or starts."""

    def not_installed(self) -> list[str]:
        """What `scripts/setup.py --bi` has not installed yet, or not whole."""

    def up(self) -> str:
        """Bring it up, unless it is; returns what was done, for a person. Raises StackError."""

    def down(self) -> bool | None:
        """Take it down; whether it was up, None for what is no server."""

    def status(self) -> str:
        """How it is, in a few words."""


class PostgresStep:
    """The server with Superset's and the analysts' databases."""

    name: str = "Postgres"
    part: str | None = None

    def __init__(self, settings: BISettings) -> None:
        self.settings, self.postgres = settings, Postgres(settings)

    def problems(self) -> list[str]:
        is_up = self.postgres.server.process() is not None
        return self.postgres.problems() + ([] if is_up else port_problem("Postgres", self.settings.postgres_port, "POSTGRES"))

    def not_installed(self) -> list[str]:
        return []

    def up(self) -> str:
        before = self.postgres.server.process()
        self.postgres.start()
        if before is None:
            return "started"
        return "already running" if self.postgres.server.process() == before else "restarted with its new configuration"

    def down(self) -> bool:
        return self.postgres.server.stop()

    def status(self) -> str:
        if self.postgres.server.process() is None:
            return "down"
        return "up" if self.postgres.is_ready() else "does not answer"


class TrinoStep:
    """Trino, with its configuration and rules of access as the declarations give them."""

    name: str = "Trino"
    part: str | None = "trino"

    def __init__(self, settings: BISettings, tables: dict[str, Table]) -> None:
        self.settings, self.tables, self.trino = settings, tables, TrinoServer(settings)

    def problems(self) -> list[str]:
        is_up = self.trino.server.process() is not None
        return self.trino.problems() + ([] if is_up else port_problem("Trino", self.settings.trino_port, "TRINO"))

    def not_installed(self) -> list[str]:
        return self.trino.not_installed()

    def up(self) -> str:
        was_up = self.trino.server.process() is not None
        render(self.settings, Place.native(self.settings), self.tables)
        if not self.trino.start():
            return "already running"
        return "restarted with its new configuration" if was_up else "started"

    def down(self) -> bool:
        return self.trino.server.stop()

    def status(self) -> str:
        if self.trino.server.process() is None:
            return "down"
        return f"up at https://localhost:{self.settings.trino_port}" if self.trino.is_ready() else "does not answer"


class TablesStep:
    """The lakehouse's tables, registered in Trino."""

    name: str = "Tables"
    part: str | None = "trino"

    def __init__(self, settings: BISettings, lakehouse: Path, tables: dict[str, Table]) -> None:
        self.settings, self.lakehouse, self.tables = settings, lakehouse, tables

    def problems(self) -> list[str]:
        return []

    def not_installed(self) -> list[str]:
        return []

    def up(self) -> str:
        try:
            with self._registration() as registration:
                drift = registration.register(thorough=False)
        except TrinoError as error:
            raise StackError(f"tables could not be registered: {error}") from error
        counts = {"new": len(drift.new), "moved": len(drift.moved), "gone": len(drift.vanished), "unreadable": len(drift.refused)}
        changes = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        return f"{drift.known + len(drift.new) + len(drift.moved)} registered" + (f" ({changes})" if changes else ", nothing new")

    def down(self) -> None:
        return None

    def status(self) -> str:
        try:
            with self._registration() as registration:
                drift = registration.drift(thorough=False)
        except (TrinoError, StackError):
            return "unknown"
        return f"{drift.known} registered" + (" (out of date; scripts/register_tables.py updates them)" if drift else "")

    def _registration(self) -> Registration:
        # Of the environment only the location counts: the server is the stack's own.
        own = {"LAKEHOUSE_BI_DIR": str(self.settings.dir), "TRINO_LOCATION": os.environ.get("TRINO_LOCATION", "")}
        access = access_for(self.lakehouse, own)
        if access is None:
            raise StackError(f"{self.settings.credentials} does not name {self.lakehouse} as TRINO_LAKEHOUSE")
        return Registration(access, self.tables.values())


def steps(settings: BISettings, lakehouse: Path) -> list[Step]:
    """Every step, in the order in which they come up; they go down in the reverse one."""
    tables = graph.load()
    trino: list[Step] = [TrinoStep(settings, tables), TablesStep(settings, lakehouse, tables)]
    return [PostgresStep(settings), *trino, SupersetStep(settings), DashboardsStep(settings, tables)]


def chosen(every: Sequence[Step], only: str | None) -> list[Step]:
    """The steps of one part and of those that it needs."""
    parts = PARTS if only is None else PARTS[: PARTS.index(only) + 1]
    return [step for step in every if step.part is None or step.part in parts]


def prepare(settings: BISettings, lakehouse: Path, *, containers: bool) -> None:
    """Generate secrets, certificate, log-ins, rules and Trino's configuration, and start nothing. Idempotent."""
    place = Place.container() if containers else Place.native(settings)
    if containers:
        settings = settings.model_copy(update={"names": (*settings.names, place.host)})
    secrets.prepare(settings, lakehouse)
    render(settings, place, graph.load())
