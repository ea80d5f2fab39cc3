"""Tables as they were at one moment, read by DuckDB from the files that the Delta log names.

Not with Arrow, whose imports take a second and more memory than all else that the service holds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
MEMORY = "256MB"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


class Commit(NamedTuple):
    """The newest commit of a table; the time tells it apart from one of that number in a table made anew."""

    path: Path
    number: int
    modified_ns: int


class Files(NamedTuple):
    """The files of one version of a table, and their columns with their Delta types."""

    names: tuple[str, ...]
    columns: Mapping[str, str]


class Tables:
    """The newest versions of some tables of the lakehouse at `root`: later commits change no answer. To be closed."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self._connection: Any = None
        self._commits = {name: newest_commit(root.joinpath(*name.split("."))) for name in names}

    @property
    def versions(self) -> dict[str, int | None]:
        """The Delta version of each table; None for one that is not built."""
        return {name: None if commit is None else commit.number for name, commit in self._commits.items()}

    @property
    def digest(self) -> str:
        """Another text whenever a table is another."""
        commits = sorted((name, commit and (commit.number, commit.modified_ns)) for name, commit in self._commits.items())
        return hashlib.sha256(repr(commits).encode()).hexdigest()[:32]

    def rows(self, table: str, listener: str, columns: Sequence[str], where: str = "TRUE", *values: Any) -> list[Row]:
        """The listener's rows, in no order; none where the table is not built. A column that an older table lacks is None.

        `where` is SQL of ours, with `?` for the values. DuckDB reads only row groups that may hold the listener. Raises
        FileNotFoundError if a file was removed since.
        """
        files = self._files(table)
        there = [name for name in columns if name in files.columns]
        chosen = ", ".join(f"epoch_us({name})" if files.columns[name] == "timestamp" else name for name in there)
        found = self.query(table, listener, chosen, where, *values) if there else []
        moments = [files.columns[name] == "timestamp" for name in there]
        nothing = dict.fromkeys(columns)
        return [nothing | {n: _moment(v) if m else v for n, v, m in zip(there, row, moments, strict=True)} for row in found]

    def query(self, table: str, listener: str, chosen: str, where: str = "TRUE", *values: Any) -> list[tuple[Any, ...]]:
        """`SELECT chosen` of the listener's rows; no row where the table is not built. Both texts are SQL of ours."""
        names = self._files(table).names
        if not names:
            return []
        sql = f"SELECT {chosen} FROM read_parquet(?, union_by_name = true) WHERE user_id = ? AND ({where})"  # noqa: S608
        import duckdb

        if self._connection is None:
            self._connection = duckdb.connect(config={"threads": 1, "memory_limit": MEMORY, "autoload_known_extensions": False})
        try:
            return list(self._connection.execute(sql, [list(names), listener, *values]).fetchall())
        except duckdb.IOException as error:
            raise FileNotFoundError(str(error)) from error

    def close(self) -> None:
        """Give back what reading took."""
        if self._connection is not None:
            self._connection.close()

    def _files(self, table: str) -> Files:
        commit = self._commits[table]
        return Files((), {}) if commit is None else _files(commit)


def newest_commit(path: Path) -> Commit | None:
    """The newest commit of the Delta table at `path`; None where there is no table."""
    try:
        commits = [file for file in (path / "_delta_log").iterdir() if file.suffix == ".json" and file.stem.isdecimal()]
        last = max(commits, default=None)
        return None if last is None else Commit(path, int(last.stem), last.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None


@lru_cache(maxsize=64)
def _files(commit: Commit) -> Files:
    from deltalake import DeltaTable

    table = DeltaTable(commit.path, version=commit.number)
    columns = {field.name: str(getattr(field.type, "type", "")) for field in table.schema().fields}
    return Files(tuple(table.file_uris()), columns)


def _moment(micros: int | None) -> dt.datetime | None:
    return None if micros is None else EPOCH + dt.timedelta(microseconds=micros)
