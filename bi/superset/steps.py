"""Superset's steps of the stack: the server, and its dashboards."""

from __future__ import annotations

from collections.abc import Mapping

from bi.dashboards.bundle import Bundle, build
from bi.dashboards.client import Superset
from bi.dashboards.command import declared, first_listener
from bi.dashboards.declaration import DashboardError
from bi.dashboards.imports import bring, stamp
from bi.process import StackError, port_problem
from bi.secrets import read_env
from bi.settings import BISettings
from bi.superset.server import SupersetServer
from bi.trino.client import TrinoError
from lakehouse.declare import Table


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
            return "already running"
        return "restarted with its new configuration" if was_up else "started"

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

    def problems(self) -> list[str]:
        try:
            declared(self.tables)
        except DashboardError as error:
            return [str(error)]
        return []

    def not_installed(self) -> list[str]:
        return []

    def up(self) -> str:
        """Import them, unless Superset holds the same."""
        try:
            bundle, was_needed = import_dashboards(self.settings, self.tables, read_env(self.settings.credentials))
        except (DashboardError, TrinoError) as error:
            raise StackError(f"dashboards could not be imported: {error}") from error
        return f"{len(bundle.dashboards)} with {len(bundle.charts)} charts{' imported' if was_needed else ', nothing new'}"

    def down(self) -> None:
        return None

    def status(self) -> str:
        return "imported" if stamp(self.settings).is_file() else "not imported"


def import_dashboards(settings: BISettings, tables: Mapping[str, Table], credentials: Mapping[str, str]) -> tuple[Bundle, bool]:
    """Import all dashboards, unless Superset holds the same; them, and whether that was needed.

    Raises DashboardError and TrinoError.
    """
    bundle = build(declared(tables), tables, first_listener(credentials))
    with Superset(credentials["SUPERSET_URL"], "admin", credentials["SUPERSET_ADMIN_PASSWORD"]) as superset:
        return bundle, bring(superset, bundle, settings)
