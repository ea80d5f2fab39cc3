"""A child process that builds the tables that need Spark, beside an embedded parent: one engine per process.

Parent and child speak JSON lines: a task in, an outcome out. The child writes no ops table.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import IO

from lakehouse import graph
from lakehouse.build import Builder, Outcome, Task
from lakehouse.engines import EngineError, SparkEngine, first_line
from lakehouse.settings import PROJECT_ROOT, Settings


class ChildBuilder:
    """The parent's side: starts the child at once, so that its JVM is up when the first task comes."""

    def __init__(self, settings: Settings) -> None:
        command = [sys.executable, "-m", "lakehouse.worker", str(settings.dir), settings.spark_memory]
        self.process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT
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
                raise EngineError("the Spark process ended; its messages stand above") from error
            answer = self.process.stdout.readline()
        if not answer:
            raise EngineError(f"the Spark process ended with exit code {self.process.wait()}")
        return Outcome.from_json(json.loads(answer))

    def stop(self) -> None:
        """Close the pipe, which ends the child; kill it if it does not."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def serve(root: str, memory: str, tasks: IO[str], answers: IO[str]) -> None:
    """The child's side: build each task as it comes, until the parent closes the pipe."""
    from pathlib import Path

    graph.load()
    engine = SparkEngine(None, memory)
    threading.Thread(target=engine.session, daemon=True).start()
    builder = Builder(Path(root), engine)
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
    serve(sys.argv[1], sys.argv[2], sys.stdin, sys.stdout)
