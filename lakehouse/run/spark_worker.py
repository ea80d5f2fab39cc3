"""A child process that builds the tables that need Spark, beside an embedded parent: one engine per process.

Parent and child speak JSON lines: a task in, an outcome out. The child writes no ops table.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from queue import SimpleQueue
from typing import IO

from lakehouse.build.builder import Builder
from lakehouse.build.commits import COMMIT_SECONDS, Commits
from lakehouse.build.task import Outcome, Task
from lakehouse.engine.base import EngineError, first_line
from lakehouse.engine.spark import SparkEngine
from lakehouse.plan import graph
from lakehouse.process_exit import leave
from lakehouse.settings import PROJECT_ROOT, Settings

NICENESS = 5
LAST_LINES = 3


class ChildBuilder:
    """The parent's side: starts the child at once, so that its JVM is up when the first task comes."""

    def __init__(self, settings: Settings) -> None:
        command = [sys.executable, "-m", "lakehouse.run.spark_worker", str(settings.dir), settings.spark_memory]
        # What a JVM says while all goes well is no message to the user.
        self.messages = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.messages, text=True, cwd=PROJECT_ROOT
        )
        self.lock = threading.Lock()

    def build(self, task: Task) -> Outcome:
        """Have the child build the task. Raises EngineError when the child is gone."""
        with self.lock:
            if self.process.stdin is None or self.process.stdout is None:
                raise EngineError("the Spark process has no pipes")
            try:
                print(json.dumps(asdict(task)), file=self.process.stdin, flush=True)
            except BrokenPipeError as error:
                raise EngineError(self._last_words()) from error
            answer = self.process.stdout.readline()
        if not answer:
            raise EngineError(self._last_words())
        return Outcome.from_json(json.loads(answer))

    def _last_words(self) -> str:
        code = self.process.wait()
        self.messages.seek(0)
        lines = self.messages.read().decode("utf-8", "replace").splitlines()
        return f"the Spark process ended with exit code {code}: {' | '.join(lines[-LAST_LINES:])}"

    def stop(self) -> None:
        """Close the pipe, which ends the child; kill it if it does not."""
        self._close(30)

    def break_off(self) -> None:
        """End the child in the middle of its task; without one it makes no commit, and is killed at once."""
        self._close(COMMIT_SECONDS if self.lock.locked() else 0)

    def _close(self, seconds: float) -> None:
        if self.process.stdin is not None:
            # Closing writes what a dead child did not take; that it is dead, the build of that task has reported.
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until_closed(stream: Iterable[str], broken_off: Callable[[], object]) -> Iterator[str]:
    """The lines of the stream; `broken_off` is called where it is closed while a line is still worked on."""
    lines, is_idle = SimpleQueue[str | None](), threading.Event()

    def read() -> None:
        for line in stream:
            lines.put(line)
        if not (is_idle.is_set() and lines.empty()):
            broken_off()
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        is_idle.set()
        line = lines.get()
        is_idle.clear()
        if line is None:
            return
        yield line


def leave_early(commits: Commits) -> None:
    """End the process in the middle of a task, whose answer nobody reads any more, but not of a commit."""
    commits.finish()
    os._exit(1)


def serve(root: str, memory: str, tasks: Iterable[str], answers: IO[str], commits: Commits | None = None) -> None:
    """The child's side: build each task as it comes, until the parent closes the pipe."""
    from pathlib import Path

    # What is built without models is looked at first, so it has the processors first.
    os.nice(NICENESS)
    graph.load()
    engine = SparkEngine(None, memory)
    threading.Thread(target=engine.session, daemon=True).start()
    builder = Builder(Path(root), engine, commits)
    try:
        for line in tasks:
            task = Task(**json.loads(line))
            try:
                outcome = builder.build(task)
            except Exception as error:
                outcome = Outcome(task.table, "failed", error=f"{type(error).__name__}: {first_line(error)}", engine="spark")
            print(json.dumps(outcome.to_json()), file=answers, flush=True)
    finally:
        engine.stop()


if __name__ == "__main__":
    own_commits = Commits()
    serve(sys.argv[1], sys.argv[2], until_closed(sys.stdin, lambda: leave_early(own_commits)), sys.stdout, own_commits)
    leave(0)
