"""How the SQL console shows rows: a table for people, CSV and JSON for programs. Text from outside is shown as text."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lakehouse.cli.sanitize import CONTROL, FORMULA

MAX_SHOWN = 1000
# Columns narrower than this say nothing: rows are then shown one below the other.
NARROWEST = 9
LONGEST = 200
# What Trino calls the column of EXPLAIN.
PLAN = "Query Plan"
UNLIMITED_WIDTH = 100_000


@dataclass(frozen=True)
class Result:
    """What a statement returns: names and rows, which are still being fetched, or what it did, where it returns none."""

    names: list[str]
    rows: Iterator[Sequence[Any]]
    done: str


class _Stream(Console):
    """Leaves it to the caller that a reader has seen enough (`| head`); rich itself would end the process with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class TableOutput:
    """A table for a terminal, of at most `max_rows` rows."""

    def __init__(self, stream: TextIO, *, max_rows: int | None, is_raw: bool) -> None:
        del is_raw
        self.max_rows = MAX_SHOWN if max_rows is None else max_rows
        self.console = _Stream(file=stream, highlight=False, soft_wrap=False)
        if not self.console.is_terminal:
            self.console = _Stream(file=stream, highlight=False, width=UNLIMITED_WIDTH)

    def show(self, result: Result) -> None:
        """Print the rows and how many they were."""
        if not result.names:
            self.console.print(Text(result.done or "done"))
            return
        shown = list(itertools.islice(result.rows, self.max_rows))
        has_more = next(result.rows, None) is not None
        cells = [[visible(value) for value in row] for row in shown]
        if result.names == [PLAN] and len(shown) == 1:
            for line in str(shown[0][0]).splitlines():
                self.console.print(Text(_harmless(line)))
            return
        if len(result.names) * NARROWEST > self.console.width:
            self._below_each_other(result.names, cells)
        else:
            self._beside_each_other(result.names, cells, shown)
        note = f"first {len(shown)} rows; --max-rows shows more" if has_more else f"{len(shown)} row{'s' * (len(shown) != 1)}"
        self.console.print(Text(f"({note})", style="dim"))

    def _beside_each_other(self, names: list[str], cells: list[list[str]], shown: list[Sequence[Any]]) -> None:
        grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for number, name in enumerate(names):
            values = [row[number] for row in shown if row[number] is not None]
            is_number = bool(values) and all(isinstance(value, int | float | decimal.Decimal) for value in values)
            grid.add_column(Text(visible(name)), justify="right" if is_number else "left", no_wrap=True)
        for row in cells:
            grid.add_row(*[Text(cell) for cell in row])
        self.console.print(grid)

    def _below_each_other(self, names: list[str], cells: list[list[str]]) -> None:
        width = max(map(len, names))
        for row in cells:
            for name, cell in zip(names, row, strict=True):
                self.console.print(Text(f"{visible(name):<{width}}  ", style="dim") + Text(cell))
            self.console.print()


class CsvOutput:
    """CSV as `export --format csv` writes it: text quoted, null an empty field, instants ISO 8601 in UTC, lists as JSON.

    Text that a spreadsheet would run as a formula gets an apostrophe in front, unless `is_raw`.
    """

    def __init__(self, stream: TextIO, *, max_rows: int | None, is_raw: bool) -> None:
        self.stream, self.max_rows, self.is_raw = stream, max_rows, is_raw

    def show(self, result: Result) -> None:
        """Write a header and the rows, as they come; nothing for a statement that returns none."""
        if not result.names:
            return
        for row in itertools.chain([result.names], itertools.islice(result.rows, self.max_rows)):
            self.stream.write(",".join(map(self._field, row)) + "\n")

    def _field(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float | decimal.Decimal):
            return str(value)
        text = plain_text(value)
        if not self.is_raw and re.match(FORMULA, text):
            text = f"'{text}"
        return '"' + text.replace('"', '""') + '"'


class JsonOutput:
    """One JSON object a line and row."""

    def __init__(self, stream: TextIO, *, max_rows: int | None, is_raw: bool) -> None:
        del is_raw
        self.stream, self.max_rows = stream, max_rows

    def show(self, result: Result) -> None:
        """Write the rows as they come."""
        names = _distinct(result.names)
        for row in itertools.islice(result.rows, self.max_rows):
            document = {name: _finite(value) for name, value in zip(names, row, strict=True)}
            self.stream.write(json.dumps(document, ensure_ascii=False, default=plain_text, allow_nan=False) + "\n")


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, those that came before with their place: an object has each key once."""
    return [name if name not in names[:place] else f"{name}_{place + 1}" for place, name in enumerate(names)]


def _finite(value: Any) -> Any:
    """The value with NaN and infinities as text, which JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return {key: _finite(part) for key, part in value.items()} if isinstance(value, dict) else value


OUTPUTS: dict[str, Callable[..., TableOutput | CsvOutput | JsonOutput]] = {
    "table": TableOutput,
    "csv": CsvOutput,
    "json": JsonOutput,
}


def plain_text(value: Any) -> str:
    """A value as text without regard to who reads it."""
    if isinstance(value, dt.datetime):
        moment = value.astimezone(dt.timezone.utc).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat() + ("Z" if value.tzinfo else "")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=plain_text)
    return str(value)


def visible(value: Any) -> str:
    """A value in one line of a terminal; control and direction characters are written out, and long text is cut."""
    if value is None:
        return "∅"
    text = f"{value:.10g}" if isinstance(value, float) else plain_text(value)
    return _harmless(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _harmless(text: str) -> str:
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
