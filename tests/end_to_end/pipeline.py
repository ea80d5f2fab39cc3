"""Running the pipeline over small hand-made landing folders, and looking at what it left."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from lakehouse.cli.main import main
from lakehouse.declare import REGISTRY
from lakehouse.plan import graph
from lakehouse.settings import PROJECT_ROOT
from lakehouse.storage import delta
from run_pipeline import PRODUCT
from tests.sessions import room_for_another_engine

KAGGLE = (
    "track_id,artists,album_name,track_name,popularity,duration_ms,explicit,danceability,energy,key,loudness,mode,"
    "speechiness,acousticness,instrumentalness,liveness,valence,tempo,time_signature,track_genre"
)


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.err


def track_uri(number: int) -> str:
    return f"spotify:track:{number:022d}"


def export_row(ts: str, track: int = 1, /, **changes: Any) -> dict[str, Any]:
    """A row of an extended export: `ts` is the end of the play, 180 s."""
    row = {
        "ts": ts,
        "ms_played": 180_000,
        "platform": "ios",
        "conn_country": "DE",
        "ip_addr": "203.0.113.7",
        "spotify_track_uri": track_uri(track),
        "master_metadata_track_name": f"Track {track}",
        "master_metadata_album_artist_name": f"Artist {track % 3}",
        "master_metadata_album_album_name": f"Album {track % 2}",
        "episode_name": None,
        "reason_start": "trackdone",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": False,
        "offline": False,
        "offline_timestamp": None,
        "incognito_mode": False,
    }
    return row | changes


def days(count: int, *, month: int = 1, track: int = 1) -> list[dict[str, Any]]:
    """Rows on as many days of a month of 2024, two a day."""
    hours = ("08:10:00", "21:40:00")
    return [export_row(f"2024-{month:02d}-{day:02d}T{hour}Z", track + day % 4) for day in range(1, count + 1) for hour in hours]


def kaggle_csv(*rows: Mapping[str, Any]) -> str:
    """A catalogue file; columns a row leaves out have a value that is possible."""
    usual = {
        "track_id": f"{1:022d}",
        "artists": "Artist 1",
        "album_name": "Album 1",
        "track_name": "Track 1",
        "popularity": 50,
        "duration_ms": 200_000,
        "explicit": "False",
        **dict.fromkeys(("danceability", "energy", "speechiness", "acousticness", "instrumentalness"), 0.5),
        "liveness": 0.5,
        "valence": 0.5,
        "tempo": 120.0,
        "time_signature": 4,
        "key": 5,
        "mode": 1,
        "loudness": -8.0,
        "track_genre": "rock",
    }
    lines = [",".join(str((usual | row)[name]) for name in KAGGLE.split(",")) for row in rows]
    return "\n".join([KAGGLE, *lines]) + "\n"


def is_learned(name: str) -> bool:
    """Whether a model has a part in the table."""
    return any(REGISTRY[one].is_model or is_learned(one) for one in graph.awaited_names(REGISTRY[name]))


class Pipeline:
    """A landing folder and a lakehouse, and the commands over both, called in a folder `home`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder.with_name(f"{folder.name}-home")
        self.home.mkdir(exist_ok=True)
        self.landing, self.root = folder / "landing", folder / "lakehouse"
        self.landing.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: bytes | str | Sequence[Mapping[str, Any]]) -> Path:
        """Put a file into the landing folder; rows are written as JSON."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
        return path

    def arguments(self, command: str, options: Sequence[str]) -> list[str]:
        places = ["--lakehouse", str(self.root)]
        if command == "run":
            # A Java process for every run would take a test suite's time.
            engine = [] if "--engine" in options else ["--engine", "embedded"]
            places += ["--landing", str(self.landing), *engine]
        return [command, *places, *options]

    def call(self, command: str, *options: str) -> Answer:
        """A command over landing folder and lakehouse, in this process."""
        return self.say(*self.arguments(command, options))

    def say(self, *words: str) -> Answer:
        """What a person types after `lakehouse`, in this process."""
        out, err = io.StringIO(), io.StringIO()
        with room_for_another_engine(), chdir(self.home), redirect_stdout(out), redirect_stderr(err):
            try:
                code = main(PRODUCT, words)
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 1
        return Answer(code, out.getvalue(), err.getvalue())

    def run(self, *options: str) -> Answer:
        """`run`, whose report is then the answer's document."""
        return self.call("run", "--json", *options)

    def build(self, *options: str) -> Answer:
        """`run`, which has to go well."""
        answer = self.run(*options)
        errors = [f"{o['table']}: {o['error']}" for o in answer.document["outcomes"] if o["error"]] if answer.out else answer.err
        assert answer.code == 0, errors
        return answer

    def start(self, command: str, *options: str, **popen: Any) -> subprocess.Popen[str]:
        """A command in a process of its own."""
        arguments = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), *self.arguments(command, options)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAKEHOUSE_")}
        popen = {"cwd": self.home, "env": environment} | popen
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)

    def process(self, command: str, *options: str, timeout: float = 300, **popen: Any) -> Answer:
        """A command in a process of its own, until it ends. Raises TimeoutExpired, and ends it, when that takes too long."""
        process = self.start(command, *options, **popen)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return Answer(process.returncode, out, err)

    def rows(self, table: str, *columns: str, **where: Any) -> list[dict[str, Any]]:
        """The published rows, sorted; without lineage unless it is named."""
        found = DeltaTable(self.root.joinpath(*table.split("."))).to_pyarrow_table().to_pylist()
        matching = [row for row in found if all(row[name] == value for name, value in where.items())]
        shown = [{k: v for k, v in row.items() if (k in columns if columns else not k.startswith("_"))} for row in matching]
        return sorted(shown, key=repr)

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """All of bronze, silver and gold, and the reconciliation, without lineage; without what models have a part in.

        Between two trainings those tables stay with what was learned, and differ from a rebuild.
        """
        paths = [*self.root.glob("[bsg]*/*"), self.root / "ops" / "reconciliation"]
        return {
            f"{p.parent.name}.{p.name}": self.rows(f"{p.parent.name}.{p.name}")
            for p in sorted(paths)
            if p.is_dir() and not is_learned(f"{p.parent.name}.{p.name}")
        }

    def versions(self) -> dict[str, int | None]:
        """Version per table of bronze, silver and gold."""
        return {f"{p.parent.name}.{p.name}": delta.version(p) for p in sorted(self.root.glob("[bsg]*/*"))}


def assert_same_content(got: Mapping[str, list[dict[str, Any]]], wanted: Mapping[str, list[dict[str, Any]]]) -> None:
    """Equal tables; doubles to 1e-9, as a sum depends on the order it was taken in."""
    assert sorted(got) == sorted(wanted)
    for table, rows in wanted.items():
        assert len(got[table]) == len(rows), table
        assert _rounded(got[table]) == _rounded(rows), table


def _rounded(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(
        repr({k: (f"{v:.9g}" if abs(v) > 1e-12 else "0") if isinstance(v, float) else v for k, v in row.items()}) for row in rows
    )
