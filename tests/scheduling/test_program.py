"""scheduler.py as a process: its signals, its single instance, and its memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from lakehouse.settings import PROJECT_ROOT

HEAVY = ("pyspark", "pyarrow", "deltalake", "pandas", "numpy", "spotipy", "requests", "tenacity", "duckdb", "rich")


def environment(folder: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "LASTFM", "LISTENBRAINZ"))}
    places = {"LAKEHOUSE_STATE_DIR": str(folder / "state"), "LAKEHOUSE_DIR": str(folder / "lakehouse")}
    return kept | places | {"PYTHONPATH": str(PROJECT_ROOT)} | settings


@contextmanager
def running(folder: Path, *options: str, program: Sequence[str] = ("scheduler.py",)) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler over an empty landing folder, once it has begun."""
    (folder / "landing").mkdir(exist_ok=True)
    command = [sys.executable, str(PROJECT_ROOT / program[0]), "--landing", str(folder / "landing"), *options]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(folder), cwd=folder)
    try:
        wait_for(folder, "started")
        yield process
    finally:
        process.kill()
        process.wait()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def wait_for(folder: Path, event: str, **values: Any) -> None:
    deadline = time.monotonic() + 60
    while not any(line["event"] == event and values.items() <= line.items() for line in lines(folder)):
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_also_while_it_builds(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as process:
        wait_for(tmp_path, "build", status="started")
        children = psutil.Process(process.pid).children(recursive=True)
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == 0
        assert time.monotonic() - began < 25
        assert children
        assert not any(child.is_running() for child in children)
    assert [line["event"] for line in lines(tmp_path)][-1] == "stopped"


def test_signals_one_after_the_other_end_it_once(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        for _ in range(20):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.01)
            if process.poll() is not None:
                break
        assert process.wait(30) == 0


def test_it_is_small_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"import sys, scheduling.program; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    with running(tmp_path) as process:
        wait_for(tmp_path, "build", status="ended")
        assert psutil.Process(process.pid).memory_info().rss < 80 * 2**20


def test_a_second_one_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with running(tmp_path):
        command = [sys.executable, str(PROJECT_ROOT / "scheduler.py")]
        done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 3
    assert "another scheduler uses" in done.stderr


def test_a_state_that_cannot_be_read_is_said_and_everything_is_due(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "scheduler.json").write_text('{"format": "other"}')
    with running(tmp_path):
        wait_for(tmp_path, "state", level="warning")
        wait_for(tmp_path, "poll", exit_code=2)


def test_a_state_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = environment(tmp_path, LAKEHOUSE_STATE_DIR=str(tmp_path / "file" / "state"))
    command = [sys.executable, str(PROJECT_ROOT / "scheduler.py")]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "Traceback" not in done.stderr


def test_its_children_survive_a_terminal_that_sends_an_interrupt_to_all(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group of the foreground: the child hears of it once, from the scheduler."""
    with running(tmp_path) as process:
        wait_for(tmp_path, "build", status="started")
        [child] = psutil.Process(process.pid).children()
        assert os.getpgid(child.pid) != os.getpgid(process.pid)
