"""An export and what three services told of its last month arrive one after the other, in all orders; silver is built after each.

Records are made from the rows of the export: the API states ends, Last.fm starts, ListenBrainz both, on alternate days. Prints
plays that are counted twice or lost, sources that are wrong, and tables that differ between orders; exit code 1 if any does.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from polling.answers import Answer, Item  # noqa: E402
from polling.envelope import Envelope, write_envelope  # noqa: E402
from polling.places import AccountPlace  # noqa: E402
from tests.polling.server import Listen, listen_row, track_row  # noqa: E402

EXPORT, API, LASTFM, LISTENBRAINZ = "export", "spotify_api", "lastfm_api", "listenbrainz_api"
ARRIVALS = (EXPORT, API, LASTFM, LISTENBRAINZ)
KIND = {API: "api", LASTFM: "scrobble", LISTENBRAINZ: "scrobble"}
LISTENED_MS = 30_000
"""services tell of plays from this length on"""
PAGE = 50
# The id of a play is that of the record that was seen first, and what follows from it differs with the order of arrival.
BY_FIRST_SEEN = ("play_id", "play_number")


@dataclass(frozen=True)
class Row:
    """A row of an export that services told of too."""

    start: dt.datetime
    end: dt.datetime
    uri: str
    title: str
    artist: str
    album: str
    track_ms: int


def rows_of(export: Path) -> list[dict[str, Any]]:
    """All rows of an export's JSON files, in the order of the files."""
    with zipfile.ZipFile(export) as archive:
        names = [name for name in archive.namelist() if name.endswith(".json") and "Audio" in name]
        return [row for name in names for row in json.loads(archive.read(name))]


def told_rows(export_rows: Sequence[Mapping[str, Any]], days: int) -> list[Row]:
    """What services could tell of the last days: tracks that were heard for 30 s or more, by end. One row per play.

    The length of a track is the longest that was ever heard of it.
    """
    longest: dict[str, int] = {}
    for row in export_rows:
        uri = str(row["spotify_track_uri"])
        longest[uri] = max(longest.get(uri, 0), row["ms_played"])
    ends = [_moment(row["ts"]) for row in export_rows]
    since = max(ends) - dt.timedelta(days=days)
    told = {}
    for row, end in zip(export_rows, ends, strict=True):
        if end > since and row["ms_played"] >= LISTENED_MS and row["spotify_track_uri"]:
            start = end - dt.timedelta(milliseconds=row["ms_played"])
            title, artist, album = (row[f"master_metadata_{name}_name"] for name in ("track", "album_artist", "album_album"))
            uri = row["spotify_track_uri"]
            told[end, uri] = Row(start, end, uri, title, artist, album, longest[uri])
    return [told[key] for key in sorted(told)]


def _moment(ts: str) -> dt.datetime:
    return dt.datetime.fromisoformat(ts)


def arrive(what: str, landing: Path, export: Path, told: Sequence[Row]) -> None:
    """Put the export, or the answers of a service, into the landing folder."""
    landing.mkdir(parents=True, exist_ok=True)
    if what == EXPORT:
        shutil.copy(export, landing)
        return
    place = AccountPlace(landing / "_api", what, "account")
    pages = [told[start : start + PAGE] for start in range(0, len(told), PAGE)]
    for sequence, page in enumerate(pages, start=1):
        newest_first = page[::-1]
        body = BODIES[what](newest_first)
        items = tuple(Item(position, f"{sequence} {position}", row.end) for position, row in enumerate(newest_first))
        answer = Answer(what, "account", {"endpoint": "x"}, page[-1].end + dt.timedelta(hours=1), body, items)
        write_envelope(place, sequence, Envelope.of(answer, "me", items, connects=True))


def _spotify(rows: Sequence[Row]) -> dict[str, Any]:
    def item(row: Row) -> dict[str, Any]:
        track = {"uri": row.uri, "name": row.title, "type": "track", "duration_ms": row.track_ms}
        played_at = (row.end + dt.timedelta(milliseconds=640)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        names = {"artists": [{"name": row.artist}], "album": {"name": row.album}}
        return {"track": {**track, **names}, "played_at": played_at, "context": None}

    return {"items": [item(row) for row in rows], "next": None, "cursors": None, "limit": PAGE}


def _lastfm(rows: Sequence[Row]) -> dict[str, Any]:
    listed = [track_row(Listen(int(row.start.timestamp()), row.artist, row.title, row.album)) for row in rows]
    return {"recenttracks": {"@attr": {"user": "account", "total": str(len(rows))}, "track": listed}}


def _listenbrainz(rows: Sequence[Row]) -> dict[str, Any]:
    def listen(row: Row) -> dict[str, Any]:
        time = row.end if row.end.toordinal() % 2 else row.start
        return listen_row(Listen(int(time.timestamp()), row.artist, row.title, row.album, row.track_ms), "account")

    listens = [listen(row) for row in rows]
    return {"payload": {"count": len(listens), "user_id": "account", "listens": listens}}


BODIES = {API: _spotify, LASTFM: _lastfm, LISTENBRAINZ: _listenbrainz}


def build(folder: Path) -> None:
    """Build silver of a folder's landing, in a process of its own. Raises CalledProcessError."""
    command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--only", "silver", "--engine", "embedded"]
    command += ["--landing", str(folder / "landing"), "--lakehouse", str(folder / "lakehouse")]
    environment = {**os.environ, "ALLOW_SYNTHETIC": "false", "PYTHONPATH": str(ROOT)}
    environment.pop("LAKEHOUSE_INBOX", None)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment, cwd=folder)  # noqa: S603


def orders(folder: Path, export: Path, told: Sequence[Row], sequences: Sequence[Sequence[str]]) -> Iterator[tuple[str, Path]]:
    """Each order with a folder that arrived in it. Orders that begin alike share what was built of their beginning."""
    wanted = {tuple(sequence[:length]) for sequence in sequences for length in range(1, len(ARRIVALS) + 1)}

    def after(arrived: tuple[str, ...], before: Path | None) -> Iterator[tuple[str, Path]]:
        if len(arrived) == len(ARRIVALS) and before is not None:
            yield " > ".join(arrived), before
            return
        for what in ARRIVALS:
            if (*arrived, what) not in wanted:
                continue
            here = folder / "-".join((*arrived, what))
            here.mkdir()
            if before is not None:
                shutil.copytree(before, here, dirs_exist_ok=True)
            arrive(what, here / "landing", export, told)
            build(here)
            yield from after((*arrived, what), here)
            shutil.rmtree(here)

    yield from after((), None)


def table_rows(folder: Path, name: str) -> list[str]:
    """The rows of a table in no order, without lineage and without what depends on which record was seen first."""
    table = DeltaTable(folder / "lakehouse" / "silver" / name).to_pyarrow_table()
    kept = [column for column in table.column_names if not column.startswith("_") and column not in BY_FIRST_SEEN]
    return sorted(map(repr, table.select(kept).to_pylist()))


def silver(folder: Path) -> dict[str, list[str]]:
    return {path.name: table_rows(folder, path.name) for path in sorted((folder / "lakehouse" / "silver").iterdir())}


def plays(folder: Path) -> list[dict[str, Any]]:
    """Rows of silver.plays."""
    rows: list[dict[str, Any]] = DeltaTable(folder / "lakehouse" / "silver" / "plays").to_pyarrow_table().to_pylist()
    return rows


def row_id(row: Mapping[str, Any]) -> str:
    return f"{row['file_hash'][:16]}:{row['row_number']:012d}"


def wanted_plays(folder: Path, told: Sequence[Row]) -> dict[str, list[str]]:
    """Sources of each kept play, by its row, from a lakehouse that has the export only."""
    every = plays(folder)
    kept = {row_id(row): ["export"] for row in every if row["disposition"] == "kept"}
    by_end: dict[tuple[dt.datetime, str], str] = {}
    for row in every:
        if row["disposition"] in ("kept", "duplicate"):
            by_end.setdefault((row["ended_at"], row["track_id"]), row["duplicate_of"] or row_id(row))
    for record in told:
        play = by_end[record.end, record.uri.rpartition(":")[2]]
        kept[play] = ["api", "export", "scrobble"]
    return kept


def problems(folder: Path, wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the plays of a folder."""
    found = {row_id(row): row for row in plays(folder) if row["disposition"] == "kept"}
    twice = [f"twice: {_shown(row)}" for key, row in found.items() if key not in wanted]
    lost = [f"lost: {key}" for key in wanted if key not in found]
    sources = [
        f"sources {row['sources']}, not {wanted[key]}: {_shown(row)}"
        for key, row in found.items()
        if key in wanted and list(row["sources"]) != list(wanted[key])
    ]
    return [*twice, *lost, *sources]


def _shown(row: Mapping[str, Any]) -> str:
    return f"{row['source']} {row['played_at']} {row['track_name']} {row['ms_played']}"


def compare(folder: Path, export: Path, told: Sequence[Row], sequences: Sequence[Sequence[str]]) -> list[str]:
    """What is wrong in any order; prints a line per order."""
    alone = folder / "alone"
    arrive(EXPORT, alone / "landing", export, told)
    build(alone)
    wanted = wanted_plays(alone, told)
    shutil.rmtree(alone)
    found: list[str] = []
    first: dict[str, list[str]] | None = None
    for order, place in orders(folder, export, told, sequences):
        wrong, tables = problems(place, wanted), silver(place)
        first = first or tables
        others = [name for name in tables if tables[name] != first[name]]
        print(f"{order}: {len(wanted):,} plays wanted, {len(wrong)} problems, other tables: {others}", flush=True)  # noqa: T201
        found += [f"{order}: {one}" for one in wrong] + [f"{order}: {name} is another" for name in others]
        for name in others:
            only = set(tables[name]) ^ set(first[name])
            found += [f"{order}: {name}: {one}" for one in sorted(only)[:4]]
    return found


def main() -> int:
    """Exit code 1 if anything is wrong in any order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path, metavar="ZIP", help="an extended streaming history")
    parser.add_argument("--days", type=int, default=30, help="that services told of")
    parser.add_argument("--only-days", action="store_true", help="leave out the export's rows before them")
    parser.add_argument("--orders", type=int, default=24)
    options = parser.parse_args()
    rows = rows_of(options.export)
    told = told_rows(rows, options.days)
    with tempfile.TemporaryDirectory() as scratch:
        export = options.export
        if options.only_days:
            since = min(row.end for row in told)
            export = Path(scratch, "Streaming_History_Audio_2024.json")
            export.write_text(json.dumps([row for row in rows if _moment(row["ts"]) >= since]))
        folder = Path(scratch, "orders")
        folder.mkdir()
        found = compare(folder, export, told, list(itertools.permutations(ARRIVALS))[: options.orders])
    print(f"{len(told):,} plays told by three services; {len(found)} problems")  # noqa: T201
    print("\n".join(found[:40]))  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
