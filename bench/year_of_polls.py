"""A year of polls of one listener: what they leave in the inbox, and what a run takes before and after its months are packed.

A poll every twenty minutes, each answered with the last 50 plays as Spotify would, and sixty plays a day. Prints files and bytes
of the inbox, rows of bronze, and seconds of runs that have nothing to do.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from deltalake import DeltaTable

from lakehouse.landing.packed import archives_under
from polling.answers import Answer, Item
from polling.places import AccountPlace
from polling.poll import poll
from polling.state import locked
from polling.visit import Account, Outcome

ROOT = Path(__file__).resolve().parent.parent
START = dt.datetime(2025, 11, 1, tzinfo=dt.timezone.utc)
EVERY = dt.timedelta(minutes=20)
PLAYS_A_DAY, SHOWN = 60, 50
ONLY = ("--only", "bronze.listening_history", "--only", "ops.reconciliation")
SOURCE, ACCOUNT = "spotify_api", "bench"


def history(days: int, chance: random.Random) -> list[dt.datetime]:
    """Times of plays: every day a morning, an afternoon and an evening of twenty plays, one after the other."""
    found = []
    for day in range(days):
        for hour in (8, 13, 19):
            begins = START + dt.timedelta(days=day, hours=hour, minutes=chance.randrange(90), seconds=chance.randrange(60))
            found += [begins + dt.timedelta(seconds=215 * number) for number in range(PLAYS_A_DAY // 3)]
    return found


def item(number: int, played_at: dt.datetime) -> dict[str, Any]:
    """A play as Spotify tells of it, with most of what stands there."""
    artist, link = number * 7 % 1009, "https://open.spotify.com/x/" + f"{number * 31 % 5003:022d}"
    person = {"id": f"{artist:022d}", "name": f"Artist {artist}", "type": "artist", "href": link, "external_urls": {"s": link}}
    images = [{"height": size, "width": size, "url": f"{link}/{size}"} for size in (640, 300, 64)]
    album = {
        "id": f"{artist:022d}",
        "name": f"Album {artist}",
        "artists": [person],
        "images": images,
        "release_date": "2024-03-01",
    }
    track = {
        "id": f"{number * 31 % 5003:022d}",
        "uri": f"spotify:track:{number * 31 % 5003:022d}",
        "name": f"Track {number * 31 % 5003}",
        "type": "track",
        "artists": [person],
        "album": album,
        "duration_ms": 210_000,
        "is_local": False,
        "external_ids": {"isrc": f"ZZX01{number * 31 % 5003:07d}"},
        "external_urls": {"spotify": link},
    }
    return {
        "track": track,
        "played_at": played_at.isoformat().replace("+00:00", "Z"),
        "context": {"type": "playlist", "uri": link},
    }


class Listed:
    """Answers with the last 50 plays before a moment."""

    source, account_id = SOURCE, ACCOUNT

    def __init__(self, plays: list[dt.datetime]) -> None:
        self.plays, self.heard, self.now = plays, 0, START

    def recent(self) -> Iterator[Answer]:
        while self.heard < len(self.plays) and self.plays[self.heard] <= self.now:
            self.heard += 1
        numbers = range(self.heard - 1, max(-1, self.heard - 1 - SHOWN), -1)
        items = tuple(
            Item(at, f"{self.plays[one].isoformat()} {one * 31 % 5003}", self.plays[one]) for at, one in enumerate(numbers)
        )
        body = {"items": [item(one, self.plays[one]) for one in numbers], "limit": SHOWN}
        yield Answer(SOURCE, ACCOUNT, {"path": "me/player/recently-played"}, self.now, body, items)


def polled(inbox: Path, days: int) -> dict[str, Any]:
    """Poll so many days; how many polls there were, how many plays, and what a poll takes at the end."""
    client = Listed(history(days, random.Random(17)))  # noqa: S311
    account = Account(SOURCE, ACCOUNT, "anna", lambda: client)
    polls, plays, last = 0, 0, list[float]()
    # Whether a disk keeps its word is not measured here, and takes most of the time.
    with mock.patch.object(os, "fsync", lambda _: None):
        while client.now < START + dt.timedelta(days=days):
            client.now += EVERY
            began = time.perf_counter()
            outcome: Outcome
            [outcome] = poll([account], inbox, client.now)
            last = [*last[-99:], time.perf_counter() - began]
            polls, plays = polls + 1, plays + outcome.new_plays
    return {
        "polls": polls,
        "plays": plays,
        "listened": len(client.plays),
        "poll_ms": round(1000 * sorted(last)[len(last) // 2], 1),
    }


def run(landing: Path, lakehouse: Path) -> dict[str, Any]:
    """One run in a process of its own: seconds, of the clock and of processors, what was read and what was built."""
    command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--no-demo", "--json", "--engine", "embedded", *ONLY]
    command += ["--landing", str(landing), "--lakehouse", str(lakehouse)]
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=landing.parent)  # noqa: S603
    seconds, after, report = time.perf_counter() - began, os.times(), json.loads(done.stdout)
    processors = after.children_user + after.children_system - before.children_user - before.children_system
    said = {"new_files": len(report["new_files"]), "built": len(report["outcomes"])}
    return {"seconds": round(seconds, 2), "processor_seconds": round(processors, 2), **said}


def size_of(inbox: Path) -> dict[str, int]:
    """Files of the inbox, and their bytes, without state and lock."""
    found = [path for path in inbox.rglob("*") if path.is_file() and path.name not in (f"_{ACCOUNT}.json", f"_{ACCOUNT}.lock")]
    return {"files": len(found), "bytes": sum(path.stat().st_size for path in found)}


def measured(days: int, folder: Path) -> dict[str, Any]:
    landing, lakehouse = folder / "landing", folder / "lakehouse"
    inbox = landing / "_api"
    polls = polled(inbox, days)
    before = size_of(inbox)
    # Runs pack what they can; the first ones find that the account is being polled.
    with locked(AccountPlace(inbox, SOURCE, ACCOUNT)):
        first, loose = run(landing, lakehouse), [run(landing, lakehouse) for _ in range(3)]
    packing = run(landing, lakehouse)
    packed = [run(landing, lakehouse) for _ in range(3)]
    rows = DeltaTable(lakehouse / "bronze" / "listening_history").to_pyarrow_table().num_rows
    return {
        "polls": polls,
        "inbox_before": before,
        "inbox_after": size_of(inbox) | {"archives": len(archives_under(inbox))},
        "bronze_rows": rows,
        "first_run": first,
        "idle_runs_before": loose,
        "packing_run": packing,
        "idle_runs_after": packed,
    }


def main() -> int:
    """0 where every play is one row, and nothing was read or built after the first run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(options.days, Path(folder))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    later = [*figures["idle_runs_before"], figures["packing_run"], *figures["idle_runs_after"]]
    is_idle = not any(one["new_files"] or one["built"] for one in later)
    return 0 if is_idle and figures["bronze_rows"] == figures["polls"]["listened"] else 1


if __name__ == "__main__":
    sys.exit(main())
