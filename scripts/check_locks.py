"""Check that every pinned package has a wheel for each Python and platform: `make check-locks`. Installs nothing.

Only what is pure Python and has no wheel anywhere may come as a source archive.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE_ONLY = ("pyspark", "odfpy", "wtforms-json")
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin")
# Each waits for the package index most of the time.
AT_ONCE = 4
PROJECT_PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SUPERSET_PYTHONS = ("3.10", "3.11", "3.12")
LOCKS = {
    "requirements.lock": PROJECT_PYTHONS,
    "requirements-run.lock": PROJECT_PYTHONS,
    "superset/requirements.lock": SUPERSET_PYTHONS,
}
# SQLAlchemy 1.4 has no wheel there; set-up takes 3.11 or 3.12 first.
NOT_PROMISED = {("superset/requirements.lock", "3.10", "aarch64-apple-darwin")}


@dataclass(frozen=True)
class Place:
    """Where a lock file is to be installable."""

    lock: Path
    python: str
    platform: str


def places() -> Iterator[Place]:
    """Every lock file with every Python and platform that it is for."""
    for lock, pythons in LOCKS.items():
        for python in pythons:
            promised = [platform for platform in PLATFORMS if (lock, python, platform) not in NOT_PROMISED]
            yield from (Place(ROOT / lock, python, platform) for platform in promised)


def problem(place: Place, index: Sequence[str] = ()) -> str | None:
    """Why the lock file cannot be installed there from wheels; None where it can. `index` are options that choose the index."""
    with tempfile.TemporaryDirectory() as target:
        command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-deps", "--target", target, *index]
        command += ["--only-binary", ":all:", "--requirements", str(place.lock)]
        command += [part for name in SOURCE_ONLY for part in ("--no-binary", name)]
        command += ["--python-version", place.python, "--python-platform", place.platform]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode == 0:
        return None
    causes = [line.strip().removeprefix("cause: ") for line in done.stderr.splitlines() if "cause:" in line]
    return causes[0] if causes else done.stderr.strip()


def main() -> int:
    """Exit code 0, or 1 when something cannot be installed somewhere."""
    failed = 0
    every = list(places())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reasons = list(pool.map(problem, every))
    for place, reason in zip(every, reasons, strict=True):
        failed += reason is not None
        where = f"{place.lock.relative_to(ROOT)} on Python {place.python}, {place.platform}"
        sys.stdout.write(f"{'ok    ' if reason is None else 'FAILED'}  {where}{'' if reason is None else f': {reason}'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
