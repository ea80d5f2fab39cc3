"""Times the pipeline as a person meets it: a cold run, a rerun with nothing new, and a run after 50 new plays, per engine.

Each is a process of its own. Prints a table; --json writes seconds per stage, peak memory of the process tree (sum of
resident sizes, MB, sampled) and commits per layer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
NEW_PLAYS = 50
SAMPLE_SECONDS = 0.05


def new_plays(path: Path) -> None:
    """Fifty plays of two tracks a day after the history's usual end, as an extended export of their own."""
    plays = [
        {
            "ts": f"2024-12-20T{10 + number // 15:02d}:{number % 15 * 4:02d}:00Z",
            "ms_played": 200_000 + number,
            "master_metadata_track_name": f"Bench {number % 2}",
            "master_metadata_album_artist_name": "Bench",
            "master_metadata_album_album_name": "Bench",
            "spotify_track_uri": f"spotify:track:{number % 2:022d}",
        }
        for number in range(NEW_PLAYS)
    ]
    path.write_text(json.dumps(plays), encoding="utf-8")


def tree_memory(process: psutil.Process) -> int:
    """Resident bytes of a process and all its children; those that end meanwhile count as nothing."""
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for member in family:
        with contextlib.suppress(psutil.Error):
            total += member.memory_info().rss
    return total


def measured(engine: str, landing: Path, lakehouse: Path) -> dict[str, Any]:
    """One run in a process of its own: wall seconds, peak memory, the report's outcomes by layer, commits by layer."""
    before = commits(lakehouse)
    command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--no-demo", "--json", "--engine", engine]
    command += ["--landing", str(landing), "--lakehouse", str(lakehouse)]
    began, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)  # noqa: S603
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, tree_memory(watched))
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - began
        output.seek(0)
        report = json.load(output)
    stages: Counter[str] = Counter()
    for outcome in report["outcomes"]:
        stages[outcome["table"].split(".")[0]] += outcome["seconds"]
    written = commits(lakehouse) - before
    return {
        "seconds": round(seconds, 2),
        "peak_mb": peak // 2**20,
        "exit_code": process.returncode,
        "statuses": dict(Counter(outcome["status"] for outcome in report["outcomes"])),
        "stage_seconds": {layer: round(spent, 2) for layer, spent in stages.items()},
        "table_seconds": {outcome["table"]: round(outcome["seconds"], 2) for outcome in report["outcomes"]},
        "commits": {layer: written[layer] for layer in ("bronze", "silver", "gold", "ops")},
    }


def commits(lakehouse: Path) -> Counter[str]:
    """Commits in the logs of each layer."""
    return Counter(log.relative_to(lakehouse).parts[0] for log in lakehouse.glob("*/*/_delta_log/*.json"))


def main() -> int:
    """Run the three situations on each engine; exit code 1 when a run failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--landing", type=Path, required=True, help="folder with the real files; it is not changed")
    parser.add_argument("--engines", nargs="+", default=["embedded", "spark"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    figures: dict[str, dict[str, Any]] = {}
    for engine in options.engines:
        with tempfile.TemporaryDirectory() as scratch:
            landing, lakehouse = Path(scratch, "landing"), Path(scratch, "lakehouse")
            shutil.copytree(options.landing, landing)
            figures[engine] = {"cold": measured(engine, landing, lakehouse), "nothing new": measured(engine, landing, lakehouse)}
            new_plays(landing / "new_plays.json")
            figures[engine]["50 new plays"] = measured(engine, landing, lakehouse)
    print(f"{'engine':<10} {'run':<14} {'seconds':>8} {'peak MB':>8}  commits (bronze silver gold ops)   stage seconds")  # noqa: T201
    for engine, runs in figures.items():
        for name, run in runs.items():
            written = " ".join(str(number) for number in run["commits"].values())
            line = f"{engine:<10} {name:<14} {run['seconds']:>8.2f} {run['peak_mb']:>8}  {written:<33}  {run['stage_seconds']}"
            print(line)  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    return int(any(run["exit_code"] for runs in figures.values() for run in runs.values()))


if __name__ == "__main__":
    sys.exit(main())
