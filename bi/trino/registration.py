"""Registering tables in Trino: what the lakehouse holds and what Trino knows are compared, and the difference is made good."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from dotenv import dotenv_values

from bi.trino.client import TrinoError, connect, rows
from lakehouse.declare import Table
from lakehouse.settings import ENV_FILES, PROJECT_ROOT

CATALOG = "lakehouse_etl"
USER = "etl"
LAYERS = ("bronze", "silver", "gold", "ops")
# Reader features that Trino 476 reads right. It registers any table, and then cannot read it, nor forget it.
READABLE = frozenset({"columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
READER_VERSIONS = (1, 2, 3)
AT_ONCE = 8
NAMES = ("TRINO_URL", "TRINO_CA", "TRINO_LAKEHOUSE", "TRINO_LOCATION", "TRINO_ETL_PASSWORD")
# A view that says under which root the tables were registered, so that one question tells that none has moved.
MARK = "registration.mark"

Result = TypeVar("Result")


@dataclass(frozen=True)
class TrinoAccess:
    """Where Trino is and who may register there. `location` is the lakehouse as Trino sees it: local:///path or s3://..."""

    url: str
    certificate: str
    password: str
    lakehouse: Path
    location: str


@dataclass(frozen=True)
class Drift:
    """How Trino's tables differ from the lakehouse's, by `layer.table`."""

    new: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """why Trino could not read the table"""
    known: int = 0
    """tables that are registered as they should be"""

    def __bool__(self) -> bool:
        return bool(self.new or self.moved or self.vanished or self.refused)


def access_for(lakehouse: Path, environment: Mapping[str, str] = os.environ) -> TrinoAccess | None:
    """How to reach the Trino that shows this lakehouse; None where none is set up, or it shows another.

    Settings come from the environment, else `./.env`, else the project's `.env`, else the credentials of the stack
    (LAKEHOUSE_BI_DIR).
    """
    values = _values(environment)
    shown = values["TRINO_LAKEHOUSE"]
    if not values["TRINO_URL"] or not values["TRINO_ETL_PASSWORD"] or not shown or Path(shown).resolve() != lakehouse.resolve():
        return None
    location = values["TRINO_LOCATION"] or f"local://{Path(shown)}"
    return TrinoAccess(values["TRINO_URL"], values["TRINO_CA"], values["TRINO_ETL_PASSWORD"], lakehouse, location.rstrip("/"))


def is_shown(lakehouse: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the stack, running or not, is set up for that lakehouse."""
    shown = _values(environment)["TRINO_LAKEHOUSE"]
    return bool(shown) and Path(shown).resolve() == lakehouse.resolve()


def _values(environment: Mapping[str, str]) -> dict[str, str]:
    files = [dotenv_values(path, interpolate=False) for path in ENV_FILES]
    own = {key: value for file in files for key, value in file.items() if value}
    folder = environment.get("LAKEHOUSE_BI_DIR") or own.get("LAKEHOUSE_BI_DIR") or PROJECT_ROOT / "data" / "bi"
    try:
        stack = dotenv_values(Path(folder).expanduser() / "credentials.env", interpolate=False)
    except PermissionError:
        # Another person's stack, which this person's runs do not concern.
        stack = {}
    return {name: environment.get(name) or own.get(name) or stack.get(name) or "" for name in NAMES}


@dataclass(frozen=True)
class Outcome:
    """What came of registering after a run."""

    drift: Drift = field(default_factory=Drift)
    problem: str | None = None


class Registration:
    """Compares and registers; use as a context manager."""

    def __init__(self, access: TrinoAccess, tables: Iterable[Table]) -> None:
        self.access = access
        self.names = [table.name for table in tables if table.layer in LAYERS and not table.is_model]
        self.connection = connect(access.url, access.certificate, USER, access.password, CATALOG)

    def __enter__(self) -> Registration:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()  # type: ignore[no-untyped-call]

    def drift(self, *, thorough: bool = True) -> Drift:
        """What differs. Raises TrinoError when Trino does not answer.

        Without `thorough`, tables that were registered under the same root are taken to be where they belong, and to be
        readable still; that spares a question a table.
        """
        registered = self._registered()
        return self._compared(registered, is_trusted=not thorough and self._root(registered) == self.access.location)

    def register(self, *, thorough: bool = True) -> Drift:
        """Make Trino know the lakehouse's tables, and no others, where they are now; returns what differed.

        A table that Trino could not read is not registered. Raises TrinoError.
        """
        registered = self._registered()
        is_marked = self._root(registered) == self.access.location
        drift = self._compared(registered, is_trusted=is_marked and not thorough)
        if not is_marked and MARK in registered:
            # Broken off between here and the end, a registration leaves no root to trust.
            self._ask(f"DROP VIEW {CATALOG}.{MARK}")
        wanted = {name.split(".")[0] for name in [*drift.new, *([] if is_marked else [MARK])]}
        for schema in sorted(wanted - {name.split(".")[0] for name in registered}):
            self._ask(f"CREATE SCHEMA IF NOT EXISTS {CATALOG}.{schema}")
        self._each(self._forget, [*drift.vanished, *drift.moved])
        self._each(self._register, [*drift.new, *drift.moved])
        if not is_marked:
            self._ask(f"CREATE VIEW {CATALOG}.{MARK} AS SELECT {_literal(self.access.location)} AS root")
        return drift

    def _compared(self, registered: set[str], *, is_trusted: bool) -> Drift:
        registered = registered - {MARK}
        there = {name for name in self.names if (self._path(name) / "_delta_log").is_dir()}
        doubtful = sorted(there - registered if is_trusted else there)
        refused = {name: why for name in doubtful if (why := unreadable(self._path(name)))}
        looked_at = [] if is_trusted else sorted(there & registered - refused.keys())
        places = dict(zip(looked_at, self._each(self._location, looked_at), strict=True))
        moved = [name for name in looked_at if places[name] != self._wanted(name)]
        return Drift(
            new=sorted(there - registered - refused.keys()),
            moved=moved,
            vanished=sorted(registered - there),
            refused=refused,
            known=len((there & registered) - refused.keys()) - len(moved),
        )

    def _path(self, name: str) -> Path:
        return self.access.lakehouse.joinpath(*name.split("."))

    def _wanted(self, name: str) -> str:
        return f"{self.access.location}/{name.replace('.', '/')}"

    def _registered(self) -> set[str]:
        """Tables of the layers that Trino knows, and the mark."""
        listed = ", ".join(map(_literal, (*LAYERS, MARK.partition(".")[0])))
        found = self._ask(
            f"SELECT table_schema || '.' || table_name FROM {CATALOG}.information_schema.tables WHERE table_schema IN ({listed})"  # noqa: S608
            f" AND (table_type = 'BASE TABLE' OR table_schema || '.' || table_name = {_literal(MARK)})"
        )
        return {str(row[0]) for row in found}

    def _root(self, registered: set[str]) -> str | None:
        """Where the registered tables lie, as the last registration that came to its end noted."""
        return str(self._ask(f"SELECT root FROM {CATALOG}.{MARK}")[0][0]) if MARK in registered else None  # noqa: S608

    def _location(self, name: str) -> str | None:
        """Where Trino takes the table to be; None for one that it cannot find there."""
        schema, table = name.split(".")
        try:
            created = str(self._ask(f'SHOW CREATE TABLE {CATALOG}."{schema}"."{table}"')[0][0])
        except TrinoError:
            return None
        place = re.search(r"location = '((?:[^']|'')*)'", created)
        return place.group(1).replace("''", "'") if place else None

    def _forget(self, name: str) -> None:
        schema, table = map(_literal, name.split("."))
        self._ask(f"CALL {CATALOG}.system.unregister_table(schema_name => {schema}, table_name => {table})")

    def _register(self, name: str) -> None:
        schema, table = map(_literal, name.split("."))
        place = _literal(self._wanted(name))
        try:
            self._ask(
                f"CALL {CATALOG}.system.register_table(schema_name => {schema}, table_name => {table}, table_location => {place})"
            )
        except TrinoError as error:
            # Another process was a moment faster.
            if "already exists" not in str(error):
                raise

    def _ask(self, sql: str) -> list[list[object]]:
        return rows(self.connection, sql)

    @staticmethod
    def _each(call: Callable[[str], Result], names: Iterable[str]) -> list[Result]:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="trino") as pool:
            return list(pool.map(call, names))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def unreadable(path: Path) -> str | None:
    """Why Trino could not read the Delta table there; None where it can."""
    try:
        protocol = DeltaTable(path, without_files=True).protocol()
    except (DeltaError, OSError) as error:
        return f"its log cannot be read ({str(error).splitlines()[0]})"
    if protocol.min_reader_version not in READER_VERSIONS:
        return f"it needs Delta reader version {protocol.min_reader_version}"
    unknown = sorted(set(protocol.reader_features or ()) - READABLE)
    return f"it uses {', '.join(unknown)}, which Trino cannot read" if unknown else None


def register_after_run(lakehouse: Path, tables: Iterable[Table]) -> Outcome | None:
    """Register what a run made, where Trino is set up for this lakehouse (else None). A Trino that is down is a problem told."""
    access = access_for(lakehouse)
    if access is None:
        return None
    try:
        with Registration(access, tables) as registration:
            return Outcome(registration.register(thorough=False))
    except TrinoError as error:
        return Outcome(problem=f"Trino at {access.url}: {error}; the next run or scripts/register_tables.py registers the tables")
