"""The command `generate`: synthetic listeners over a catalogue, as landing files for tests, benchmarks and demos.

Example: lakehouse generate --listeners 5000 --plays 1000 --catalogue dataset.csv --out data/landing/synthetic

The folder appears when it is complete. Beside the plays it holds _manifest.json (arguments, checksums), _listeners.csv
(what is true of each listener) and, with --plant, _planted.json (what analyses should find); landing ignores these three.
The same arguments give the same bytes, however many processes work.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse.cli.errors import FAILED, OK, USAGE, print_error
from lakehouse.cli.product import Product
from synthetic.catalogue import CatalogueError
from synthetic.folder import FolderError
from synthetic.generate import ArgumentError, Progress, generate

TASTE_GROUPS = 4
SHOW_SECONDS = 1.0
ARGUMENTS = ("listeners", "plays", "catalogue", "out", "seed", "start", "end", "plant", "workers", "force")


def add_options(parser: argparse.ArgumentParser, *, needs_folder: bool = True) -> None:
    """The options of `generate`; `needs_folder`: whether there has to be a folder for the files."""
    parser.add_argument("--listeners", type=int, required=True, metavar="N", help="number of listeners")
    parser.add_argument("--plays", type=int, default=1000, metavar="N", help="mean plays per listener, 15 or more (default 1000)")
    parser.add_argument("--catalogue", type=Path, required=True, metavar="CSV", help="the Kaggle catalogue (dataset.csv)")
    parser.add_argument(
        "--out", type=Path, required=needs_folder, metavar="DIR", help="a separate folder, created by this command"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="random seed (default 1)")
    parser.add_argument(
        "--start",
        type=date.fromisoformat,
        default=date(2023, 1, 1),
        metavar="DATE",
        help="start of the period (default 2023-01-01)",
    )
    parser.add_argument(
        "--end",
        type=date.fromisoformat,
        default=date(2025, 1, 1),
        metavar="DATE",
        help="end of the period, exclusive (default 2025-01-01)",
    )
    parser.add_argument(
        "--plant",
        type=int,
        nargs="?",
        const=TASTE_GROUPS,
        metavar="GROUPS",
        help=f"plant taste groups (default {TASTE_GROUPS}), a listener whose mood falls on Mondays, and a week with an anomaly",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--force", action="store_true", help="replace listeners generated earlier in DIR")


def peak_mb(workers: int) -> float:
    """Peak resident memory of this process and as many of its largest worker, MB: no less than all had at any time."""
    # Linux counts in KB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own, largest = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + workers * largest) / unit


def call(product: Product, options: argparse.Namespace) -> int:
    """Exit code 0; 1 when files could not be read or written; 2 for arguments that cannot be used."""
    del product
    return run(options, lambda manifest, seconds: _say(options, manifest, seconds))


def run(options: argparse.Namespace, then: Callable[[Mapping[str, Any], float], None]) -> int:
    """Generate into `options.out`, then call `then` with the manifest and the seconds it took. Exit codes as `call`."""
    if not options.catalogue.is_file():
        print_error(f"{options.catalogue} does not exist; name the Kaggle catalogue, dataset.csv")
        return USAGE
    began = shown = time.perf_counter()

    def show(progress: Progress) -> None:
        nonlocal shown
        now = time.perf_counter()
        if now - shown > SHOW_SECONDS or progress.files == progress.of_files:
            shown = now
            rate = progress.plays / (now - began)
            sys.stderr.write(f"{progress.files}/{progress.of_files} files, {progress.plays:,} plays, {rate:,.0f} plays/s\n")

    try:
        manifest = generate(**{name: getattr(options, name) for name in ARGUMENTS}, progress=show)
        then(manifest, time.perf_counter() - began)
    except (ArgumentError, FolderError, CatalogueError) as error:
        print_error(str(error))
        return USAGE
    except BrokenProcessPool:
        print_error("a worker process was killed, perhaps because memory ran out; --workers 1 needs less")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing was left behind\n")
        return FAILED
    return OK


def _say(options: argparse.Namespace, manifest: Mapping[str, Any], seconds: float) -> None:
    sys.stdout.write(
        f"{manifest['plays']:,} plays of {manifest['listeners']:,} listeners in {options.out}: {seconds:.1f} s, "
        f"{manifest['plays'] / seconds:,.0f} plays/s, peak memory at most {peak_mb(options.workers):,.0f} MB\n"
    )
