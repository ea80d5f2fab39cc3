"""Python and its packages, Java, and the jars of Delta."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from lakehouse.engine.java import java_problem
from lakehouse.settings import PROJECT_ROOT
from upkeep.checks.finding import Finding, SetUp

LOCK = "requirements-run.lock"
PYTHONS = ((3, 11), (3, 14))


def python(set_up: SetUp, root: Path = PROJECT_ROOT, running: tuple[int, int] = sys.version_info[:2]) -> Iterator[Finding]:
    """A Python that the project is not made for, and packages that are missing or not those of the lock file."""
    least, most = (".".join(map(str, each)) for each in PYTHONS)
    if not PYTHONS[0] <= running <= PYTHONS[1]:
        what = f"Python {running[0]}.{running[1]} runs this; the project needs {least} to {most}"
        yield Finding("python", what, sys.executable, f"install Python {most}, then `make setup`")
    wrong = dict(_wrong_packages(root / LOCK))
    if wrong:
        shown = ", ".join(f"{name} ({why})" for name, why in list(wrong.items())[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        yield Finding("python", f"packages are not as the lock file says: {shown}{more}", sys.prefix, "make setup")


def _wrong_packages(lock: Path) -> Iterator[tuple[str, str]]:
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.startswith(("#", " ", "-")) or "==" not in line:
            continue
        try:
            wanted = Requirement(line.removesuffix("\\").strip())
        except InvalidRequirement as error:
            yield line.split("==", maxsplit=1)[0], f"{lock.name} cannot be read here: {error}"
            continue
        # Packages of extras stand in the lock too; those that nobody asked for may be absent.
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            present = version(wanted.name)
        except PackageNotFoundError:
            yield wanted.name, "missing"
            continue
        if not wanted.specifier.contains(present, prereleases=True):
            yield wanted.name, f"{present} instead of {str(wanted.specifier).removeprefix('==')}"


def java(set_up: SetUp) -> Iterator[Finding]:
    """A JAVA_HOME that leads nowhere, and what keeps Spark from running where it is wanted."""
    home = set_up.environment.get("JAVA_HOME")
    if home and not os.access(Path(home, "bin", "java"), os.X_OK):
        yield Finding("java", "JAVA_HOME has no bin/java", home, "set JAVA_HOME to the folder of a JDK 17 or later, or unset it")
    if set_up.settings.engine in ("auto", "spark") and (problem := java_problem()) is not None:
        what, _, remedy = problem.partition("; ")
        without = "; set LAKEHOUSE_ENGINE=embedded to do without the tables that need Spark"
        yield Finding("java", what, home or "PATH", remedy + (without if set_up.settings.engine == "auto" else ""))
