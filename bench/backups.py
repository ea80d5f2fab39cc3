"""Twenty changes of a lakehouse, a backup after each, then all of it restored elsewhere: is every table equal, and is a run idle?

Prints seconds and new bytes of each backup, tables that differ after a restore of the newest and of the first one, and what a run
over the restored lakehouse did. Exit code 1 if anything differs or was built.
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
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.end_to_end.kernel_digests import write_landing  # noqa: E402
from tests.end_to_end.pipeline import export_row  # noqa: E402

FIRST_DAY = dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--only", action="append", default=[], help="selector of the runs (default: everything)")
    options = parser.parse_args()
    only = [word for selector in options.only for word in ("--only", selector)]
    with tempfile.TemporaryDirectory() as name:
        return _bench(Path(name), options.changes, only)


def _bench(folder: Path, changes: int, only: list[str]) -> int:
    home, backups, other, first = (folder / name for name in ("home", "backups", "other", "first"))
    write_landing(home / "landing")
    _run(home, *only)
    as_first = contents(home)
    first_id = _back_up(home, backups)["backup_id"]
    for number in range(changes):
        _change(home / "landing", number)
        _run(home, *only)
        began = time.perf_counter()
        taken = _back_up(home, backups)
        seconds = time.perf_counter() - began
        say(f"change {number + 1}: {taken['new_files']} new files, {taken['new_bytes']:,} bytes, {seconds:.1f} s")
    _call(other, "restore", str(backups), *_places(other))
    _call(first, "restore", str(backups), *_places(first), "--at", str(first_id))
    differing = [name for name, rows in contents(home).items() if contents(other).get(name) != rows]
    differing_first = [name for name, rows in as_first.items() if contents(first).get(name) != rows]
    report = _run(other, *only)
    say(f"newest backup: {len(contents(home))} tables, different: {differing or 'none'}")
    say(f"first backup: {len(as_first)} tables, different: {differing_first or 'none'}")
    say(f"run there: {len(report['new_files'])} new files, {len(report['outcomes'])} tables built")
    return int(bool(differing or differing_first or report["new_files"] or report["outcomes"]))


def contents(home: Path) -> dict[str, list[str]]:
    """The rows of all tables, lineage too, sorted."""
    paths = sorted(log.parent for log in (home / "lakehouse").glob("*/*/_delta_log"))
    return {
        f"{path.parent.name}.{path.name}": sorted(map(repr, DeltaTable(path).to_pyarrow_table().to_pylist())) for path in paths
    }


def _change(landing: Path, number: int) -> None:
    """A new file, a file that is replaced, a file that goes, or corrections, in turn."""
    draw = random.Random(number)  # noqa: S311 no secret
    listener = landing / "listeners" / ("ann", "bob", "cid")[number % 3]
    rows = [
        export_row(f"{FIRST_DAY + dt.timedelta(days=number, minutes=5 * n):%Y-%m-%dT%H:%M:%SZ}", draw.randrange(40))
        for n in range(30)
    ]
    if number % 4 == 2:
        (listener / "corrections.csv").write_text(
            f"action,kind,from_artist,to_artist\nrename,artist,Artist 1,Artist of {number}\n"
        )
    elif number % 4 == 3 and (gone := sorted(listener.glob("new-*.json"))):
        gone[0].unlink()
    else:
        (listener / f"new-{number % 6}.json").write_text(json.dumps(rows))


def _places(home: Path) -> list[str]:
    return ["--lakehouse", str(home / "lakehouse"), "--landing", str(home / "landing")]


def _run(home: Path, *only: str) -> dict[str, Any]:
    return _call(home, "run", "--engine", "embedded", *_places(home), *only)


def _back_up(home: Path, backups: Path) -> dict[str, Any]:
    return _call(home, "backup", str(backups), *_places(home))


def _call(home: Path, *words: str) -> dict[str, Any]:
    home.mkdir(exist_ok=True)
    environment = os.environ | {"LAKEHOUSE_STATE_DIR": str(home / "state"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "run_pipeline.py"), *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home, env=environment)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    return dict(json.loads(done.stdout))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
