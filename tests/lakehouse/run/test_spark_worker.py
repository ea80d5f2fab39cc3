"""The protocol of the child that builds with Spark: JSON lines in and out, what a dead child says, and how it is ended."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from lakehouse.build.commits import Commits
from lakehouse.build.quality import CheckResult
from lakehouse.build.task import Outcome, Task
from lakehouse.engine.base import EngineError
from lakehouse.run import spark_worker
from lakehouse.run.spark_worker import ChildBuilder, serve, until_closed
from lakehouse.settings import PROJECT_ROOT, Settings
from lakehouse.storage.held import Held

TASK = Task(
    table="models.taste",
    why="new",
    run_id="run-1",
    started_at="2026-01-01T00:00:00+00:00",
    parameters={"gap": 30, "name": "Jiří \n ☃"},
    upstreams={"silver.heard": 4},
    changes={"silver.heard": ["ann"], "silver.songs": None},
    consumed={"silver.heard": 3},
    is_whole=False,
    models={"models.moods": "moods-1"},
    replaced_files=["abc"],
    retried=["bob"],
    withheld=["cid"],
)
OUTCOME = Outcome(
    table="models.taste",
    status="built",
    seconds=1.5,
    version=7,
    keys=2,
    rows=3,
    engine="spark",
    checks=(CheckResult("not null: user_id", "PASS", 0, 3), CheckResult("unique", "WARN", 1, 3, "user_id='ann'")),
    held=(Held("ann", "unique", 1),),
    model={"model_id": "taste-1"},
)
# Writes its arguments and each task to files, and answers every task with OUTCOME.
ANSWERING = """
pathlib.Path("arguments").write_text(json.dumps([os.getcwd(), *sys.argv[1:]]))
for line in sys.stdin:
    with open("tasks", "a") as tasks:
        tasks.write(line)
    print(OUTCOME, flush=True)
print("the pipe was closed", file=open("end", "w"))
"""


Start = Callable[[str], ChildBuilder]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a parent whose child is a script with this text instead of the worker; its files are in `tmp_path`."""
    children: list[ChildBuilder] = []

    def started(text: str) -> ChildBuilder:
        script = tmp_path / "child"
        head = f"#!{sys.executable}\nimport json, os, pathlib, sys, time\nOUTCOME = {json.dumps(OUTCOME.to_json())!r}\n"
        script.write_text(f"{head}HOME = os.getcwd()\nos.chdir({str(tmp_path)!r})\n{text.replace('os.getcwd()', 'HOME')}")
        script.chmod(stat.S_IRWXU)
        monkeypatch.setattr(spark_worker.sys, "executable", str(script))
        children.append(ChildBuilder(Settings(dir=tmp_path / "lake", spark_memory="3g", _env_file=None)))
        return children[-1]

    yield started
    for child in children:
        child.process.kill()
        child.process.wait()


def test_tasks_go_in_and_outcomes_come_out_as_they_were(start: Start, tmp_path: Path) -> None:
    child = start(ANSWERING)
    assert [child.build(TASK), child.build(TASK)] == [OUTCOME, OUTCOME]
    lines = (tmp_path / "tasks").read_text().splitlines()
    assert [Task(**json.loads(line)) for line in lines] == [TASK, TASK]
    home, *arguments = json.loads((tmp_path / "arguments").read_text())
    assert Path(home) == PROJECT_ROOT
    assert arguments == ["-m", spark_worker.__name__, str(tmp_path / "lake"), "3g"]


def test_the_child_starts_before_the_first_task(start: Start, tmp_path: Path) -> None:
    start(ANSWERING)
    until((tmp_path / "arguments").exists)


def test_stopping_closes_the_pipe_and_waits_for_the_childs_own_end(start: Start, tmp_path: Path) -> None:
    child = start(ANSWERING)
    child.build(TASK)
    child.stop()
    assert child.process.returncode == 0
    assert (tmp_path / "end").read_text() == "the pipe was closed\n"


def test_a_child_that_does_not_end_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start("time.sleep(600)")
    waited: list[float | None] = []
    really_wait = child.process.wait

    def impatient(timeout: float | None = None) -> int:
        waited.append(timeout)
        return really_wait(timeout=0.1 if timeout else None)

    monkeypatch.setattr(child.process, "wait", impatient)
    child.stop()
    assert child.process.returncode == -9
    assert waited == [30, None]


def test_a_child_without_a_task_is_killed_at_once_when_the_run_is_broken_off(start: Start) -> None:
    child = start("time.sleep(600)")
    began = time.monotonic()
    child.break_off()
    assert child.process.returncode == -9
    assert time.monotonic() - began < 5


def test_a_child_with_a_task_ends_by_itself_when_the_run_is_broken_off(start: Start, tmp_path: Path) -> None:
    child = start(
        "sys.stdin.readline()\npathlib.Path('busy').touch()\nsys.stdin.read()\ntime.sleep(0.5)\npathlib.Path('end').touch()"
    )

    def build() -> None:
        with pytest.raises(EngineError, match="exit code 0"):
            child.build(TASK)

    thread = threading.Thread(target=build)
    thread.start()
    until((tmp_path / "busy").exists)
    child.break_off()
    assert child.process.returncode == 0
    assert (tmp_path / "end").exists()
    thread.join(10)


@pytest.mark.parametrize("when", ["before it answers", "before it gets the task"])
def test_a_dead_child_is_an_error_with_its_exit_code_and_last_words(start: Start, when: str) -> None:
    read = "sys.stdin.readline()\n" if when == "before it answers" else ""
    child = start(f'{read}print("one\\ntwo\\nthree\\nno memory: é\\xff", file=sys.stderr)\nsys.exit(17)')
    if not read:
        child.process.wait(timeout=60)
    with pytest.raises(EngineError) as gone:
        child.build(TASK)
    assert str(gone.value) == "the Spark process ended with exit code 17: two | three | no memory: éÿ"
    # Another task, and the end of the run, find the same.
    with pytest.raises(EngineError, match="exit code 17"):
        child.build(TASK)
    child.stop()


def test_a_killed_child_is_an_error(start: Start) -> None:
    child = start("os.kill(os.getpid(), 9)")
    with pytest.raises(EngineError, match=r"ended with exit code -9: $"):
        child.build(TASK)


def test_what_is_no_text_among_the_last_words_is_replaced(start: Start) -> None:
    child = start('os.write(2, b"bad \\xff byte")\nsys.exit(1)')
    with pytest.raises(EngineError, match=r"exit code 1: bad \ufffd byte$"):
        child.build(TASK)


def test_tasks_of_two_threads_do_not_mix(start: Start) -> None:
    child = start(
        "for line in sys.stdin:\n    table = json.loads(line)['table']\n    time.sleep(0.05)\n"
        "    print(json.dumps({**json.loads(OUTCOME), 'table': table}), flush=True)\n"
    )
    tables = [f"gold.t{n}" for n in range(8)]
    answers: dict[str, str] = {}

    def build(table: str) -> None:
        answers[table] = child.build(Task(**{**asdict(TASK), "table": table})).table

    threads = [threading.Thread(target=build, args=[table]) for table in tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {table: table for table in tables}


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Engine:
    """Stands for Spark: notes that its session was started, and whether it was stopped."""

    name = "spark"

    def __init__(self, master: str | None, memory: str) -> None:
        self.made_with, self.is_stopped = (master, memory), False
        self.session_started = threading.Event()

    def session(self) -> None:
        self.session_started.set()

    def stop(self) -> None:
        self.is_stopped = True


class Served:
    """The child's side over lines of text, and what was done with them. Its builder fails for the table gold.bad."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.engines: list[Engine] = []
        self.roots: list[Path] = []
        self.tasks: list[Task] = []
        self.calls: list[Any] = []
        monkeypatch.setattr(spark_worker, "SparkEngine", self.engine)
        monkeypatch.setattr(spark_worker, "Builder", self.builder)
        monkeypatch.setattr(spark_worker.graph, "load", lambda: self.calls.append("load"))
        monkeypatch.setattr(os, "nice", self.calls.append)

    def engine(self, master: str | None, memory: str) -> Engine:
        self.engines.append(Engine(master, memory))
        return self.engines[-1]

    def builder(self, root: Path, engine: Engine, commits: Commits | None) -> Served:
        assert engine is self.engines[-1]
        self.roots.append(root)
        return self

    def build(self, task: Task) -> Outcome:
        self.tasks.append(task)
        if task.table == "gold.bad":
            raise ValueError("no such column\nand a trace")
        return OUTCOME

    def answers(self, lines: str) -> list[Outcome]:
        """Serves the lines until their end."""
        answers = io.StringIO()
        serve(str(self.folder), "3g", io.StringIO(lines), answers)
        return [Outcome.from_json(json.loads(line)) for line in answers.getvalue().splitlines()]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Served:
    return Served(tmp_path, monkeypatch)


def line(**changes: Any) -> str:
    return json.dumps({**asdict(TASK), **changes}) + "\n"


def test_the_child_answers_each_task_and_ends_with_its_input(served: Served, tmp_path: Path) -> None:
    assert served.answers(line() + line(why="again")) == [OUTCOME, OUTCOME]
    assert served.tasks == [TASK, Task(**{**asdict(TASK), "why": "again"})]
    assert served.roots == [tmp_path]
    [engine] = served.engines
    assert engine.made_with == (None, "3g")
    assert engine.is_stopped
    niceness, loaded = served.calls
    assert niceness > 0
    assert loaded == "load"


def test_the_session_starts_before_the_first_task(served: Served) -> None:
    assert served.answers("") == []
    assert served.engines[0].session_started.wait(30)
    assert served.engines[0].is_stopped


def test_a_build_that_fails_is_an_answer_and_the_next_task_is_built(served: Served) -> None:
    failed = Outcome("gold.bad", "failed", error="ValueError: no such column", engine="spark")
    assert served.answers(line(table="gold.bad") + line()) == [failed, OUTCOME]


def test_the_engine_is_stopped_when_a_line_is_no_task(served: Served) -> None:
    with pytest.raises(json.JSONDecodeError):
        served.answers("no JSON\n")
    assert served.engines[0].is_stopped


def test_a_pipe_that_is_closed_during_a_task_is_noticed_at_once() -> None:
    sent, broken_off = SimpleQueue[str | None](), threading.Event()
    lines = until_closed(iter(sent.get, None), broken_off.set)
    sent.put("one")
    assert next(lines) == "one"
    sent.put(None)
    # The task "one" is still worked on.
    assert broken_off.wait(10)
    assert list(lines) == []


def test_a_pipe_that_is_closed_after_the_last_task_is_the_usual_end() -> None:
    sent, broken_off = SimpleQueue[str | None](), threading.Event()
    lines = until_closed(iter(sent.get, None), broken_off.set)
    sent.put("one")
    assert next(lines) == "one"
    threading.Timer(0.3, sent.put, [None]).start()
    assert list(lines) == []
    assert not broken_off.is_set()


def test_the_child_leaves_in_the_middle_of_a_task_but_not_of_a_commit(tmp_path: Path) -> None:
    code = (
        "import sys, threading, time\n"
        "from lakehouse.build.commits import Commits\n"
        "from lakehouse.run.spark_worker import leave_early, until_closed\n"
        "commits = Commits()\n"
        "for line in until_closed(sys.stdin, lambda: leave_early(commits)):\n"
        "    with commits.commit():\n"
        "        print('committing', flush=True)\n"
        "        time.sleep(1)\n"
        "        print('committed', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("task\n")
        process.stdin.flush()
        assert process.stdout.readline() == "committing\n"
        process.stdin.close()
        assert process.stdout.read() == "committed\n"
        assert process.wait(10) == 1
    finally:
        process.kill()
        process.wait()
