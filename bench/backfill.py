"""Backfill of a long history at Last.fm: the real command against a server of this machine, killed at random moments.

Prints how many scrobbles are new in exactly one place of the inbox, how often the page was fetched that was fetched most often,
the peak resident memory of the command, and the time.
"""

from __future__ import annotations

import argparse
import bisect
import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from polling.inbox_files import poll_files
from polling.places import AccountPlace
from polling.state import load_state

ROOT = Path(__file__).resolve().parent.parent
YEARS = 15
USER = "bench"
NOW = int(dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc).timestamp())
# A scrobble of a long history has most of these; the texts make answers as large as real ones.
PADDING = [{"size": size, "#text": f"https://lastfm.example.org/i/u/{size}/{'0' * 32}.png"} for size in ("small", "large")]


def history(count: int, chance: random.Random) -> list[int]:
    """Seconds of so many scrobbles over 15 years, ascending; some are of the same second, and some months are empty."""
    start = NOW - YEARS * 365 * 86_400
    holidays = [(start + year * 365 * 86_400, start + year * 365 * 86_400 + 70 * 86_400) for year in range(2, YEARS, 4)]
    found: list[int] = []
    while len(found) < count:
        second = chance.randrange(start, NOW - 3600)
        if not any(first <= second < last for first, last in holidays):
            found += [second] * (2 if chance.random() < 0.01 else 1)
    return sorted(found[:count])


def row(number: int, second: int) -> dict[str, Any]:
    """The scrobble with this number in the history."""
    date = {"uts": str(second), "#text": "a date"}
    names = {"artist": {"mbid": "", "#text": f"Artist {number % 997}"}, "album": {"mbid": "", "#text": f"Album {number % 4999}"}}
    return {**names, "name": f"Track {number}", "mbid": "", "url": "https://www.last.fm/music/x", "image": PADDING, "date": date}


class Lastfm(ThreadingHTTPServer):
    """user.getRecentTracks of one account."""

    daemon_threads = True

    def __init__(self, seconds: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seconds, self.pages = seconds, Counter[tuple[tuple[str, str], ...]]()
        self.lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed hangs up; anything else is an error of this benchmark."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def page(self, asked: dict[str, str]) -> bytes:
        """The newest scrobbles with from <= time < to."""
        with self.lock:
            self.pages[tuple(sorted((name, value) for name, value in asked.items() if name != "api_key"))] += 1
        first = bisect.bisect_left(self.seconds, int(asked.get("from", 0)))
        last = bisect.bisect_left(self.seconds, int(asked.get("to", 10**11)))
        numbers = range(last - 1, max(first, last - int(asked["limit"])) - 1, -1)
        rows = [row(number, self.seconds[number]) for number in numbers]
        total = last - first
        about = {"user": USER, "page": "1", "perPage": asked["limit"], "totalPages": "1", "total": str(total)}
        return json.dumps({"recenttracks": {"@attr": about, "track": rows}}).encode()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Lastfm

    def do_GET(self) -> None:
        body = self.server.page(dict(parse_qsl(urlsplit(self.path).query)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(NOW, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Child:
    """The command in a process of its own."""

    def __init__(self, server: Lastfm, folder: Path, *options: str) -> None:
        settings = {
            "LAKEHOUSE_LASTFM_API_URL": f"http://127.0.0.1:{server.server_port}",
            "LAKEHOUSE_LASTFM_CALLS": "100000",
            "LAKEHOUSE_LASTFM_CALL_SECONDS": "1",
            "LAKEHOUSE_INBOX": str(folder / "inbox"),
            "LAKEHOUSE_STATE_DIR": str(folder / "state"),
            "LASTFM_API_KEY": "key",
            "LASTFM_USERS": json.dumps({"anna": USER}),
        }
        command = [sys.executable, str(ROOT / "run_pipeline.py"), "poll", "--backfill", "--user", "anna", *options]
        self.output = (folder / "output.txt").open("ab")
        self.process = subprocess.Popen(  # noqa: S603
            command, env={**os.environ, **settings}, cwd=folder, stdout=self.output, stderr=self.output
        )

    def kill(self) -> int:
        """Returns the peak resident memory, in bytes."""
        self.process.send_signal(signal.SIGKILL)
        return self.wait()[1]

    def wait(self) -> tuple[int, int]:
        """Exit code, and the peak resident memory in bytes."""
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.output.close()
        return self.process.returncode, usage.ru_maxrss * 1024


def measured(count: int, kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Back-fill the history, killed so many times; each moment is a random page, and a random time within it."""
    chance = random.Random(seed)  # noqa: S311
    server = Lastfm(history(count, chance))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    began, peaks = time.perf_counter(), list[int]()
    done = 0
    for page in sorted(chance.sample(range(2, count // 200), kills)):
        child = Child(server, folder)
        while sum(server.pages.values()) < page and child.process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.06)
        done += child.process.poll() is None
        peaks.append(child.kill())
    code, peak = Child(server, folder).wait()
    seconds = time.perf_counter() - began
    pages, requests, most_fetches = len(server.pages), sum(server.pages.values()), max(server.pages.values())
    began = time.perf_counter()
    _, compared_peak = Child(server, folder, "--again").wait()
    compared_seconds = time.perf_counter() - began
    server.shutdown()
    return {
        "scrobbles": count,
        "kills": done,
        "exit_code": code,
        **completeness(server, folder / "inbox"),
        "pages": pages,
        "requests": requests,
        "most_fetches_of_a_page": most_fetches,
        "peak_mb": round(max(*peaks, peak) / 2**20),
        "seconds": round(seconds, 1),
        "comparison": {"peak_mb": round(compared_peak / 2**20), "seconds": round(compared_seconds, 1)},
    }


def completeness(server: Lastfm, inbox: Path) -> dict[str, Any]:
    """How many scrobbles are new in exactly one place, in none, and in several."""
    place = AccountPlace(inbox, "lastfm_api", USER)
    found: Counter[tuple[str, str]] = Counter()
    with poll_files(place) as files:
        for file in files:
            envelope = file.envelope()
            rows = envelope.answer["recenttracks"]["track"]
            found.update((rows[position]["date"]["uts"], rows[position]["name"]) for position in envelope.new)
    wanted = {(str(second), f"Track {number}") for number, second in enumerate(server.seconds)}
    state = load_state(place, "anna")
    return {
        "once": sum(times == 1 for one, times in found.items() if one in wanted),
        "lost": len(wanted - found.keys()),
        "doubled": sum(times > 1 for times in found.values()),
        "files": len(files),
        "is_complete": state.backfill is not None and state.backfill.is_complete,
        "vanished": len(state.vanished),
    }


def main() -> int:
    """0 where every scrobble is there once, no page was fetched more than twice, and memory stayed within 300 MB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scrobbles", type=int, default=350_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=17)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(options.scrobbles, options.kills, options.seed, Path(folder))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    is_whole = figures["once"] == options.scrobbles and not figures["doubled"] and figures["is_complete"]
    return 0 if is_whole and figures["most_fetches_of_a_page"] <= 2 and figures["peak_mb"] <= 300 else 1


if __name__ == "__main__":
    sys.exit(main())
