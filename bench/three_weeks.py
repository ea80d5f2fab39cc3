"""Three weeks of runs every six hours, 60 polls a week, and upkeep after each week: what runs take, and how many files there are.

A run builds silver. It begins with an export where one is given. Upkeep counts what came since the last one as younger than a
week. Prints seconds of the first and the last five runs, and files of the tables; exit code 1 if either grows.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.year_of_polls import ACCOUNT, SOURCE, START, Listed, history  # noqa: E402
from lakehouse.storage.delta import version  # noqa: E402
from polling.poll import poll  # noqa: E402
from polling.visit import Account  # noqa: E402
from upkeep import maintenance  # noqa: E402
from upkeep.delta_folder import size_of  # noqa: E402
from upkeep.maintenance import Policy, TableUpkeep, maintain, pinned_versions, table_folders  # noqa: E402

WEEKS, RUNS_A_WEEK, POLLS_A_WEEK = 3, 28, 60
FIRST_AND_LAST, MOST_GROWTH = 5, 1.2
AT_ONCE = Policy(dt.timedelta(0), dt.timedelta(days=365))


class Unheard:
    """Hears and says nothing."""

    def begin(self, tables: int) -> None:
        """Nothing."""

    def table(self, name: str) -> None:
        """Nothing."""

    def done(self, upkeep: TableUpkeep) -> None:
        """Nothing."""


class Weeks:
    """A landing folder with an inbox, the lakehouse built from it, and how far the simulation is."""

    def __init__(self, folder: Path, export: Path | None) -> None:
        self.folder, self.landing, self.lakehouse = folder, folder / "landing", folder / "lakehouse"
        self.landing.mkdir()
        if export is not None:
            shutil.copy(export, self.landing)
        self.client = Listed(history(7 * WEEKS + 1, random.Random(17)))  # noqa: S311
        self.polls, self.runs = 0, 0
        self.before: dict[str, int] = {}

    def poll_until_next_run(self) -> int:
        """The polls of the six hours before a run; returns the new plays."""
        self.runs += 1
        plays = 0
        while self.polls < self.runs * POLLS_A_WEEK // RUNS_A_WEEK:
            self.polls += 1
            self.client.now = START + dt.timedelta(days=7) * self.polls / POLLS_A_WEEK
            [outcome] = poll([Account(SOURCE, ACCOUNT, "me", lambda: self.client)], self.landing / "_api", self.client.now)
            plays += outcome.new_plays
        return plays

    def run(self) -> dict[str, float]:
        """One run in a process of its own: seconds of clock and processors, and tables built. Raises CalledProcessError."""
        command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--no-demo", "--json", "--engine", "embedded"]
        command += ["--only", "silver", "--landing", str(self.landing), "--lakehouse", str(self.lakehouse)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "LAKEHOUSE_STATE_DIR": str(self.folder / "state")}
        before, began = os.times(), time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=self.folder, env=environment)  # noqa: S603
        seconds, after, report = time.perf_counter() - began, os.times(), json.loads(done.stdout)
        processors = after.children_user + after.children_system - before.children_user - before.children_system
        return {"seconds": seconds, "processor_seconds": processors, "built": len(report["outcomes"])}

    def versions(self) -> dict[str, int]:
        return {name: version(folder) or 0 for name, folder in table_folders(self.lakehouse).items()}

    def maintain(self) -> float:
        """Upkeep that keeps every version since the last one, as it would those of a week; returns its seconds."""
        before = self.before

        def pinned(root: Path) -> Mapping[str, set[int]]:
            consumed = pinned_versions(root)
            return {
                name: consumed.get(name, set()) | set(range(before.get(name, 0), newest + 1))
                for name, newest in self.versions().items()
            }

        with mock.patch.object(maintenance, "pinned_versions", pinned):
            done = maintain(self.lakehouse, self.landing / "_api", AT_ONCE, Unheard())
        self.before = self.versions()
        return done.seconds

    def files(self) -> dict[str, dict[str, int]]:
        """Files of all tables, and of the table that has most."""
        sizes = {name: size_of(folder) for name, folder in table_folders(self.lakehouse).items()}
        counts = {"data": {n: s.files for n, s in sizes.items()}, "log": {n: s.log_files for n, s in sizes.items()}}
        return {kind: {"most": max(found.values()), "all": sum(found.values())} for kind, found in counts.items()} | {
            "bytes": {"all": sum(size.bytes for size in sizes.values())}
        }


def measured(weeks: Weeks) -> dict[str, Any]:
    runs, files, upkeep, idle = [], [], [], []
    first = weeks.run()
    for week in range(WEEKS):
        for number in range(RUNS_A_WEEK):
            plays = weeks.poll_until_next_run()
            runs.append(weeks.run() | {"plays": plays})
            sys.stderr.write(f"week {week + 1}, run {number + 1}: {runs[-1]['seconds']:.1f} s, {plays} plays\n")
        before = weeks.files()
        upkeep.append(weeks.maintain())
        files.append({"before": before, "after": weeks.files()})
        idle.append(weeks.run())
    return {"first": first, "runs": runs, "files": files, "upkeep_seconds": upkeep, "idle_after_upkeep": idle}


def growth(runs: list[dict[str, Any]], what: str) -> float:
    """The median of the last runs over that of the first."""
    ends = [statistics.median(run[what] for run in part) for part in (runs[:FIRST_AND_LAST], runs[-FIRST_AND_LAST:])]
    return ends[1] / ends[0]


def main() -> int:
    """0 where neither runs nor files grow, and the runs after upkeep build nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export", type=Path, help="the ZIP of an export to begin with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Weeks(Path(folder), options.export))
    grown = {what: round(growth(figures["runs"], what), 3) for what in ("seconds", "processor_seconds")}
    second, third = (figures["files"][week]["before"] for week in (1, 2))
    more = {kind: round(third[kind]["most"] / second[kind]["most"], 3) for kind in ("data", "log")}
    parts = {"first_five": figures["runs"][:FIRST_AND_LAST], "last_five": figures["runs"][-FIRST_AND_LAST:]}
    shown = {key: value for key, value in figures.items() if key != "runs"} | parts | {"runs_grew": grown, "files_grew": more}
    sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    is_idle = not any(run["built"] for run in figures["idle_after_upkeep"])
    return 0 if is_idle and grown["seconds"] <= MOST_GROWTH and max(more.values()) <= MOST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
