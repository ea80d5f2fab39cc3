"""A simulated week of the scheduler with a listener at Spotify, restarted once a day: is a play lost, does memory grow?

    python bench/scheduler_week.py [--days 7] [--steady] [--folder DIR]

Processes, server, polls, builds and signals are real; only time is not. While a poll or a build runs, simulated time goes 60
times as fast; in between, it jumps (with --steady: never). Every other restart comes in the middle of a build.
Exit code 1: a requirement is missed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deltalake import DeltaTable  # noqa: E402

from scheduling.child import lakehouse  # noqa: E402
from tests.scheduling.simulated_clock import SharedClock  # noqa: E402
from tests.scheduling.simulation import HOUR, START, LivingSpotify, Report, Simulation, usual_plays  # noqa: E402

SEED = 17
MOST_STOP_SECONDS, MOST_MB, MOST_GROWTH_MB = 30.0, 150.0, 5.0
BUILD = ("--only", "silver", "--engine", "embedded")
SETTINGS = {"LAKEHOUSE_INTERVAL_HOURS": "12", "LAKEHOUSE_BUILD_AFTER_PLAYS": "50"}


def kept(simulation: Simulation) -> int:
    """Plays that silver holds after a last build of all that was received."""
    places = ["--landing", str(simulation.folder / "landing"), "--lakehouse", str(simulation.folder / "lakehouse")]
    command = lakehouse("run", "--no-demo", "--json", "--only", "silver.plays", *places)
    subprocess.run(command, env=simulation.environment(), cwd=simulation.folder, check=True, capture_output=True)  # noqa: S603
    table = DeltaTable(simulation.folder / "lakehouse" / "silver" / "plays").to_pyarrow_table(columns=["disposition"])
    return list(table.column("disposition").to_pylist()).count("kept")


def show(report: Report, silver: int, minutes: float) -> bool:
    """Print the figures; whether all that is required holds."""
    last = report.events("poll", exit_code=0)[-1]["time"]
    due = {key for key in report.played if key[:19] < last[:19]}
    lost, doubled = due - set(report.received), {key for key, number in report.received.items() if number > 1}
    builds = [line for line in report.events("build", status="ended") if "run_id" in line]
    polls = report.events("poll", exit_code=0)
    growth = max(life.last_mb - life.first_mb for life in report.lives)
    stops, highest = [life.stop_seconds for life in report.lives], max(life.highest_mb for life in report.lives)
    full = sum(line["new_plays"] >= 40 for line in polls)
    rows = {
        "played before the last poll; lost; doubled": f"{len(due)}; {len(lost)}; {len(doubled)}",
        "in poll files; kept in silver": f"{len(report.received)}; {silver}",
        "gaps told, of which there were none": f"{len(report.state.gaps)}",
        "polls; of them nearly full; builds; failed": (
            f"{len(polls)}; {full}; {len(builds)}; {sum(line['exit_code'] != 0 for line in builds)}"
        ),
        "restarts; of them in a build": f"{len(report.lives)}; {sum(life.was_building for life in report.lives)}",
        "seconds from SIGTERM to the end": ", ".join(f"{seconds:.1f}" for seconds in stops),
        "resident MB, first poll to the end": ", ".join(f"{life.first_mb:.1f}-{life.last_mb:.1f}" for life in report.lives),
        "highest resident MB": f"{highest:.1f}",
        "notices of the end of consent": f"{len(report.events('consent'))}",
        "minutes that this took": f"{minutes:.1f}",
    }
    width = max(map(len, rows))
    sys.stdout.write("".join(f"| {name:<{width}} | {value} |\n" for name, value in rows.items()))
    is_complete = not lost and not doubled and silver == len(report.received) and not report.state.gaps
    is_clean = all(life.exit_code == 0 for life in report.lives) and max(stops) <= MOST_STOP_SECONDS
    return is_complete and is_clean and highest <= MOST_MB and growth <= MOST_GROWTH_MB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--steady", action="store_true", help="60 times as fast throughout: a week takes 2.8 hours")
    parser.add_argument("--folder", type=Path, help="work here and leave it, instead of in a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        clock = SharedClock.create(folder / "clock", START)
        # Rushes on the afternoons of two days, in which all other listening stops.
        rushes = [START + 38 * HOUR, START + 110 * HOUR]
        began = time.monotonic()
        with LivingSpotify(clock, usual_plays(options.days + 1, SEED), rushes) as server:
            simulation = Simulation(folder, server, clock, is_steady=options.steady)
            ends = [START + 24 * HOUR * (day + 1) for day in range(options.days)]
            report = simulation.run(ends, build=BUILD, settings=SETTINGS, in_build=True)
            is_fine = show(report, kept(simulation), (time.monotonic() - began) / 60)
    sys.stdout.write("all requirements hold\n" if is_fine else "a requirement is missed\n")
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
