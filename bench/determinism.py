"""Builds one small landing many times, some at once, and compares every silver and gold table of all builds.

The same input gives the same content: what else runs on the machine, and when, must not show in any table.

Example: determinism.py --builds 30 --at-once 3 --landing data/landing --out /tmp/determinism

Each build has a lakehouse of its own. Left out of the comparison: lineage (columns that begin with `_`), `generated_at` and `trained_at`;
a model's id is replaced by the model's name. Rows are matched by the table's key. Doubles are equal to 1e-9 relative or 1e-12
absolute, everything else exactly. Prints, per table, how many builds agree; exit code 1 when a build failed or a table differs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.table_content import Content, contents, difference  # noqa: E402

LAYERS = ("silver", "gold")
BUILD_SECONDS = 1800


@dataclass
class Group:
    """Builds whose content of a table is equal: that of the first of them, and their numbers."""

    content: Content | None
    builds: list[int]
    against_first: str = ""
    """how the content differs from that of the first group"""


@dataclass
class Comparison:
    """Per table, the groups of builds that agree, in the order in which they appeared."""

    groups: dict[str, list[Group]] = field(default_factory=dict)
    built: list[int] = field(default_factory=list)

    def add(self, build: int, tables: dict[str, Content]) -> None:
        """Put each table of a build into the group it agrees with; a table that the build lacks has no content."""
        for name in self.groups.keys() | tables.keys():
            groups = self.groups.setdefault(name, [Group(None, list(self.built))] if self.built else [])
            self._place(build, tables.get(name), groups)
        self.built.append(build)

    @staticmethod
    def _place(build: int, content: Content | None, groups: list[Group]) -> None:
        first_difference = ""
        for group in groups:
            found = difference(group.content, content)
            if found is None:
                group.builds.append(build)
                return
            first_difference = first_difference or found
        groups.append(Group(content, [build], first_difference))

    def lines(self) -> Iterator[str]:
        """A line per table, and one per group of it beyond the largest."""
        for name, groups in sorted(self.groups.items()):
            yield f"{name:<45} {max(len(group.builds) for group in groups):>3} of {len(self.built)} agree"
            for group in groups[1:]:
                yield f"    builds {group.builds}: {group.against_first}"

    @property
    def differing(self) -> list[str]:
        """Tables that are not equal in all builds."""
        return sorted(name for name, groups in self.groups.items() if len(groups) > 1)


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
    """Build and compare; a lakehouse is deleted once it is compared unless it is to be kept."""
    comparison = Comparison()
    with ThreadPoolExecutor(at_once) as pool:
        running: dict[Future[Path], int] = {
            pool.submit(build, landing, out / f"build_{number:02d}"): number for number in range(1, builds + 1)
        }
        for done in as_completed(running):
            lakehouse = done.result()
            comparison.add(running[done], contents(lakehouse, LAYERS))
            if not keep:
                shutil.rmtree(lakehouse)
            said = (
                f"build {running[done]}, {len(comparison.built)} of {builds}: {len(comparison.differing)} tables differ so far\n"
            )
            sys.stderr.write(said)
    return comparison


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=30, metavar="N", help="how many lakehouses (default 30)")
    parser.add_argument("--at-once", type=int, default=3, metavar="N", help="how many are built at the same time (default 3)")
    parser.add_argument("--landing", type=Path, required=True, metavar="DIR", help="the landing folder; it is not changed")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty folder for lakehouses and reports")
    parser.add_argument("--keep", action="store_true", help="keep the lakehouses (each takes as much room as one of its own)")
    return parser.parse_args(given)


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
    sys.stdout.write(f"{equal} of {len(comparison.groups)} tables are equal in all {len(comparison.built)} builds\n")
    return int(bool(comparison.differing))


if __name__ == "__main__":
    sys.exit(main())
