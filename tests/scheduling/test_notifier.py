"""When the scheduler looks for what needs a person, and what it says when nobody could be told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from scheduling import log, program
from scheduling.child import Ended
from scheduling.clock import Clock
from scheduling.scheduler import Scheduler
from tests.scheduling.scripted import BUILT, HOUR, LOCKED, FakeClock, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    made.notify = ["notify"]
    made.restart()
    return made


def test_after_every_poll_and_build_somebody_looks(stage: Stage) -> None:
    stage.go(24 * HOUR)
    ended = len(stage.times("poll")) + len(stage.times("build"))
    assert ended - 6 <= len(stage.times("notify")) <= ended
    assert stage.told[-1] == ["--build-exit-code", "0"]


def test_without_a_webhook_nobody_does(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.go(24 * HOUR)
    assert stage.times("notify") == []


def test_a_failed_build_is_named_until_the_next_one_ends(stage: Stage) -> None:
    codes = iter([Ended(1, 60.0, "", "error: x\n"), LOCKED, BUILT])
    stage.build = lambda: next(codes, BUILT)
    stage.go(14 * HOUR)
    named = [words[1] if words else None for words in stage.told]
    assert list(dict.fromkeys(named)) == [None, "1", "0"]
    assert named.count("1") > 5


def test_it_says_why_nobody_could_be_told(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log.log, "propagate", True)
    caplog.set_level(logging.INFO, "scheduler")
    stage.notified = Ended(1, 1.0, "", "error: the webhook answers with HTTP 503\n")
    stage.go(HOUR)
    assert "nobody could be told: the webhook answers with HTTP 503" in caplog.text


@pytest.mark.parametrize(("url", "is_told"), [("https://hook.example.org/planted-secret", True), ("", False), (None, False)])
def test_the_address_is_in_no_command(url: str | None, is_told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(tmp_path / "state"))
    if url is not None:
        monkeypatch.setenv("LAKEHOUSE_WEBHOOK_URL", url)
    seen: list[Scheduler] = []
    monkeypatch.setattr(Scheduler, "loop", seen.append)
    clock: Clock = FakeClock()
    assert program.run(["--landing", str(tmp_path)], clock, lambda: None) == 0
    command = seen[0]._notifier._command
    assert (command is not None) == is_told
    assert "planted-secret" not in " ".join(command or [])
