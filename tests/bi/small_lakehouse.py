"""A lakehouse with a listener of three years, one whose name is SQL, and synthetic ones: almost every table has rows."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
import shutil
from pathlib import Path
from typing import Any

from synthetic.demo.content import CATALOGUE
from synthetic.generate import generate
from tests.end_to_end.pipeline import export_row
from tests.real.conftest import run_pipeline

LISTENER, HOSTILE = "me", "x' OR '1'='1"
SYNTHETIC, PLAYS = 20, 300
FIRST_DAY, DAYS = dt.date(2022, 1, 1), 1000
KNOWN_TRACKS, OWN_TRACKS = 300, 40
WILD_DAY = 900


def build(folder: Path) -> Path:
    """Write the landing files and build every table; returns the lakehouse. `folder/landing` stays."""
    landing = folder / "landing"
    write_landing(landing)
    run_pipeline(landing, folder / "lakehouse")
    return folder / "lakehouse"


def write_landing(landing: Path) -> None:
    """Landing files of all listeners, the same at every call."""
    hostile = landing / "listeners" / HOSTILE
    hostile.mkdir(parents=True)
    shutil.copyfile(CATALOGUE, landing / CATALOGUE.name)
    # A row told twice and one that cannot be a play, so that the tables for these have rows too.
    for folder, plays in ((landing, _plays(seed=1, days=DAYS)), (hostile, _plays(seed=2, days=200))):
        _write(folder / "history.json", [*plays, plays[0], plays[1] | {"ts": "yesterday"}])
        track = plays[2]["master_metadata_track_name"], plays[2]["master_metadata_album_artist_name"]
        (folder / "dislikes.csv").write_text(f'artist,track\n"{track[1]}","{track[0]}"\n', encoding="utf-8")
    last_day = FIRST_DAY + dt.timedelta(days=DAYS)
    start = last_day - dt.timedelta(days=365)
    generate(CATALOGUE, landing / "synthetic", listeners=SYNTHETIC, plays=PLAYS, seed=1, start=start, end=last_day)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def _plays(*, seed: int, days: int) -> list[dict[str, Any]]:
    """Rows of an extended export: an hour or so on most days, mostly tracks of the catalogue, some of them skipped."""
    chance = random.Random(seed)  # noqa: S311
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        catalogue = [row for row in csv.DictReader(file) if row["track_name"]]
    known = chance.sample(catalogue, KNOWN_TRACKS)
    tracks = [
        (f"spotify:track:{row['track_id']}", row["track_name"], row["artists"].split(";")[0], row["album_name"]) for row in known
    ]
    tracks += [
        (f"spotify:track:{seed:011d}{number:011d}", f"=Track {number} <b>", f"Artist '{number % 9}", "Album")
        for number in range(OWN_TRACKS)
    ]
    energy = {f"spotify:track:{row['track_id']}": float(row["energy"]) for row in known}
    calm = sorted((track for track in tracks if track[0] in energy), key=lambda track: energy[track[0]])[: KNOWN_TRACKS // 3]
    rows = []
    for day in range(days):
        if chance.random() < 0.2 and day != WILD_DAY:
            continue
        hour = chance.choice((7, 8, 12, 18, 20, 21, 23))
        moment = dt.datetime.combine(FIRST_DAY + dt.timedelta(days=day), dt.time(hour))
        # Nights are calm and one day is wild, so that there is something to find.
        heard = calm if hour == 23 else tracks
        for _ in range(120 if day == WILD_DAY else chance.randint(3, 16)):
            uri, track, artist, album = heard[int(len(heard) * chance.random() ** 2)]
            milliseconds = chance.choice((12_000, 95_000, 180_000, 200_000, 240_000))
            moment += dt.timedelta(milliseconds=milliseconds + 1_000)
            names = {
                "spotify_track_uri": uri,
                "master_metadata_track_name": track,
                "master_metadata_album_artist_name": artist,
                "master_metadata_album_album_name": album,
            }
            rows.append(
                export_row(f"{moment:%Y-%m-%dT%H:%M:%SZ}", ms_played=milliseconds, skipped=milliseconds < 30_000, **names)
            )
    return rows
