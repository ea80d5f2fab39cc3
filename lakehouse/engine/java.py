"""The Java and the Delta jars that local Spark needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lakehouse.settings import PROJECT_ROOT

MINIMUM_JAVA = 17
JARS = PROJECT_ROOT / ".jars"


def java_command() -> str | None:
    """The Java launcher that Spark would use: JAVA_HOME's, else the PATH's."""
    home = os.environ.get("JAVA_HOME")
    if home and Path(home, "bin", "java").is_file():
        return str(Path(home, "bin", "java"))
    return shutil.which("java")


def java_problem() -> str | None:
    """Why local Spark cannot run here, with the remedy; None where it can."""
    command = java_command()
    if command is None:
        return "Java is not installed; install JDK 17 or later (or set JAVA_HOME), then run `make setup`"
    answer = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r'version "(\d+)', answer.stderr)
    if version is None or int(version.group(1)) < MINIMUM_JAVA:
        return f"{command} is not Java {MINIMUM_JAVA} or later; install one, or set JAVA_HOME"
    if len(list(JARS.glob("delta-*.jar"))) != 2:
        return "the Delta jars are missing; run `make setup`"
    return None
