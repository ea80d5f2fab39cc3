"""Polls many listeners through seeded faults into one inbox, builds silver once, and counts each play that was offered.

Prints what was lost, doubled or missed; exit code 1 unless every listener has each play exactly once and each real gap is told.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.chaos_check import Verdict, judge  # noqa: E402
from bench.chaos_kills import kills  # noqa: E402
from bench.chaos_polls import FaultyServices, PolledListener, Seen  # noqa: E402
from bench.chaos_world import listener  # noqa: E402


def polled(numbers: range, *, seed: int, polls: int, folder: Path) -> list[Seen]:
    """Poll some listeners, one after the other, over a server of their own."""
    # Of each fault, clients warn.
    logging.getLogger("polling").setLevel(logging.ERROR)
    seen = []
    server = FaultyServices()
    with server:
        server.token_fields = {"expires_in": 5 * 3600}
        for number in numbers:
            who = listener(seed, number, polls)
            seen.append(PolledListener(server, who, folder / "inbox", folder / "state", seed).run())
            server.requests.clear()
            server.music.asked.clear()
    return seen


def built(folder: Path) -> float:
    """Build silver of the inbox in a process of its own; returns seconds. Raises CalledProcessError."""
    (folder / "landing").mkdir(exist_ok=True)
    command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--only", "silver", "--engine", "embedded", "--json"]
    command += ["--landing", str(folder / "landing"), "--lakehouse", str(folder / "lakehouse")]
    environment = {**os.environ, "LAKEHOUSE_INBOX": str(folder / "inbox"), "PYTHONPATH": str(ROOT), "ALLOW_SYNTHETIC": "false"}
    start = time.monotonic()
    with (folder / "run.json").open("w") as report:
        subprocess.run(command, check=True, stdout=report, env=environment, cwd=folder)  # noqa: S603
    return time.monotonic() - start


def chaos(folder: Path, *, listeners: int, polls: int, seed: int, processes: int = 1) -> Verdict:
    """Poll, build and judge."""
    start = time.monotonic()
    chunks = [range(first, min(first + 10, listeners)) for first in range(0, listeners, 10)]
    work = partial(polled, seed=seed, polls=polls, folder=folder)
    if processes == 1:
        seen = [one for chunk in chunks for one in work(chunk)]
    else:
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            seen = [one for some in pool.map(work, chunks) for one in some]
    (folder / "seen.json").write_text(json.dumps([dataclasses.asdict(one) for one in seen]))
    poll_seconds = time.monotonic() - start
    build_seconds = built(folder)
    verdict = judge(folder / "lakehouse", seen, seed, polls)
    verdict.seconds = {"polls": round(poll_seconds, 1), "build": round(build_seconds, 1)}
    return verdict


def killed(folder: Path, times: int, plays: int, seed: int) -> int:
    """Kill so many times; a line each. Exit code 1 if a table differs from an uninterrupted run's."""
    equal, stages = 0, Counter[str]()
    for number, trial in enumerate(kills(folder, times=times, plays=plays, seed=seed), start=1):
        equal += not trial.differences
        stages[trial.stage] += 1
        print(f"{number}: {trial.stage} after {trial.seconds:.2f} s; other tables: {trial.differences}", flush=True)  # noqa: T201
    print(f"{equal} of {times} equal to an uninterrupted run; killed: {dict(stages)}")  # noqa: T201
    return 0 if equal == times else 1


def main() -> int:
    """Exit code 1 unless all listeners are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--polls", type=int, default=60)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--kills", type=int, metavar="N", help="instead: kill a poll and the build after it N times")
    parser.add_argument("--plays", type=int, default=5000, help="that are polled and built where they are killed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there, and leave what was built")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if options.kills:
            return killed(folder, options.kills, options.plays, options.seed)
        verdict = chaos(folder, listeners=options.listeners, polls=options.polls, seed=options.seed, processes=options.processes)
    print(verdict.text())  # noqa: T201
    return 0 if verdict.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
