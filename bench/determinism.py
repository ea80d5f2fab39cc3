"""Builds one small landing many times, some at once, and compares every silver and gold table of all builds.

The same input gives the same content: what else runs on the machine, and when, must not show in any table.

Example: determinism.py --builds 30 --at-once 3 --landing data/landing --out data/determinism

Each build has a lakehouse of its own. Tables are compared by tests/equality.py: by key, without lineage and clocks, models by
their names, doubles to 1e-9 relative or 1e-12 absolute, everything else exactly. Prints, per table, how many builds agree;
exit code 1 when a build failed or a table differs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lakehouse.declare import REGISTRY  # noqa: E402
from lakehouse.plan import graph  # noqa: E402
from tests.equality import equality  # noqa: E402

LAYERS = ("silver", "gold")
BUILD_SECONDS = 3600


@dataclass
class Comparison:
    """Which builds agree, table by table."""

    kinds: list[Path] = field(default_factory=list)
    """lakehouses of which each differs in some table from all before it; the others equal one of these in every table"""
    notes: list[str] = field(default_factory=list)
    """what differs from the first lakehouse, one line per lakehouse and table"""
    groups: dict[str, Counter[int]] = field(default_factory=dict)
    """per table, how many builds hold what the lakehouse at that place of `kinds` holds"""
    built: int = 0

    def add(self, lakehouse: Path) -> bool:
        """Compare a lakehouse with those before; whether it holds anything that none of them does."""
        differing = [equality(kind, lakehouse, layers=LAYERS) for kind in self.kinds]
        is_new = False
        for name in sorted(name for name, declared in REGISTRY.items() if declared.layer in LAYERS):
            equal_to = next((place for place, found in enumerate(differing) if name not in found), len(self.kinds))
            is_new |= equal_to == len(self.kinds)
            self.groups.setdefault(name, Counter())[equal_to] += 1
            if differing and name in differing[0]:
                self.notes.append(f"{lakehouse.name}, {name}: {differing[0][name]}")
        if is_new:
            self.kinds.append(lakehouse)
        self.built += 1
        return is_new

    @property
    def differing(self) -> list[str]:
        """Tables that are not equal in all builds."""
        return [name for name, counted in self.groups.items() if len(counted) > 1]

    def lines(self) -> Iterator[str]:
        """How many builds agree on each table, and what differs."""
        yield from (f"{name:<45} {max(counted.values()):>3} of {self.built} agree" for name, counted in self.groups.items())
        yield from self.notes


def build(landing: Path, lakehouse: Path) -> Path:
    """One run of the pipeline into a lakehouse that does not exist yet. Raises RuntimeError where it does not exit with 0."""
    command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--no-demo", "--engine", "auto", "--json"]
    command += ["--landing", str(landing), "--lakehouse", str(lakehouse)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"the build of {lakehouse.name} exited with {done.returncode}: {done.stderr.strip()[-2000:]}")
    lakehouse.with_suffix(".json").write_text(json.dumps(json.loads(done.stdout), indent=2), encoding="utf-8")
    return lakehouse


def compared(landing: Path, out: Path, builds: int, at_once: int, *, keep: bool) -> Comparison:
    """Build and compare; lakehouses that hold nothing new are deleted unless they are to be kept."""
    graph.load()
    comparison = Comparison()
    with ThreadPoolExecutor(at_once) as pool:
        running: list[Future[Path]] = [
            pool.submit(build, landing, out / f"build_{number:02d}") for number in range(1, builds + 1)
        ]
        try:
            for done in as_completed(running):
                lakehouse = done.result()
                if not comparison.add(lakehouse) and not keep:
                    shutil.rmtree(lakehouse)
                sys.stderr.write(f"{comparison.built} of {builds} built, {len(comparison.differing)} tables differ\n")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return comparison


def arguments() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=30, metavar="N", help="how many lakehouses (default 30)")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="how many are built at the same time (default 3)")
    parser.add_argument("--landing", type=Path, required=True, metavar="DIR", help="the landing folder; it is not changed")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty folder for lakehouses and reports")
    parser.add_argument("--keep", action="store_true", help="keep every lakehouse, not only those that differ")
    return parser.parse_args()


def main() -> int:
    """Exit code 0 when every table is equal in all builds; 1 when one differs or a build failed; 2 for unusable folders."""
    options = arguments()
    if not options.landing.is_dir() or (options.out.exists() and any(options.out.iterdir())):
        sys.stderr.write("error: --landing must be a folder, and --out an empty or new one\n")
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        comparison = compared(options.landing, options.out, options.builds, options.at_once, keep=options.keep)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.writelines(f"{line}\n" for line in comparison.lines())
    equal = len(comparison.groups) - len(comparison.differing)
    sys.stdout.write(f"{equal} of {len(comparison.groups)} tables are equal in all {comparison.built} builds\n")
    return int(bool(comparison.differing))


if __name__ == "__main__":
    sys.exit(main())
