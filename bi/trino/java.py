"""Finding a Java that is new enough."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from bi.process import StackError

# What Trino 476 asks for.
OLDEST = 24
FOLDERS = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)


def java_home(environment: Mapping[str, str] = os.environ, folders: tuple[str, ...] = FOLDERS) -> Path:
    """The home of a Java of OLDEST or later: TRINO_JAVA_HOME, else JAVA_HOME, the usual folders (newest first), the PATH.

    Raises StackError that says which were found and what to install.
    """
    if named := environment.get("TRINO_JAVA_HOME"):
        if (release(Path(named)) or 0) >= OLDEST:
            return Path(named)
        raise StackError(f"TRINO_JAVA_HOME={named} is not Java {OLDEST} or later (see its file `release`)")
    found = {home: number for home in _candidates(environment, folders) if (number := release(home)) is not None}
    fitting = [home for home, number in found.items() if number >= OLDEST]
    if fitting:
        return fitting[0]
    seen = ", ".join(f"{number} in {home}" for home, number in found.items()) or "none"
    raise StackError(
        f"Trino needs Java {OLDEST} or later (found: {seen}); install temurin-25-jdk from Adoptium's packages"
        " (Debian, Ubuntu), or unpack a JDK and name it in TRINO_JAVA_HOME"
    )


def release(home: Path) -> int | None:
    """The feature release of the Java in that folder; None where there is none."""
    path = home / "release"
    if not path.is_file() or not (home / "bin" / "java").exists():
        return None
    version = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', path.read_text(errors="replace"), re.MULTILINE)
    return int(version.group(1)) if version else None


def _candidates(environment: Mapping[str, str], folders: tuple[str, ...]) -> Iterator[Path]:
    if named := environment.get("JAVA_HOME"):
        yield Path(named)
    usual = [home for pattern in folders for home in _matching(pattern)]
    yield from sorted(usual, key=lambda home: -(release(home) or 0))
    if on_path := shutil.which("java", path=environment.get("PATH", "")):
        yield Path(on_path).resolve().parent.parent


def _matching(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
