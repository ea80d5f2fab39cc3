"""Who builds: the engine of this process, and beside an embedded one a child process for what needs Spark."""

from __future__ import annotations

import contextlib
import signal
import threading

from lakehouse.build.builder import Builder
from lakehouse.build.task import Outcome, Task
from lakehouse.declare.table import Table
from lakehouse.engine.choice import engine_for
from lakehouse.engine.embedded import EmbeddedEngine
from lakehouse.engine.java import java_problem
from lakehouse.run.spark_worker import ChildBuilder
from lakehouse.settings import Settings


def hear_interrupts() -> None:
    """Take Ctrl-C back for Python: the embedded engine's server, once started, keeps it to itself."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Builders:
    """The builders of one run. Neither engine starts before it is needed; `stop` ends both."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.engine, self.engine_reason = engine_for(settings)
        self._builder = Builder(settings.dir, self.engine)
        self._child: ChildBuilder | None = None
        self._child_lock = threading.Lock()
        self._is_broken_off = False

    def goes_to_child(self, declared: Table) -> bool:
        """Whether the child process builds the table."""
        return declared.needs == "spark" and self.engine.name == "embedded"

    def spark_problem(self) -> str | None:
        """Why what needs Spark cannot be built beside the embedded engine, with the remedy; None where it can."""
        if self.settings.engine == "embedded":
            return "it needs Spark, which --engine embedded never starts; build with --engine auto"
        return java_problem()

    def build(self, declared: Table, task: Task) -> Outcome:
        """Build a table where it can be built. Raises what its transform or its engine raises."""
        if not self.goes_to_child(declared):
            return self._builder.build(task)
        if (problem := self.spark_problem()) is not None:
            return Outcome(task.table, "not built", error=problem)
        return self.start_child().build(task)

    def start_child(self) -> ChildBuilder:
        """The child process, started at the first call."""
        with self._child_lock:
            self._child = self._child or ChildBuilder(self.settings)
            return self._child

    def warm_up(self) -> None:
        """Start the embedded engine, whose server takes Ctrl-C from Python: one pressed meanwhile waits, and is not lost.

        If it cannot start, the first build reports why. Other engines start with the first build.
        """
        if self.engine.is_started or not isinstance(self.engine, EmbeddedEngine):
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with contextlib.suppress(Exception):
                self.engine.session()
            hear_interrupts()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def stop(self) -> None:
        """End the engine and the child, unless the run was broken off."""
        if self._is_broken_off:
            return
        self.engine.stop()
        if self._child is not None:
            self._child.stop()

    def break_off(self) -> None:
        """Let commits in hand finish, and end the child. The engine would first end its query; it ends with the process."""
        self._is_broken_off = True
        self._builder.commits.finish()
        if self._child is not None:
            self._child.break_off()
