"""The third step of a run: build what is stale as soon as its upstreams are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from lakehouse.build.task import NOT_DONE, Outcome
from lakehouse.engine.base import first_line
from lakehouse.plan import graph
from lakehouse.plan.build_queue import BuildQueue
from lakehouse.plan.staleness import Plan, Stale, worth_training
from lakehouse.run.builders import Builders, hear_interrupts
from lakehouse.run.context import RunContext
from lakehouse.run.record import Recorder
from lakehouse.run.tasks import task_for
from lakehouse.storage import publishing
from lakehouse.storage.landed_files import LandedFile

TICK_SECONDS = 0.5


def describe(context: RunContext, plan: Plan, recorder: Recorder) -> None:
    """Bring the comments of tables up to date whose declarations say something else; no row changes."""
    for name in plan.described_anew:
        publishing.describe(context.lakehouse.path(context.tables[name]), context.tables[name], context.run_id)
        recorder.note_described(name)


def execute(
    context: RunContext,
    plan: Plan,
    stale: Mapping[str, Stale],
    builders: Builders,
    recorder: Recorder,
    folders: Mapping[str, Path],
    files: Iterable[LandedFile],
    failed: Mapping[str, str],
) -> dict[str, str]:
    """Build the `stale` ones of a plan; one that fails stops those that need it, nothing else.

    `folders` holds the staged rows of bronze tables, `files` the landing files as they are. Returns the tables that were not
    built with their status, those of `failed`, which were not built before, among them.
    """
    queue = _queue(context, plan, stale, builders, recorder, failed)
    if any(s.is_whole and builders.goes_to_child(context.tables[n]) and n not in plan.unavailable for n, s in stale.items()):
        # Its JVM starts while other tables are built.
        builders.start_child()
    if any(not context.tables[name].is_model for name in stale):
        builders.warm_up()
    running = dict[Future[Outcome], Stale]()
    with _pool(context.settings.workers) as pool, _pool(1) as for_child:
        while queue.waiting or running:
            for one, upstream in queue.blocked():
                error = f"needs {upstream}, which was not built"
                recorder.note(Outcome(one.table, queue.failed[one.table], error=error), one)
            for one in queue.next():
                room = for_child if builders.goes_to_child(context.tables[one.table]) else pool
                running[room.submit(_build, context, plan, one, builders, recorder, folders, files)] = one
            hear_interrupts()
            for future in wait(running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED).done:
                one, outcome = running.pop(future), future.result()
                recorder.note(outcome, one)
                queue.ended(one.table, outcome.status if outcome.status in (*NOT_DONE, "not built") else None)
    return queue.failed


def _queue(
    context: RunContext,
    plan: Plan,
    stale: Mapping[str, Stale],
    builders: Builders,
    recorder: Recorder,
    failed: Mapping[str, str],
) -> BuildQueue:
    seconds = {name: last.seconds for name, last in recorder.state.last.items()}
    early = graph.needed_for(context.early, stale)
    child = {name for name in stale if builders.goes_to_child(context.tables[name])}
    return BuildQueue(stale, context.tables, seconds, failed, context.settings.workers, child.__contains__, early)


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that build; an interrupt does not wait for what they do."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="build")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _build(
    context: RunContext,
    plan: Plan,
    stale: Stale,
    builders: Builders,
    recorder: Recorder,
    folders: Mapping[str, Path],
    files: Iterable[LandedFile],
) -> Outcome:
    """Build one table, in a thread of its own. An error becomes an outcome, which the run reports."""
    declared, state = context.tables[stale.table], recorder.state
    context.observer.started(stale.table)
    try:
        if declared.is_model and not stale.is_whole and worth_training(state, stale.table, context.started_at) is None:
            return Outcome(stale.table, "up to date", version=state.versions[stale.table])
        return builders.build(declared, task_for(stale, context, plan, state, folders, files))
    except Exception as error:
        message = f"{type(error).__name__}: {first_line(error)}"
        return Outcome(stale.table, "failed", error=message, engine=builders.engine.name)
