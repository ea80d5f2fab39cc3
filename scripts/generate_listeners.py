"""Generate synthetic listeners over a catalogue: landing files for tests, benchmarks and demos.

Example: generate_listeners.py --listeners 5000 --plays 1000 --catalogue dataset.csv --out data/landing/synthetic

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
from concurrent.futures.process import BrokenProcessPool
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASTE_GROUPS = 4
SHOW_SECONDS = 1.0


def arguments() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, required=True, metavar="N", help="how many listeners")
    parser.add_argument("--plays", type=int, default=1000, metavar="N", help="mean plays per listener, 15 or more (default 1000)")
    parser.add_argument("--catalogue", type=Path, required=True, metavar="CSV", help="the Kaggle catalogue (dataset.csv)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder of its own, made by this command")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--start", type=date.fromisoformat, default=date(2023, 1, 1), metavar="DATE", help="default 2023-01-01")
    parser.add_argument(
        "--end", type=date.fromisoformat, default=date(2025, 1, 1), metavar="DATE", help="first day after, default 2025-01-01"
    )
    parser.add_argument(
        "--plant",
        type=int,
        nargs="?",
        const=TASTE_GROUPS,
        metavar="GROUPS",
        help=f"plant taste groups (default {TASTE_GROUPS}), a listener whose mood falls on Mondays, and an anomaly week",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one a core)")
    parser.add_argument("--force", action="store_true", help="replace what an earlier call left in DIR")
    return parser.parse_args()


def peak_mb(workers: int) -> float:
    """Peak resident memory of this process and as many of its largest worker, MB: no less than all had at any time."""
    # Linux counts in KB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    own, largest = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + workers * largest) / unit


def main() -> int:
    """Exit code 0; 1 when files could not be read or written; 2 for arguments that cannot be used."""
    sys.path.insert(0, str(ROOT))
    from synthetic.catalogue import CatalogueError
    from synthetic.folder import FolderError
    from synthetic.generate import ArgumentError, Progress, generate

    options = vars(arguments())
    if not options["catalogue"].is_file():
        sys.stderr.write(f"error: there is no file {options['catalogue']}: name the Kaggle catalogue, dataset.csv\n")
        return 2
    began = shown = time.perf_counter()

    def tell(progress: Progress) -> None:
        nonlocal shown
        now = time.perf_counter()
        if now - shown > SHOW_SECONDS or progress.files == progress.of_files:
            shown = now
            rate = progress.plays / (now - began)
            sys.stderr.write(f"{progress.files}/{progress.of_files} files, {progress.plays:,} plays, {rate:,.0f} plays/s\n")

    try:
        manifest = generate(**options, progress=tell)
    except (ArgumentError, FolderError, CatalogueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"error: {error.strerror or error}: {error.filename}\n")
        return 1
    except BrokenProcessPool:
        sys.stderr.write("error: a worker was killed, perhaps for want of memory; --workers 1 needs less\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing is left behind\n")
        return 1
    seconds = time.perf_counter() - began
    sys.stdout.write(
        f"{manifest['plays']:,} plays of {manifest['listeners']:,} listeners in {options['out']}: {seconds:.1f} s, "
        f"{manifest['plays'] / seconds:,.0f} plays/s, peak memory at most {peak_mb(options['workers']):,.0f} MB\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
