"""The end of a process: its exit code, what was registered for it, and what was printed."""

from __future__ import annotations

import subprocess
import sys

from lakehouse.settings import PROJECT_ROOT

CODE = """
import atexit
from lakehouse.process_exit import leave
atexit.register(lambda: print("registered"))
print("written")
leave(3)
"""


def test_everything_is_written_and_done_before_the_exit_code() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert (done.returncode, done.stdout.split(), done.stderr) == (3, ["written", "registered"], "")


def test_closed_output_changes_nothing() -> None:
    shell = ["/bin/sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, CODE.replace("print(", "str(")]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, cwd=PROJECT_ROOT)
    assert (done.returncode, done.stderr) == (3, "")
