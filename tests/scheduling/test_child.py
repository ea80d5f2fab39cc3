"""Commands as real processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from scheduling import child
from scheduling.child import Child, Ended


def python(code: str) -> Child:
    return Child([sys.executable, "-c", code], {"OWN": "set"})


def end_of(process: Child, seconds: float = 20) -> Ended:
    deadline = time.monotonic() + seconds
    while (ended := process.ended()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return ended


def until(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()


def test_it_leaves_its_output_apart_from_its_errors() -> None:
    ended = end_of(python("import sys; print('out ä'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (ended.exit_code, ended.output, ended.errors) == (3, "out ä\n", "err\n")
    assert ended.seconds > 0


def test_it_has_settings_of_its_own_beside_those_of_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMON", "too")
    assert end_of(python("import os; print(os.environ['OWN'], os.environ['COMMON'])")).output == "set too\n"


def test_much_output_blocks_nothing_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "MOST_OUTPUT", 1_000_000)
    ended = end_of(python("import sys; print('x' * 1_000_001); print('first', 'y' * 100_000, 'last', file=sys.stderr)"))
    assert (ended.exit_code, ended.output) == (0, "")
    assert len(ended.errors) == child.LAST_ERRORS
    assert ended.errors.endswith("last\n")


def test_output_that_is_no_text_is_no_error() -> None:
    assert end_of(python("import sys; sys.stdout.buffer.write(b'\\xff{}')")).output == "\ufffd{}"


def test_an_interrupt_reaches_it_as_from_the_keyboard(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    process = python(
        f"import pathlib, time\ntry:\n    pathlib.Path({str(begun)!r}).write_text('1')\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('interrupted')"
    )
    until(begun)
    process.interrupt()
    assert end_of(process).output == "interrupted\n"
    process.interrupt()
    process.kill()


def test_killing_it_kills_what_it_started(tmp_path: Path) -> None:
    number = tmp_path / "number"
    process = python(
        "import pathlib, subprocess, sys, time\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(number)!r}).write_text(str(inner.pid))\n"
        "time.sleep(60)"
    )
    inner = psutil.Process(int(until(number)))
    process.kill()
    assert end_of(process).exit_code == -9
    deadline = time.monotonic() + 5
    while inner.is_running() and inner.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_cannot_be_started_is_an_os_error() -> None:
    with pytest.raises(OSError, match="nowhere"):
        Child(["/nowhere/python"], {})
