"""Generating a folder of synthetic listeners: blocks of listeners, each a file, in one process or several."""

from __future__ import annotations

import json
import math
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timezone
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synthetic import planted
from synthetic.block import Blueprint
from synthetic.catalogue import read_catalogue
from synthetic.files import LISTENER_COLUMNS, USER_ID, listener_lines, write_plays
from synthetic.folder import MANIFEST, sha256_of, whole_folder
from synthetic.listeners import MOST_SESSIONS_A_DAY, mean_days
from synthetic.period import Period
from synthetic.sessions import MEAN_LENGTH

VERSION = 2
"""Goes up whenever the same seed and arguments give other bytes."""
BLOCK_PLAYS = 500_000
LISTENERS, PLANTED = "_listeners.csv", "_planted.json"
FEWEST_DAYS = 28


class ArgumentError(ValueError):
    """An argument that cannot be used; the message says why."""


@dataclass(frozen=True)
class Progress:
    """How far a generation is."""

    files: int
    of_files: int
    plays: int


@dataclass(frozen=True)
class _Task:
    index: int
    first: int
    count: int
    path: Path


_model: Blueprint | None = None


def generate(
    catalogue: Path,
    out: Path,
    *,
    listeners: int,
    plays: int,
    seed: int,
    start: date,
    end: date,
    plant: int | None = None,
    workers: int = 1,
    force: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the history of `listeners` listeners with `plays` plays each on average to the folder `out`; returns its manifest.

    `catalogue` is the Kaggle CSV; plays lie from `start` to before `end` (UTC days); `plant` is a number of taste groups
    and plants the rest too. The same arguments give the same bytes, whatever `workers` (processes) is, given the same
    versions of numpy and pyarrow. Memory does not grow with `listeners`. `out` appears when it is complete.
    Raises ArgumentError, CatalogueError, FolderError, OSError, and BrokenProcessPool where a worker was killed.
    """
    period = Period(start, end)
    _check(listeners, plays, seed, period, workers)
    with whole_folder(out, force=force) as folder:
        tracks = read_catalogue(catalogue)
        try:
            structure = None if plant is None else planted.plan(tracks, listeners, period, seed, plant)
        except ValueError as error:
            raise ArgumentError(str(error)) from error
        model = Blueprint(tracks, period, seed, plays, structure)
        tasks = _tasks(listeners, plays, folder)
        files, notes = _write(model, tasks, folder, min(workers, len(tasks)), progress), [LISTENERS]
        if structure is not None:
            (folder / PLANTED).write_text(_json(structure.as_json(period, USER_ID)), encoding="utf-8")
            notes.append(PLANTED)
        arguments = {"listeners": listeners, "plays": plays, "seed": seed, "start": f"{start}", "end": f"{end}", "plant": plant}
        manifest = {
            "generator_version": VERSION,
            "arguments": arguments,
            "catalogue_sha256": tracks.sha256,
            "libraries": {"numpy": np.__version__, "pyarrow": pa.__version__},
            "listeners": listeners,
            "plays": sum(file["plays"] for file in files),
            "files": files,
            "notes": [{"name": name, "sha256": sha256_of(folder / name)} for name in notes],
        }
        (folder / MANIFEST).write_text(_json(manifest), encoding="utf-8")
    return manifest


def _check(listeners: int, plays: int, seed: int, period: Period, workers: int) -> None:
    fewest = math.ceil(MEAN_LENGTH)
    limits = (("listeners", listeners, 1, 10**9), ("plays", plays, fewest, 10**7), ("workers", workers, 1, 256))
    for name, value, least, most in limits:
        if not least <= value <= most:
            raise ArgumentError(f"{name} must be {least} to {most:,}, not {value:,}")
    if not 0 <= seed < 2**63:
        raise ArgumentError(f"seed must be 0 to 2^63 - 1, not {seed}")
    if period.days < FEWEST_DAYS:
        raise ArgumentError(f"the period must be at least {FEWEST_DAYS} days, not {period.days}")
    if period.start.year < 2006:
        raise ArgumentError("the period must not begin before 2006: nothing recorded plays before that")
    # Only a check: no byte depends on the clock.
    if period.end > datetime.now(timezone.utc).date():
        raise ArgumentError(f"{period.end} is in the future: plays must be in the past")
    most = int(MOST_SESSIONS_A_DAY / 4 * MEAN_LENGTH * mean_days(period.days))
    if plays > most:
        raise ArgumentError(f"{plays:,} plays per listener do not fit into {period.days} days: at most {most:,}")


def _tasks(listeners: int, plays: int, folder: Path) -> list[_Task]:
    size = max(1, BLOCK_PLAYS // plays)
    firsts = range(1, listeners + 1, size)
    return [
        _Task(index, first, min(size, listeners + 1 - first), folder / f"listeners-{index:05d}.arrows")
        for index, first in enumerate(firsts)
    ]


def _write(
    model: Blueprint, tasks: list[_Task], folder: Path, workers: int, progress: Callable[[Progress], None]
) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = []
    with (folder / LISTENERS).open("w", encoding="utf-8", newline="") as note:
        note.write(f"{LISTENER_COLUMNS}\n")
        for file, lines in _results(model, tasks, workers):
            files.append(file)
            note.write(lines)
            progress(Progress(len(files), len(tasks), sum(f["plays"] for f in files)))
    return files


def _results(model: Blueprint, tasks: list[_Task], workers: int) -> Iterator[tuple[dict[str, Any], str]]:
    """What `_block` gives for each task, in order; a few tasks ahead are at work, so that results do not pile up."""
    if workers == 1:
        _set_model(model)
        yield from map(_block, tasks)
        return
    # Not by fork: a forked copy of a process with Arrow's threads can hang.
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (model,)) as pool:
        ahead: deque[Future[tuple[dict[str, Any], str]]] = deque()
        try:
            for task in tasks:
                ahead.append(pool.submit(_block, task))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _start_worker(model: Blueprint) -> None:
    # Ctrl-C reaches every process of the terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _set_model(model)


def _set_model(model: Blueprint) -> None:
    global _model  # noqa: PLW0603 - a worker's model is sent once, not with each task
    _model = model


def _block(task: _Task) -> tuple[dict[str, Any], str]:
    """Write a block's file; returns its entry in the manifest and its lines about listeners."""
    if _model is None:
        raise RuntimeError("the worker has no model")
    who, plays = _model.block(task.index, task.first, task.count)
    write_plays(task.path, _model.catalogue, who, plays)
    entry = {"name": task.path.name, "listeners": task.count, "plays": len(plays), "sha256": sha256_of(task.path)}
    return entry, listener_lines(who, plays, _model.period, _model.planted)


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
