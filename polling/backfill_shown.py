"""What a person sees of a backfill: a line that moves on a terminal, a line per month elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from polling.progress import Progress
from polling.visit import Outcome


class Shown:
    """An observer of backfills. Use as a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self.bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> Shown:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def read(self, outcome: Outcome, month: str, progress: Progress) -> None:
        """After each page of that month."""
        name = "".join(one if one.isprintable() else " " for one in f"{outcome.source} {outcome.account_id}")
        line = f"{name}: {month}, {progress.months.get(month, 0):,} plays; {progress.plays:,} so far"
        if self.console.is_terminal:
            account = (outcome.source, outcome.account_id)
            if account not in self._tasks:
                self._tasks[account] = self.bar.add_task("", total=None)
            self.bar.update(self._tasks[account], description=escape(line))
        elif progress.position is None:
            self.console.print(Text(line), soft_wrap=True)
