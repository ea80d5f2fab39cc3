"""A run that is broken off finishes the commit in hand, and begins no other."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from lakehouse.build.commits import BrokenOffError, Commits
from lakehouse.run.builders import Builders
from lakehouse.settings import Settings


def holding(commits: Commits, release: threading.Event) -> threading.Thread:
    """A thread that has begun a commit, and ends it when released."""
    begun = threading.Event()

    def publish() -> None:
        with commits.commit():
            begun.set()
            release.wait(10)

    thread = threading.Thread(target=publish)
    thread.start()
    assert begun.wait(5)
    return thread


def test_a_run_that_is_broken_off_waits_for_the_commit_in_hand(tmp_path: Path) -> None:
    builders, release = Builders(Settings(dir=tmp_path, engine="embedded")), threading.Event()
    thread = holding(builders._builder.commits, release)
    threading.Timer(0.5, release.set).start()
    began = time.monotonic()
    builders.break_off()
    assert 0.4 <= time.monotonic() - began < 5
    thread.join(5)
    with pytest.raises(BrokenOffError), builders._builder.commits.commit():
        pass


def test_it_waits_no_longer_than_it_is_told() -> None:
    commits, release = Commits(), threading.Event()
    thread = holding(commits, release)
    assert commits.finish(0.1) is False
    release.set()
    thread.join(5)
    assert commits.finish(0) is True


def test_a_commit_that_fails_is_over_too() -> None:
    commits = Commits()
    with pytest.raises(OSError, match="full"), commits.commit():
        raise OSError("disk full")
    assert commits.finish(0) is True
