"""Superset's steps of the stack: the server, and its dashboards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from bi.dashboards.bundle import build
from bi.dashboards.client import Superset
from bi.dashboards.command import declared, first_listener
from bi.dashboards.declaration import DashboardError
from bi.process import StackError, port_problem
from bi.secrets import read_env, write_private
from bi.settings import BISettings
from bi.superset_server import SupersetServer
from lakehouse.table import Table
from lakehouse.trino_client import TrinoError


class SupersetStep:
    """The server, with its roles, log-ins and connections."""

    name: str = "Superset"
    part: str | None = "superset"

    def __init__(self, settings: BISettings) -> None:
        self.settings, self.superset = settings, SupersetServer(settings)

    def problems(self) -> list[str]:
        is_up = self.superset.server.process() is not None
        return [] if is_up else port_problem("Superset", self.settings.superset_port, "SUPERSET")

    def not_installed(self) -> list[str]:
        return self.superset.not_installed()

    def up(self) -> str:
        was_up = self.superset.server.process() is not None
        if not self.superset.start():
            return "running already"
        return "started again, as its configuration changed" if was_up else "started"

    def down(self) -> bool:
        return self.superset.server.stop()

    def status(self) -> str:
        if self.superset.server.process() is None:
            return "down"
        return f"up at http://localhost:{self.settings.superset_port}" if self.superset.is_ready() else "does not answer"


class DashboardsStep:
    """The dashboards of superset/dashboards/."""

    name: str = "Dashboards"
    part: str | None = "superset"

    def __init__(self, settings: BISettings, tables: Mapping[str, Table]) -> None:
        self.settings, self.tables = settings, tables
        self.stamp = settings.dir / "superset" / "dashboards"

    def problems(self) -> list[str]:
        try:
            declared(self.tables)
        except DashboardError as error:
            return [str(error)]
        return []

    def not_installed(self) -> list[str]:
        return []

    def up(self) -> str:
        """Import them, unless the same were imported into the same database."""
        credentials = read_env(self.settings.credentials)
        try:
            dashboards = declared(self.tables)
            bundle = build(dashboards, self.tables, first_listener(credentials))
            prepared = (self.settings.dir / "superset" / "prepared_with").read_bytes()
            wanted = hashlib.sha256(prepared + bundle.archive()).hexdigest().encode()
            told = f"{len(bundle.dashboards)} with {len(bundle.charts)} charts"
            if self.stamp.is_file() and self.stamp.read_bytes() == wanted:
                return f"{told}, nothing new"
            with Superset(credentials["SUPERSET_URL"], "admin", credentials["SUPERSET_ADMIN_PASSWORD"]) as superset:
                superset.load(bundle)
                superset.clean(bundle)
        except (DashboardError, TrinoError) as error:
            raise StackError(f"dashboards could not be imported: {error}") from error
        write_private(self.stamp, wanted)
        return f"{told} imported"

    def down(self) -> None:
        return None

    def status(self) -> str:
        return "imported" if self.stamp.is_file() else "not imported"
