"""Mutation testing: `make mutants`. Make small changes to the code and expect a test to fail for each.

Runs all mutants of lakehouse/plan, music/statistics and recommenders/metrics, and a seeded sample of those of lakehouse/build and
silver/duplicates, with the tests that [tool.mutmut] in pyproject.toml names. Verdicts stay in `mutants/`: an interrupted run
continues where it stopped, and after a change to the tests only survivors run again. Every survivor must be judged in
tests/mutants/survivors.md. Exit code 1 if a share of killed mutants is below its target or a survivor is not judged.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOL, WORK = ROOT / ".mutmut", ROOT / "mutants"
LOCK = ROOT / "tests" / "mutants" / "requirements.lock"
SURVIVORS = ROOT / "tests" / "mutants" / "survivors.md"
SEED, SAMPLE = 15, 100
# Tests that build whole lakehouses reach nearly everything. Only what they are written for is measured by them.
WHOLE_RUNS = (
    "tests/lakehouse/build/test_added_rows.py",
    "tests/lakehouse/build/test_build_failures.py",
    "tests/lakehouse/build/test_builder.py",
    "tests/lakehouse/run/test_models.py",
)
# Mutmut makes all mutants before it runs the first: this is the one.
FIRST = "recommenders.metrics.x_coverage__mutmut_1"
# Exit codes of a worker: no test failed; no test reached the code; not run; broken off.
SURVIVED, UNTESTED, OPEN = (0,), (5, 33), (None, 2)
REPORT_SECONDS = 60
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


@dataclass(frozen=True)
class Group:
    """Mutants with a target: all of these modules, or a sample of them."""

    name: str
    modules: tuple[str, ...]
    least: float
    sample: int | None = None
    deselected: tuple[str, ...] = WHOLE_RUNS

    def of(self, verdicts: Mapping[str, int | None]) -> list[str]:
        """The group's mutants; a sample is the same for the same names."""
        names = sorted(name for name in verdicts if name.startswith(self.modules))
        if self.sample is None or self.sample >= len(names):
            return names
        return sorted(random.Random(SEED).sample(names, self.sample))  # noqa: S311


GROUPS = (
    Group("lakehouse/plan", ("lakehouse.plan.",), 0.85),
    Group("music/statistics", ("music.statistics.",), 0.85),
    Group("recommenders/metrics", ("recommenders.metrics.",), 0.85),
    Group("lakehouse/build, silver/duplicates", ("lakehouse.build.", "silver.duplicates."), 0.80, SAMPLE, deselected=()),
)


@dataclass(frozen=True, order=True)
class Mutation:
    """A change of a function: the lines it takes out and puts in, without indentation."""

    function: str
    removed: str
    added: str

    def __str__(self) -> str:
        return f"### {self.function}\n```diff\n-{self.removed}\n+{self.added}\n```"


def install() -> None:
    """Put the locked tool into `.mutmut`, beside the environment whose packages it uses."""
    stamp, digest = TOOL / "lock.sha256", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print("mutants: installing mutmut (once)", flush=True)  # noqa: T201
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target", str(TOOL)]
    subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(LOCK)], check=True)  # noqa: S603
    stamp.write_text(digest)


def verdicts() -> dict[str, int | None]:
    """The exit code of every mutant there is; None where it has not run."""
    codes: dict[str, int | None] = {}
    for file in WORK.rglob("*.py.meta"):
        codes |= json.loads(file.read_text())["exit_code_by_key"]
    return codes


def reopen_survivors() -> None:
    """Forget the verdict on survivors where a test changed since: perhaps it notices them."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    stamp, digest = WORK / "tests.sha256", hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    for file in WORK.rglob("*.py.meta"):
        content = json.loads(file.read_text())
        codes = content["exit_code_by_key"]
        content["exit_code_by_key"] = {name: None if code in SURVIVED + UNTESTED else code for name, code in codes.items()}
        file.write_text(json.dumps(content, indent=4))
    stamp.write_text(digest)


def sweep() -> None:
    """Remove modules from the copy that the project no longer has: the tool leaves them, and tests would import them."""
    for file in WORK.rglob("*.py"):
        if not (ROOT / file.relative_to(WORK)).is_file():
            file.unlink()
            file.with_name(f"{file.name}.meta").unlink(missing_ok=True)


def mutmut(names: Iterable[str], group: Group, workers: int) -> None:
    """Run these mutants by the tests of the group. What mutmut prints is in mutants/run.log.

    Raises SystemExit where the tests fail without any mutant.
    """
    WORK.mkdir(exist_ok=True)
    log = WORK / "run.log"
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(workers), *names]
    options = " ".join(f"--deselect={path}" for path in group.deselected)
    environment = os.environ | {"PYTHONPATH": str(TOOL), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": options}
    with log.open("w") as out:
        running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            while running.poll() is None:
                time.sleep(1)
                if int(time.monotonic()) % REPORT_SECONDS == 0:
                    print(f"mutants: {_progress(log)}", flush=True)  # noqa: T201
        except KeyboardInterrupt:
            running.terminate()
            running.wait()
            raise
    if running.returncode:
        said = [line for line in re.split(r"[\r\n]+", log.read_text()) if line[:1] not in SPINNER]
        raise SystemExit("\n".join([f"mutants: mutmut ended with exit code {running.returncode}:", *said[-30:]]))


def _progress(log: Path) -> str:
    lines = re.split(r"[\r\n]+", log.read_text()[-500:].strip())
    return lines[-1]


def mutations(names: Collection[str]) -> list[Mutation]:
    """What these mutants change."""
    sys.path.insert(0, str(TOOL))
    difference = importlib.import_module("mutmut.mutation.diff_apply").get_diff_for_mutant
    found = []
    for name in names:
        lines = [line for line in difference(name).splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        sides = [" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+"]
        found.append(Mutation(function_of(name), *sides))
    return found


def function_of(name: str) -> str:
    """`recommenders.metrics.ndcg` of `recommenders.metrics.x_ndcg__mutmut_3`; methods are `x\u01c1Class\u01c1method`."""
    return re.sub(r"\.x(?:_|ǁ)", ".", name.rpartition("__mutmut_")[0]).replace("ǁ", ".")


def judged(page: str) -> set[Mutation]:
    """The mutations that the page judges: every diff under the heading of its function."""
    found, function = set(), ""
    for heading, removed, added in re.findall(r"^### (\S+)|^```diff\n-(.*)\n\+(.*)\n```$", page, re.M):
        function = heading or function
        if not heading:
            found.add(Mutation(function, removed.strip(), added.strip()))
    return found


def report(codes: Mapping[str, int | None]) -> int:
    """Print scores and survivors that are not judged; the exit code."""
    accepted, is_fine = judged(SURVIVORS.read_text("utf-8")), True
    for group in GROUPS:
        names = group.of(codes)
        counts = Counter(codes[name] for name in names)
        alive = [name for name in names if codes[name] in (*SURVIVED, *UNTESTED)]
        still_open = sum(counts[code] for code in OPEN)
        score = (len(names) - len(alive) - still_open) / max(len(names), 1)
        is_fine &= bool(names) and score >= group.least and not still_open
        untested = sum(counts[code] for code in UNTESTED)
        print(  # noqa: T201
            f"{group.name}: {score:.1%} of {len(names)} killed (at least {group.least:.0%}), {len(alive)} survived,"
            f" {untested} of them untested; {still_open} not run"
        )
        missing = sorted(set(mutations(alive)) - accepted)
        is_fine &= not missing
        for mutation in missing:
            print(f"not judged:\n{mutation}")  # noqa: T201
    return 0 if is_fine else 1


def run_groups(workers: int) -> None:
    """Run the mutants that have no verdict, group by group, as the tests of a group have to pass first without any mutant."""
    sweep()
    mutmut([FIRST], GROUPS[0], workers)
    reopen_survivors()
    for group in GROUPS:
        began, codes = time.monotonic(), verdicts()
        names = [name for name in group.of(codes) if codes[name] in OPEN]
        if names:
            print(f"mutants: {group.name}, {len(names)} to run", flush=True)  # noqa: T201
            mutmut(names, group, workers)
            print(f"mutants: finished after {(time.monotonic() - began) / 60:.0f} minutes", flush=True)  # noqa: T201


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="mutants to run at the same time (default 2)")
    parser.add_argument("--report", action="store_true", help="only judge the mutants that have run")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    install()
    if not options.report:
        run_groups(options.workers)
    return report(verdicts())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
