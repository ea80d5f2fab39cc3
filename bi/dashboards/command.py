"""`scripts/build_dashboards.py`: check the declarations, write them as Superset's files, import them."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from bi import secrets
from bi.dashboards.bundle import Bundle, build
from bi.dashboards.check import columns_of, mistakes
from bi.dashboards.client import Superset
from bi.dashboards.declaration import FOLDER, Dashboard, DashboardError, read_all
from bi.dashboards.imports import bring
from bi.dashboards.probe import probe
from bi.settings import BISettings, start_command
from bi.trino.client import TrinoError, connect, rows
from lakehouse.cli.console import Terminal
from lakehouse.cli.here import near
from lakehouse.declare import Table
from lakehouse.plan import graph

OK, FAILED, USAGE = 0, 1, 2
# The real listener with most plays, else the synthetic one.
FIRST_LISTENER = "SELECT user_id FROM silver.users ORDER BY is_synthetic, kept DESC, user_id LIMIT 1"
MARK = ".dashboards"


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="build_dashboards.py", description="Import the dashboards in superset/dashboards/ into Superset."
    )
    top.add_argument("--check", action="store_true", help="only check the dashboards against the tables' declarations")
    top.add_argument("--out", metavar="DIR", help="only write the files that would be imported, into this folder")
    top.add_argument("--only", action="append", default=[], metavar="NAME", help="only this dashboard; the others stay unchanged")
    top.add_argument("--url", metavar="URL", help="Superset's address (default SUPERSET_URL of the stack's credentials)")
    top.add_argument("--data", action="store_true", help="import, then query the data of every chart: rows, seconds, errors")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 success, 1 something failed, 2 wrong usage, setting or declaration."""
    options = parser().parse_args(arguments)
    console, errors = Terminal(), Terminal(stderr=True)
    try:
        tables = graph.load()
        dashboards = declared(tables)
        if unknown := sorted(set(options.only) - {d.name for d in dashboards}):
            raise DashboardError(f"there is no {unknown[0]}.yaml in {near(FOLDER)}")
        chosen = [d for d in dashboards if not options.only or d.name in options.only]
        if options.check:
            console.print(Text(f"{len(dashboards)} dashboards, {sum(len(d.charts) for d in dashboards)} charts: all names exist"))
            return OK
        settings = BISettings()
        if options.out:
            bundle = build(dashboards, tables, None)
            write(bundle.of(chosen), Path(options.out))
            console.print(Text(f"wrote {options.out}"))
            return OK
        credentials = secrets.credentials(settings)
        if not credentials:
            raise DashboardError(f"{near(settings.credentials)} does not exist; `{start_command()}` starts the stack")
        url = options.url or credentials["SUPERSET_URL"]
        listener = first_listener(credentials)
        bundle = build(dashboards, tables, listener)
        with Superset(url, "admin", credentials["SUPERSET_ADMIN_PASSWORD"]) as superset:
            if options.only:
                superset.load(bundle.of(chosen))
            elif not bring(superset, bundle, settings):
                console.print(Text("nothing new"))
            for dashboard in chosen:
                console.print(Text(f"{url}/superset/dashboard/{dashboard.name}/"))
            failed = options.data and tell_data(superset, chosen, tables, listener, console)
        return FAILED if failed else OK
    except ValidationError as error:
        errors.print(Text(f"error: {error}"))
        return USAGE
    except (DashboardError, TrinoError) as error:
        errors.print(Text(f"error: {error}"))
        return USAGE if options.check or options.out else FAILED


def declared(tables: Mapping[str, Table], folder: Path = FOLDER) -> list[Dashboard]:
    """The dashboards of a folder, checked. Raises DashboardError with the mistakes of all of them."""
    dashboards = read_all(folder)
    if wrong := [mistake for dashboard in dashboards for mistake in mistakes(dashboard, tables)]:
        raise DashboardError("\n".join(wrong))
    return dashboards


def tell_data(
    superset: Superset, dashboards: Sequence[Dashboard], tables: Mapping[str, Table], listener: str | None, console: Console
) -> int:
    """Ask for every chart's data and print a line for each; how many fail or have no row."""
    failed = 0
    for dashboard in dashboards:
        columns = {name: set(columns_of(dataset, tables)) for name, dataset in dashboard.datasets.items()}
        for probed in probe(superset, dashboard, columns, listener):
            failed += not probed.rows
            answer = probed.error or f"{len(probed.rows):5} rows  {probed.rows[:1]}"[:100]
            console.print(Text(f"{probed.seconds:5.1f} s  {dashboard.name}: {probed.chart.title}  {answer}"))
    return failed


def first_listener(credentials: Mapping[str, str]) -> str | None:
    """Whom the dashboards show first; None where there is nobody. Raises TrinoError."""
    url, certificate = credentials["TRINO_URL"], credentials["TRINO_CA"]
    connection = connect(url, certificate, "bi", credentials["TRINO_BI_PASSWORD"], "lakehouse")
    try:
        found = rows(connection, FIRST_LISTENER)
    finally:
        connection.close()  # type: ignore[no-untyped-call]
    return str(found[0][0]) if found else None


def write(bundle: Bundle, folder: Path) -> None:
    """Write the bundle's files into a folder of our own. Raises DashboardError for one that holds other things."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise DashboardError(f"{folder} holds other files; name a new folder")
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in bundle.texts().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (folder / MARK).touch()
