"""Forgetting a listener whose name is like nobody else's: no trace is left, and nobody else notices."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from tests.end_to_end.pipeline import Pipeline, is_learned
from tests.upkeep.household import IN_SHARED, LISTENER, NEEDLE, SHARED, furnish
from tests.upkeep.traces import traces

# A model among them, and tables of every layer and scope.
ONLY = ("--only", "gold.top_artists", "--only", "gold.energy_forecasts", "--only", "silver.dislikes", "--only", "ops")
COUNTED = ("--only", "ops")


class Household(Pipeline):
    """A household with a state folder and log-ins of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.state, self.bi, self.backups = (folder / name for name in ("state", "bi", "backups"))

    def environment(self) -> dict[str, str]:
        return {"LAKEHOUSE_STATE_DIR": str(self.state), "LAKEHOUSE_BI_DIR": str(self.bi)}

    def forget(self, *options: str) -> Any:
        answer = self.call("forget", "--landing", str(self.landing), "--json", *options)
        assert answer.code == 0, answer.text
        return answer.document

    def back_up(self, folder: Path, *options: str) -> Any:
        answer = self.call("backup", str(folder), "--landing", str(self.landing), "--json", *options)
        assert answer.code == 0, answer.text
        return answer.document

    def traces(self, *folders: Path) -> list[str]:
        return traces(NEEDLE, self.root, self.landing, self.state, self.bi, *folders)

    def others(self) -> dict[str, list[dict[str, Any]]]:
        """Everybody else's rows, of all tables that name listeners, but for what a model has a part in."""
        names = [f"{path.parent.name}.{path.name}" for path in sorted(self.root.glob("[bsg]*/*"))]
        by_listener = [name for name in names if not is_learned(name) and "user_id" in self.columns(name)]
        return {name: [row for row in self.rows(name) if row["user_id"] not in (LISTENER, IN_SHARED)] for name in by_listener}

    def columns(self, name: str) -> list[str]:
        return [field.name for field in DeltaTable(self.root.joinpath(*name.split("."))).schema().fields]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("household") / "built"
    furnish(folder)
    household = Household(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in household.environment().items():
            patch.setenv(name, value)
        household.build(*ONLY)
    return folder


@pytest.fixture
def household(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Household:
    shutil.copytree(built, tmp_path / "own", symlinks=True)
    household = Household(tmp_path / "own")
    for name, value in household.environment().items():
        monkeypatch.setenv(name, value)
    # Not the household that it is a copy of.
    (household.root / "_built_from.json").unlink()
    return household


def test_no_trace_is_left_and_nobody_else_notices(household: Household, tmp_path: Path) -> None:
    before, earlier = household.others(), tmp_path / "earlier"
    assert len(household.traces()) > 30
    household.back_up(earlier)
    planned = household.forget(LISTENER, "--dry-run")
    assert household.others() == before
    told = household.forget(LISTENER)
    assert household.traces() == []
    assert household.others() == before
    kinds = {place["kind"] for place in told["places"] if not place["is_left"]}
    assert kinds == {"file", "account", "table", "model", "token", "state", "log-in", "log"}
    assert {(place["kind"], place["where"]) for place in planned["places"]} == {
        (place["kind"], place["where"]) for place in told["places"]
    }
    assert [place["where"] for place in told["places"] if place["is_left"]] == [f"{earlier} ({household_backup(earlier)})"]
    assert json.loads((household.state / "people.json").read_text()) == {"ann": {"is_admin": True}}
    assert list(json.loads((household.state / "api_tokens.json").read_text())["tokens"]) == ["t2"]
    # The next run builds and trains without them, and the one after has nothing to do.
    report = household.build(*ONLY).document
    assert [outcome["status"] for outcome in report["outcomes"] if outcome["table"] == "models.hourly_listening"] == ["built"]
    assert household.traces() == []
    assert household.others() == before
    assert all(file["is_balanced"] for file in report["reconciliation"]) or report["reconciliation"] == []
    assert household.build(*ONLY).document["outcomes"] == []
    household.back_up(tmp_path / "later")
    assert traces(NEEDLE, tmp_path / "later") == []


def household_backup(folder: Path) -> str:
    return next((folder / "manifests").glob("*.json")).stem


def test_rows_in_a_file_with_others_stay_out_until_that_is_lifted(household: Household) -> None:
    before, content = household.others(), (household.landing / SHARED).read_bytes()
    (count,) = (row["bronze"] for row in household.rows("ops.reconciliation") if row["file_name"] == SHARED)
    told = household.forget(IN_SHARED)
    (left,) = (place for place in told["places"] if place["kind"] == "file")
    assert left["is_left"]
    assert "rows of others" in left["what"]
    assert (household.landing / SHARED).read_bytes() == content
    household.build(*COUNTED)
    (file,) = (row for row in household.rows("ops.reconciliation") if row["file_name"] == SHARED)
    assert (file["rows_read"], file["forgotten"], file["is_balanced"]) == (count, count // 3 + 1, True)
    # Whatever brings them: the same rows in another file, which others would have too.
    (household.landing / "copy.tsv").write_bytes(content + content[:60].replace(b"2008", b"2009"))
    household.build(*COUNTED)
    assert household.rows("bronze.listening_history", user_id=IN_SHARED) == []
    (household.landing / "copy.tsv").unlink()
    household.forget(IN_SHARED, "--lift")
    household.build(*COUNTED)
    assert len(household.rows("bronze.listening_history", user_id=IN_SHARED)) == file["forgotten"]
    assert household.others().keys() == before.keys()


def test_what_nobody_knows_is_refused_and_removes_nothing(household: Household) -> None:
    answer = household.call("forget", "Zoe", "--landing", str(household.landing))
    assert answer.code == 2
    assert "nothing is known of a listener 'Zoe'" in answer.err
    assert not (household.state / "tombstones").exists()


def is_purged(home: Household, table: str) -> bool:
    return any((home.root / table / "_delta_log").glob("*.checkpoint.parquet"))


# When to kill, by what the last step did.
MOMENTS: dict[str, Callable[[Household], bool]] = {
    "the files are gone": lambda home: not any(home.landing.glob(f"listeners/*{NEEDLE[1:]}*")),
    "a first table is purged": lambda home: is_purged(home, "bronze/artist_tags"),
    "rows are gone from bronze": lambda home: is_purged(home, "bronze/listening_history"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_anywhere_it_is_finished_by_another_one_or_by_a_run(household: Household, moment: str) -> None:
    process = household.start(
        *("forget", LISTENER, "--landing", str(household.landing)), env=os.environ | household.environment()
    )
    until = time.monotonic() + 60
    while process.poll() is None and not MOMENTS[moment](household):
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if moment == "a first table is purged":
        household.build(*COUNTED)
    else:
        household.forget(LISTENER)
    assert household.traces() == []
