"""Lints Dockerfile and docker-compose.yml: `make lint-containers`.

hadolint comes from its wheel; the Compose file is read by the parser of Docker Compose itself, a Go program that is built once.
Where Go is missing that part is skipped visibly, or is an error with CI=true. Both tools are kept in `.bi/lint`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".bi" / "lint"
HADOLINT_LOCK = ROOT / "scripts" / "hadolint" / "requirements.lock"
PARSER = ROOT / "scripts" / "compose_check"
BUILD_SECONDS, LINT_SECONDS = 900, 60


class LintError(Exception):
    """A tool cannot be had or run; the message says why."""


def call(command: Sequence[str | Path], seconds: int, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command, with its output. Raises LintError when it takes too long."""
    try:
        return subprocess.run(  # noqa: S603
            [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LintError(f"{command[0]} was not ready after {seconds} s") from error


def made_from(stamp: Path, sources: Sequence[Path]) -> tuple[str, bool]:
    """A text that changes with the sources, and whether the stamp has it already."""
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    return digest, stamp.is_file() and stamp.read_text() == digest


def hadolint() -> Path:
    """The program, installed where it is not yet. Raises LintError."""
    stamp = TOOLS / "hadolint.sha256"
    digest, is_there = made_from(stamp, [HADOLINT_LOCK])
    if not is_there:
        pip = f"-m pip install --quiet --disable-pip-version-check --require-hashes -r {HADOLINT_LOCK.relative_to(ROOT)}"
        for command in ([sys.executable, "-m", "venv", str(TOOLS)], [str(TOOLS / "bin" / "python"), *pip.split()]):
            done = call(command, BUILD_SECONDS)
            if done.returncode:
                raise LintError(f"hadolint could not be installed; is the network available?\n{done.stderr.strip()}")
        stamp.write_text(digest)
    return TOOLS / "bin" / "hadolint"


def compose_parser() -> Path | None:
    """The program, built where it is not yet; None where Go is missing. Raises LintError."""
    program, stamp = TOOLS / "compose-check", TOOLS / "compose-check.sha256"
    digest, is_there = made_from(stamp, [PARSER / name for name in ("main.go", "go.mod", "go.sum")])
    if is_there:
        return program
    go = shutil.which("go")
    if go is None:
        return None
    sys.stdout.write("lint-containers: building the Compose parser (once)\n")
    sys.stdout.flush()
    done = call([go, "build", "-o", program, "."], BUILD_SECONDS, PARSER)
    if done.returncode:
        raise LintError(f"the Compose parser could not be built; is the network available?\n{done.stderr.strip()}")
    stamp.write_text(digest)
    return program


def findings() -> list[str]:
    """What the tools say, one text each. Raises LintError."""
    found = []
    if (linted := call([hadolint(), "--no-color", "Dockerfile"], LINT_SECONDS)).returncode:
        found.append(linted.stdout + linted.stderr)
    parser = compose_parser()
    if parser is None and os.environ.get("CI") == "true":
        raise LintError("Go is needed for the Compose parser (Debian, Ubuntu: sudo apt install golang)")
    if parser is None:
        sys.stdout.write("lint-containers: SKIPPED docker-compose.yml, because Go is not installed\n")
    elif (parsed := call([parser, "docker-compose.yml"], LINT_SECONDS)).returncode:
        found.append(f"docker-compose.yml: {parsed.stderr}")
    return found


def main() -> int:
    """Exit code 0; 1 for a finding or a tool that cannot be had."""
    try:
        found = findings()
    except LintError as error:
        found = [f"error: {error}\n"]
    sys.stderr.write("".join(found))
    if not found:
        sys.stdout.write("lint-containers: no problems found\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
