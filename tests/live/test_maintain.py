"""What upkeep of a small lakehouse leaves and removes: what runs and readers ask for is there as before."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse.engine.java import java_problem
from lakehouse.plan.state import State
from lakehouse.settings import PROJECT_ROOT
from lakehouse.storage import delta
from lakehouse.storage.lakehouse import Lakehouse
from lakehouse.storage.ledger import TABLE_BUILDS, Ledger
from lakehouse.storage.lock import LockedError, locked
from tests.lakehouse.small_graph import Lake, declared, keys_built, statuses
from upkeep.maintenance import Maintained, Policy, TableUpkeep, maintain

YEAR = dt.timedelta(days=365)
AT_ONCE = Policy(dt.timedelta(0), YEAR)
RUNS = 12


class Unheard:
    """Hears and says nothing."""

    def begin(self, tables: int) -> None:
        pass

    def table(self, name: str) -> None:
        pass

    def done(self, upkeep: TableUpkeep) -> None:
        pass


def maintained(lake: Lake, policy: Policy = AT_ONCE, *, dry_run: bool = False) -> Maintained:
    done = maintain(lake.root, lake.landing / "_api", policy, Unheard(), dry_run=dry_run)
    assert [one.table for one in done.tables if one.error] == []
    return done


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lakehouse after a file for each of many runs; gold was left out of the last ones, so it consumed older versions."""
    with declared():
        lake = Lake(tmp_path_factory.mktemp("used"))
        for number in range(RUNS):
            lake.drop(f"{number}.txt", f"ann,tea,{number}", f"ben,milk,{number}", f"cid{number},tea,1")
            lake.run(*(["silver"] if number > RUNS - 4 else []))
        yield lake


@pytest.fixture
def lake(used: Lake, tmp_path: Path) -> Lake:
    """A copy of it for one test."""
    shutil.copytree(used.landing.parent, tmp_path / "lake")
    # Its files are known by their times.
    return Lake(tmp_path / "lake")


def files_of(lake: Lake, name: str) -> int:
    return len(list(lake.path(name).glob("*.parquet")))


def logs_of(lake: Lake, name: str) -> list[str]:
    return sorted(file.name for file in (lake.path(name) / "_delta_log").iterdir())


def everything(lake: Lake) -> dict[str, bytes]:
    return {
        str(file.relative_to(lake.root)): file.read_bytes()
        for file in lake.root.rglob("*")
        if file.is_file() and not file.name.startswith("_lock")
    }


def test_rows_stay_files_go_and_a_second_time_there_is_nothing_to_do(lake: Lake) -> None:
    rows, files = lake.content(), {name: files_of(lake, name) for name in lake.tables()}
    done = maintained(lake)
    assert lake.content() == rows
    assert files_of(lake, "bronze.mini_events") < files["bronze.mini_events"] >= RUNS
    assert files_of(lake, "silver.mini_items") < files["silver.mini_items"]
    assert sum(one.merged for one in done.tables) > 0
    # The commits of the first time are then old too.
    maintained(lake)
    before = everything(lake)
    again = maintained(lake)
    assert everything(lake) == before
    assert [one for one in again.tables if one.merged or one.removed or one.removed_log] == []


def test_the_next_run_finds_what_it_would_have_found(lake: Lake, tmp_path: Path) -> None:
    twin = Lake(tmp_path / "twin")
    shutil.copytree(lake.landing.parent, tmp_path / "twin", dirs_exist_ok=True)
    maintained(lake)
    report, expected = lake.run("silver"), twin.run("silver")
    assert (report.outcomes, report.engine_started) == ([], False)
    assert report.outcomes == expected.outcomes
    # Gold is stale since some runs: it rebuilds those keys that changed since, and no others.
    report, expected = lake.run(), twin.run()
    assert statuses(report) == statuses(expected)
    assert keys_built(report) == keys_built(expected)
    assert set(keys_built(report).values()) != {None}
    assert lake.content() == twin.content()


def test_versions_that_others_consumed_are_read_again_where_keys_changed(lake: Lake) -> None:
    """mini_marked looks into mini_events as it was when it was built for who had an item that changed."""
    maintained(lake)
    state = State(Lakehouse(lake.root), lake.tables(), Ledger(lake.root).last_builds())
    for name in lake.tables():
        for upstream, version in state.consumed(name).items():
            if upstream in lake.tables():
                assert DeltaTable(lake.path(upstream), version=version).to_pyarrow_table().num_rows > 0
    for number in range(3):
        lake.drop(f"late{number}.txt", f"dan,milk,{number + 1}")
        report = lake.run()
        assert set(statuses(report).values()) <= {"built", "unchanged"}
        assert keys_built(report)["silver.mini_marked"] == 2
        maintained(lake)


def test_versions_that_nobody_consumed_are_gone_at_once_and_stay_while_they_are_young(lake: Lake, tmp_path: Path) -> None:
    twin = Lake(tmp_path / "twin")
    shutil.copytree(lake.landing.parent, tmp_path / "twin", dirs_exist_ok=True)
    path = lake.path("silver.mini_items")
    wanted = DeltaTable(path, version=2).file_uris()
    maintained(lake)
    assert not any(Path(uri).exists() for uri in wanted)
    maintained(twin, Policy(dt.timedelta(days=7), YEAR))
    table = DeltaTable(twin.path("silver.mini_items"), version=2)
    assert table.to_pyarrow_table().num_rows == 2
    assert logs_of(twin, "silver.mini_items")[0] == f"{0:020}.json"


def test_the_log_begins_with_a_checkpoint_and_reaches_back_to_what_was_consumed(lake: Lake) -> None:
    lake.run()
    for number in range(3):
        lake.drop(f"more{number}.txt", f"ann,tea,{number}")
        lake.run()
        maintained(lake)
    commits = [name for name in logs_of(lake, "silver.mini_items") if name.endswith(".json")]
    assert commits[0] > f"{RUNS // 2:020}.json"
    checkpoints = [name for name in logs_of(lake, "silver.mini_items") if name.endswith(".parquet")]
    assert checkpoints[0][:20] == commits[0][:20]
    assert lake.run().outcomes == []


def test_what_a_killed_run_left_is_removed(lake: Lake) -> None:
    staged, model = lake.root / "_staging" / "r" / "x.parquet", lake.root / "models" / "m" / "m-1.part" / "parameters.json"
    orphan, unfinished = (
        lake.path("silver.mini_items") / "part-0.parquet",
        lake.path("silver.mini_items") / "_delta_log" / "_commit_1.json.tmp",
    )
    stored = lake.root / "models" / "m" / "m-0" / "parameters.json"
    for file in (staged, model, orphan, unfinished, stored):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    done = maintained(lake)
    assert done.leftovers == ("_staging", "models/m/m-1.part")
    assert [file.exists() for file in (staged, model, orphan, unfinished, stored)] == [False, False, False, False, True]


def test_a_dry_run_says_the_same_and_changes_nothing(lake: Lake) -> None:
    before = everything(lake)
    planned = maintained(lake, dry_run=True)
    assert everything(lake) == before
    assert sum(one.merged for one in planned.tables) == sum(one.merged for one in maintained(lake).tables) > 0


def test_a_run_that_holds_the_lock_keeps_it_out_but_not_a_dry_run(lake: Lake) -> None:
    with locked(lake.root):
        with pytest.raises(LockedError):
            maintained(lake)
        maintained(lake, dry_run=True)


def test_a_table_that_cannot_be_read_is_named_and_the_others_are_done(lake: Lake) -> None:
    commit = lake.path("silver.mini_items") / "_delta_log" / f"{0:020}.json"
    commit.write_text("{")
    done = maintain(lake.root, lake.landing / "_api", AT_ONCE, Unheard())
    assert [one.table for one in done.tables if one.error] == ["silver.mini_items"]
    assert next(one for one in done.tables if one.table == "bronze.mini_events").merged > 0


def test_old_history_goes_but_for_what_was_last(lake: Lake) -> None:
    """All is old: the last ten runs stay, and what the last build and check of each table says."""
    last, rows = Ledger(lake.root).last_builds(), {run["run_id"]: run for run in Ledger(lake.root).runs()}
    done = maintained(lake, Policy(dt.timedelta(0), dt.timedelta(0)))
    ledger = Ledger(lake.root)
    assert done.trimmed_rows > 0
    assert [run["run_id"] for run in ledger.runs()] == sorted(rows, reverse=True)[:10]
    assert ledger.last_builds() == last
    builds = delta.read_rows(ledger.path(TABLE_BUILDS))
    assert {json.dumps(row, default=str) for row in builds if row["run_id"] not in dict(sorted(rows.items())[-10:])} == set()
    checked = {row["table_name"] for row in delta.read_rows(lake.root / "ops" / "qa_validation_results")}
    assert checked >= {"gold.mini_totals", "silver.mini_items"}
    assert lake.run("silver").outcomes == []


def test_young_history_stays(lake: Lake) -> None:
    runs = Ledger(lake.root).runs()
    assert maintained(lake).trimmed_rows == 0
    assert Ledger(lake.root).runs() == runs


def program(lake: Lake, *options: str) -> list[str]:
    return [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "maintain", "--lakehouse", str(lake.root), *options]


def environment(lake: Lake) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")}
    return {**kept, "PYTHONPATH": str(PROJECT_ROOT), "LAKEHOUSE_INBOX": str(lake.landing / "_api")}


# Upkeep of a lakehouse, told when each table's turn comes: the process kills itself at one of these moments.
KILLED = """
import datetime as dt, os, signal, sys
from pathlib import Path
from unittest import mock
from upkeep import delta_folder, maintenance
root, moment, step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
count = 0
class Unheard:
    def begin(self, tables): pass
    def table(self, name): pass
    def done(self, upkeep): pass
original = getattr(delta_folder.DeltaFolder, step)
def killed(self, *arguments):
    global count
    count += 1
    if count == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(self, *arguments)
    if count + 1 == moment and step != 'old_log':
        os.kill(os.getpid(), signal.SIGKILL)
    return result
with mock.patch.object(delta_folder.DeltaFolder, step, killed):
    maintenance.maintain(root, root / "none", maintenance.Policy(dt.timedelta(0), dt.timedelta(0)), Unheard())
"""


@pytest.mark.parametrize(("step", "moment"), [("compact", 3), ("vacuum", 2), ("checkpoint", 4), ("clean_log", 2)])
def test_a_kill_at_any_step_heals_with_the_next_upkeep(lake: Lake, step: str, moment: int) -> None:
    rows = lake.content()
    command = [sys.executable, "-c", KILLED, str(lake.root), str(moment), step]
    done = subprocess.run(command, env=environment(lake), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert lake.content() == rows
    maintained(lake)
    maintained(lake)
    assert lake.content() == rows
    assert [one for one in maintained(lake).tables if one.merged or one.removed or one.removed_log] == []


def test_kills_at_random_moments_lose_nothing(lake: Lake) -> None:
    rows, chance = lake.content(), random.Random(5)  # noqa: S311
    for _ in range(4):
        with subprocess.Popen(program(lake), env=environment(lake), stdout=subprocess.DEVNULL) as process:
            time.sleep(0.8 + chance.random())
            process.kill()
        assert lake.content() == rows
    maintained(lake)
    assert lake.content() == rows
    assert lake.run("silver").outcomes == []


def test_readers_see_the_same_rows_throughout(lake: Lake) -> None:
    """Files and log that a reader needs stay while it reads; those who look at what changed see no file vanish either."""
    rows, seen = lake.content(), []
    is_over = threading.Event()

    def read() -> None:
        while not is_over.is_set():
            versions = {name: delta.version(lake.path(name)) for name in lake.tables()}
            seen.append(lake.content() == rows)
            state = State(Lakehouse(lake.root), lake.tables(), Ledger(lake.root).last_builds())
            seen.append(not any(state.changes("silver.mini_marked").values()))
            assert all(version is not None for version in versions.values())

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        for _ in range(3):
            maintain(lake.root, lake.landing / "_api", Policy(dt.timedelta(days=7), YEAR), Unheard())
        is_over.set()
        reading.result()
    assert len(seen) > 2
    assert all(seen)


def test_the_command_says_what_it_did_and_respects_the_lock(lake: Lake) -> None:
    with locked(lake.root):
        done = subprocess.run(program(lake), env=environment(lake), capture_output=True, text=True, check=False)
    assert (done.returncode, "another run" in done.stderr) == (3, True)
    done = subprocess.run(program(lake, "--json"), env=environment(lake), capture_output=True, text=True, check=True)
    tables = {one["table"]: one for one in json.loads(done.stdout)["tables"]}
    assert tables["bronze.mini_events"]["merged"] >= RUNS
    done = subprocess.run(program(lake), env=environment(lake), capture_output=True, text=True, check=True)
    assert "there was nothing to do" in done.stdout


@pytest.mark.spark
def test_spark_reads_what_upkeep_left(lake: Lake) -> None:
    if (problem := java_problem()) is not None:
        pytest.skip(problem)
    rows = lake.content()
    maintained(lake)
    maintained(lake)
    lake.drop("late.txt", "dan,milk,3")
    report = lake.run(engine="spark")
    assert set(statuses(report).values()) <= {"built", "unchanged"}
    assert keys_built(report)["silver.mini_marked"] == 2
    assert len(lake.content()["bronze.mini_events"]) == len(rows["bronze.mini_events"]) + 1
