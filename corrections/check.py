"""What each line of the corrections files in the landing folder would change, counted before any run applies it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.text import Text

from ingestion.corrections import FIELDS, Corrections
from lakehouse.cli.console import plain, print_json
from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, Sample, Table
from lakehouse.engine.choice import engine_for
from lakehouse.landing.owners import is_brought, listener_of
from lakehouse.landing.scan import files_in
from lakehouse.settings import RECEIVED, Settings
from music.corrections import REMEDIES, SEPARATOR
from music.names import fold
from music.recordings import is_placeholder, lead_artist, plain_title
from silver.corrected import corrected
from silver.correction_lines import correction_lines
from silver.names import CORRECTED

LISTED = ("file_name", "row_number", "line", "problem")
FROM, TO = ("from_artist", "from_title", "from_album"), ("to_artist", "to_title", "to_album")


@dataclass(frozen=True)
class Line:
    """A line, and what it would change."""

    file_name: str
    number: int
    """as an editor counts, the header being line 1"""
    text: str
    problem: str | None
    plays: int
    listeners: int


def check(settings: Settings, tables: Mapping[str, Table], user: str | None, *, as_json: bool, console: Console) -> int:
    """Print every line with the number of plays it would change; exit code 1 where one cannot be used or a file is broken."""
    files = corrections_files(settings.landing, settings.user, settings.inbox_folder)
    broken = {path: rows for path, (_, rows) in files.items() if isinstance(rows, str)}
    read = {path: (owner, rows) for path, (owner, rows) in files.items() if not isinstance(rows, str)}
    engine, _ = engine_for(settings)
    try:
        lines = _lines(engine.session(), settings, tables, read, user) if read else []
    finally:
        engine.stop()
    if as_json:
        shown = [{**vars(line), "remedy": REMEDIES.get(line.problem or "")} for line in lines]
        print_json({"lines": shown, "broken": broken})
    else:
        for line in lines:
            console.print(_described(line))
        for path, why in broken.items():
            console.print(Text(f"{path}: ", style="red") + plain(why, 300))
        if not files:
            console.print(f"there is no corrections file in {settings.landing}")
    return int(bool(broken) or any(line.problem for line in lines))


def _described(line: Line) -> Text:
    head = plain(f"{line.file_name}:{line.number} ", 200) + plain(line.text, 200)
    if line.problem is not None:
        return Text("", style="red") + head + Text(f": not used, {line.problem}: {REMEDIES[line.problem]}")
    if not line.plays:
        return Text("", style="yellow") + head + Text(": changes no play; none fits, or an earlier line comes first")
    listeners = f" of {line.listeners:,} listeners" if line.listeners > 1 else ""
    return head + Text(f": changes {line.plays:,} play{'s' if line.plays != 1 else ''}{listeners}")


def corrections_files(
    landing: Path, default: str, inbox: Path | None = None
) -> dict[str, tuple[str, list[dict[str, Any]] | str]]:
    """Per corrections file in the landing folder, and of those that people brought to the inbox, whose it is and its lines.

    The reason stands in their place if it cannot be read.
    """
    source = Corrections()
    files: dict[str, tuple[str, list[dict[str, Any]] | str]] = {}
    for relative, path in _places(landing, inbox or landing / RECEIVED):
        if not path.is_file() or path.suffix.lower() != ".csv":
            continue
        with path.open("rb") as stream:
            start = stream.read(SAMPLE_BYTES).decode("utf-8", "replace")
            if not source.recognises(Sample(relative, start)):
                continue
            stream.seek(0)
            try:
                lines: list[dict[str, Any]] | str = [row for batch in source.read(stream, "") for row in batch.to_pylist()]
            except BrokenFileError as error:
                lines = str(error)
        files[relative] = (listener_of(relative, default), lines)
    return files


def _places(landing: Path, inbox: Path) -> Iterator[tuple[str, Path]]:
    """Files by the name that runs have for them."""
    # An inbox may be a folder of the landing folder that is not hidden.
    yield from ((path.relative_to(landing).as_posix(), path) for path in files_in(landing) if inbox not in path.parents)
    received = ((f"{RECEIVED}/{path.relative_to(inbox).as_posix()}", path) for path in files_in(inbox))
    yield from ((name, path) for name, path in received if is_brought(name))


def _lines(
    session: SparkSession,
    settings: Settings,
    tables: Mapping[str, Table],
    files: Mapping[str, tuple[str, list[dict[str, Any]]]],
    user: str | None,
) -> list[Line]:
    """Every line of the files, with what it would change, in the order of the files."""

    def stored(name: str) -> DataFrame:
        declared = tables[name]
        return session.read.format("delta").load(str(settings.dir / declared.layer / declared.short_name))

    written = [
        {**row, "file_hash": path, "row_number": number}
        for path, (_, rows) in files.items()
        for number, row in enumerate(rows, start=1)
    ]
    if not written:
        return []
    names = stored("silver.names").select("name", "folded", "plain_title", "lead_artist", "is_placeholder")
    own_names = _names(session, written)
    all_names = names.join(own_names.select("name"), on="name", how="left_anti").unionByName(own_names)
    state = [
        {"file_hash": path, "path": path, "listener": owner, "target": "corrections", "status": "ingested", "run_id": "check"}
        for path, (owner, _) in files.items()
    ]
    in_landing = _frame(session, state, ["file_hash", "path", "listener", "target", "status", "run_id"])
    rows = _frame(session, written, ["file_hash", *FIELDS, "surplus"], {"row_number": pa.int64(), "line": pa.int64()})
    lines = correction_lines(rows, in_landing.withColumn("is_present", F.lit(True)), all_names)
    plays = _uncorrected(stored("silver.plays"), stored("silver.typed_history"))
    changed = corrected(plays if user is None else plays.where(F.col("user_id") == user), lines, all_names)
    whose = changed.join(plays.select("row_id", "user_id"), on="row_id", how="inner")
    by = whose.select("user_id", F.explode(F.array_compact(F.array("line", "moved_by"))).alias("line"))
    counts = by.groupBy("line").agg(F.count(F.lit(1)).alias("plays"), F.count_distinct("user_id").alias("listeners"))
    counted = {row["line"]: row for row in counts.toArrow().to_pylist()}
    texts_of = {(row["file_hash"], row["row_number"]): _text(row) for row in written}
    listed = lines.select(*LISTED).toArrow().to_pylist()
    return [
        Line(
            row["file_name"],
            row["line"],
            texts_of[row["file_name"], row["row_number"]],
            row["problem"],
            *_counts(counted.get(f"{row['file_name']}:{row['line']}")),
        )
        for row in sorted(listed, key=lambda row: (row["file_name"], row["row_number"]))
    ]


def _counts(row: Mapping[str, int] | None) -> tuple[int, int]:
    return (row["plays"], row["listeners"]) if row else (0, 0)


def _text(row: Mapping[str, Any]) -> str:
    """A line in short: `merge artist Beatls -> The Beatles`."""
    sides = [" / ".join(row[name] for name in side if row[name]) for side in (FROM, TO)]
    times = " to ".join(row[name] for name in ("played_at", "until") if row[name])
    arrow = " -> ".join(side for side in sides if side)
    return " ".join(part for part in (row["action"], row["kind"], arrow, times) if part)


def _uncorrected(plays: DataFrame, typed_history: DataFrame) -> DataFrame:
    """The kept plays as they are without corrections."""
    kept = plays.where(F.col("disposition") == "kept").select("file_hash", "row_number", "corrected_by", *_VALUES)
    originals = typed_history.select(
        "file_hash", "row_number", "user_id", "row_id", *[F.col(n).alias(f"own_{n}") for n in _VALUES]
    )
    joined = kept.join(originals, on=["file_hash", "row_number"], how="inner")
    values = [F.when(F.col("corrected_by").isNull(), F.col(n)).otherwise(F.col(f"own_{n}")).alias(n) for n in _VALUES]
    return joined.select("user_id", "row_id", *values)


_VALUES = ("track_name", "artist_name", "album_name", "played_at")


def _names(session: SparkSession, lines: Iterable[Mapping[str, Any]]) -> DataFrame:
    """silver.names of the names in the lines."""
    texts = {part for row in lines for name in CORRECTED if row[name] for part in (row[name], *row[name].split(SEPARATOR))}
    spelled = sorted({form for text in texts for form in (text, text.strip())} - {""})
    rows = [
        {
            "name": name,
            "folded": fold(name),
            "plain_title": plain_title(name),
            "lead_artist": lead_artist(name),
            "is_placeholder": is_placeholder(fold(name) or ""),
        }
        for name in spelled
    ]
    return _frame(session, rows, ["name", "folded", "plain_title", "lead_artist"], {"is_placeholder": pa.bool_()})


def _frame(
    session: SparkSession, rows: Iterable[Mapping[str, Any]], texts: list[str], others: Mapping[str, pa.DataType] | None = None
) -> DataFrame:
    schema = pa.schema([*[(name, pa.string()) for name in texts], *(others or {}).items()])
    return session.createDataFrame(pa.Table.from_pylist(list(rows), schema))
