"""The demo: what `run` does for a person who has nothing yet, through the real entry point, without Java."""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.cli.demo import is_whole, prepare
from lakehouse.cli.product import Demo
from lakehouse.plan import graph
from lakehouse.settings import PROJECT_ROOT
from scheduling.child import build_command
from scripts.sample_catalogue import sample
from synthetic.demo.content import CATALOGUE, LISTENERS
from tests.end_to_end.pipeline import Answer, Pipeline, days

BRONZE = ("--only", "bronze.listening_history")


class DemoOf(Pipeline):
    """The demo beside a pipeline's lakehouse, for looking into it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.landing, self.root, self.home = pipeline.landing, pipeline.root.with_name("lakehouse-demo"), pipeline.home


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Answer]:
    """A first run on a machine without Java, with an empty landing folder."""
    pipeline = Pipeline(tmp_path_factory.mktemp("first"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("JAVA_HOME", raising=False)
        programs = tmp_path_factory.mktemp("programs")
        # joblib counts processors by these.
        for name in ("cat", "lscpu"):
            (programs / name).symlink_to(str(shutil.which(name)))
        patch.setenv("PATH", str(programs))
        return pipeline, pipeline.process("run")


@pytest.fixture
def after(built: tuple[Pipeline, Answer], pipeline: Pipeline) -> Pipeline:
    """The same, a copy to change."""
    shutil.copytree(DemoOf(built[0]).root, DemoOf(pipeline).root)
    return pipeline


def files_of(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_every_table_is_built_and_begin_and_end_say_that_it_is_a_demo(built: tuple[Pipeline, Answer]) -> None:
    pipeline, answer = built
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].startswith("*** DEMO ***")
    end = answer.out[answer.out.rindex("*** DEMO ***") :]
    assert answer.out.index("*** DEMO ***", 1) > answer.out.index("next:")
    assert f"{LISTENERS} synthetic listeners" in end
    assert "ODbL" in end
    assert str(pipeline.landing) in end
    assert "my_spotify_data.zip" in end
    demo = DemoOf(pipeline)
    found = {row["table"]: row for row in demo.call("tables", "--json").document}
    assert set(found) == {name for name, table in graph.load().items() if not table.is_model}
    assert [name for name, row in found.items() if row["version"] is None] == []
    assert [name for name, row in found.items() if name.startswith("gold.") and not row["rows"]] == []


def test_its_listeners_are_synthetic_recent_and_accounted_for(built: tuple[Pipeline, Answer]) -> None:
    demo = DemoOf(built[0])
    users = demo.rows("silver.users")
    assert sorted(user["user_id"] for user in users) == [f"synthetic:{number:06d}" for number in range(1, LISTENERS + 1)]
    newest = max(user["last_played_at"] for user in users).replace(tzinfo=dt.timezone.utc)
    assert dt.timedelta(0) < dt.datetime.now(dt.timezone.utc) - newest < dt.timedelta(days=4)
    [told] = demo.rows("ops.reconciliation", source="synthetic")
    assert told["rows_read"] == told["kept"] == sum(user["kept"] for user in users) > 40_000
    assert {row["status"] for row in demo.rows("ops.qa_validation_results", rule="fresh(last_played_at,45d)")} == {"PASS"}


def test_a_second_run_is_nothing_new(built: tuple[Pipeline, Answer]) -> None:
    pipeline, _ = built
    before = DemoOf(pipeline).versions()
    again = pipeline.process("run", "--json")
    document = again.document
    assert (again.code, document["demo"], document["outcomes"], document["engine_started"]) == (0, True, [], False)
    assert document["lakehouse"] == str(DemoOf(pipeline).root)
    assert DemoOf(pipeline).versions() == before
    told = pipeline.process("run").out
    assert told.count("*** DEMO ***") == 2
    assert "nothing new" in told


def test_the_commands_it_names_work_as_they_are_typed(built: tuple[Pipeline, Answer], tmp_path: Path) -> None:
    pipeline, answer = built
    command = next(line.strip() for line in answer.out.splitlines() if line.endswith("lakehouse report"))
    out = tmp_path / "report.html"
    done = subprocess.run(f"{command} --out {out}", shell=True, cwd=pipeline.home, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.returncode == 0, done.stderr
    assert "a synthetic listener" in done.stdout
    assert out.stat().st_size > 100_000


def test_commands_over_the_lakehouse_that_is_not_there_say_where_the_demo_is(built: tuple[Pipeline, Answer]) -> None:
    pipeline, _ = built
    for command in ("report", "tables", "status"):
        answer = pipeline.call(command)
        assert (answer.code, answer.out) == (2, "")
        assert f"--lakehouse {DemoOf(pipeline).root}" in answer.err
    assert not pipeline.root.exists()
    assert "every table is up to date" in DemoOf(pipeline).call("status", "--engine", "embedded").out


def test_own_data_never_meet_the_demo(after: Pipeline) -> None:
    before = files_of(DemoOf(after).root)
    history = after.write("history.json", days(3))
    document = after.build("--only", "silver.users").document
    assert (document["demo"], document["lakehouse"]) == (False, str(after.root))
    assert after.rows("silver.users", "user_id") == [{"user_id": "me"}]
    mixing = DemoOf(after).call("run")
    assert (mixing.code, mixing.out) == (2, "")
    assert "contains the demo" in mixing.err
    assert "note:" not in after.call("tables").err
    history.unlink()
    emptied = after.build("--only", "silver.users").document
    # Files are accounted for in every run; one that is gone changes no table.
    told = [(outcome["table"], outcome["status"]) for outcome in emptied["outcomes"]]
    # Which corrections are in force follows from the files, so the tables that they may change are looked at.
    looked_at = [(name, "up to date") for name in ("silver.plays", "silver.users")]
    expected = [("silver.correction_lines", "unchanged"), *looked_at, ("ops.reconciliation", "unchanged")]
    assert (emptied["demo"], told) == (False, expected)
    assert after.rows("silver.users", "user_id") == [{"user_id": "me"}]
    assert files_of(DemoOf(after).root) == before


def test_who_brings_own_data_is_told_of_dashboards_that_show_the_demo(
    after: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials.env").write_text(f"TRINO_LAKEHOUSE={DemoOf(after).root}\n")
    monkeypatch.setenv("LAKEHOUSE_BI_DIR", str(tmp_path))
    after.write("history.json", days(3))
    told = after.call("run", "--only", "silver.users").out
    assert f"the dashboards still show the demo; `make bi LAKEHOUSE={after.root}` shows yours" in told
    assert "dashboards" not in after.call("run", "--only", "silver.users").out


def test_a_demo_that_lost_a_file_is_made_again_and_no_play_counts_twice(after: Pipeline) -> None:
    demo = DemoOf(after)
    [file] = (demo.root / "landing" / "synthetic").glob("*.arrows")
    file.write_bytes(file.read_bytes()[:1000])
    document = after.build(*BRONZE).document
    assert document["demo"] is True
    plays = json.loads((demo.root / "landing" / "synthetic" / "_manifest.json").read_text())["plays"]
    assert len(demo.rows("bronze.listening_history", "row_number")) == plays
    assert not (demo.root / "gold").exists()


def test_a_making_that_is_broken_off_is_made_again(tmp_path: Path) -> None:
    root = tmp_path / "lake-demo"

    def broken_off(landing: Path) -> None:
        (landing / "half.csv").write_text("ts")
        raise KeyboardInterrupt

    def whole(landing: Path) -> None:
        (landing / "whole.csv").write_text("ts")

    with pytest.raises(KeyboardInterrupt):
        prepare(Demo("", lambda: "1", broken_off), root)
    assert not is_whole(Demo("", lambda: "1", whole), root)
    (root / "bronze").mkdir()
    prepare(Demo("", lambda: "1", whole), root)
    assert sorted(path.name for path in (root / "landing").iterdir()) == ["_demo.json", "whole.csv"]
    assert not (root / "bronze").exists()
    assert is_whole(Demo("", lambda: "1", whole), root)
    # Broken off while an earlier version is replaced: none of it is left to be taken for the new one.
    with pytest.raises(KeyboardInterrupt):
        prepare(Demo("", lambda: "2", broken_off), root)
    assert not (root / "landing").exists()
    prepare(Demo("", lambda: "2", whole), root)
    assert is_whole(Demo("", lambda: "2", whole), root)


def test_a_folder_that_holds_something_else_is_left_alone(pipeline: Pipeline) -> None:
    other = DemoOf(pipeline).root / "bronze" / "mine.txt"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    answer = pipeline.call("run")
    assert answer.code == 2
    assert "which contains something else" in answer.err
    assert list(files_of(DemoOf(pipeline).root)) == ["bronze", "bronze/mine.txt"]


def test_a_file_put_into_the_demo_s_landing_folder_is_not_removed(after: Pipeline) -> None:
    own = DemoOf(after).root / "landing" / "my_history.json"
    own.write_text("[]")
    before = files_of(DemoOf(after).root / "gold")
    answer = after.call("run")
    assert answer.code == 2
    assert f"{own} does not belong to the demo" in answer.err
    assert own.exists()
    assert files_of(DemoOf(after).root / "gold") == before


def test_a_dry_run_and_a_wrong_selector_write_nothing(pipeline: Pipeline) -> None:
    document = pipeline.run("--dry-run", "--only", "gold.top_artists").document
    assert document["demo"] is True
    assert "gold.top_artists" in {stale["table"] for stale in document["planned"]}
    assert "*** DEMO ***" in pipeline.call("run", "--dry-run").out
    assert pipeline.call("run", "--only", "gold.top_artist").code == 2
    assert list(pipeline.landing.parent.iterdir()) == [pipeline.landing]


def test_a_landing_folder_with_a_file_of_no_use_gets_no_demo(pipeline: Pipeline) -> None:
    pipeline.write("notes.txt", "milk, bread")
    document = pipeline.run("--dry-run").document
    assert document["demo"] is False
    pipeline.write("notes.txt", "").rename(pipeline.landing / ".notes")
    assert pipeline.run("--dry-run").document["demo"] is True


def test_neither_a_stage_nor_the_scheduler_makes_a_demo_by_itself(pipeline: Pipeline) -> None:
    places = ["--landing", str(pipeline.landing), "--lakehouse", str(pipeline.root)]
    command = [sys.executable, str(PROJECT_ROOT / "scripts" / "ingest.py"), *places]
    done = subprocess.run(command, cwd=pipeline.home, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "There is nothing to build yet" in done.stdout
    done = subprocess.run(build_command(places), cwd=pipeline.home, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["is_empty"] is True
    assert not DemoOf(pipeline).root.exists()


def rows_of(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [tuple(row) for row in csv.reader(stream)]


def test_the_sample_is_small_and_has_every_genre_and_artists_with_several_tracks() -> None:
    assert CATALOGUE.stat().st_size <= 1_000_000
    header, *rows = rows_of(CATALOGUE)
    assert len({row[header.index("track_genre")] for row in rows}) == 114
    tracks = {row[header.index("track_id")]: row[header.index("artists")].split(";")[0] for row in rows}
    assert len(tracks) > 4_000
    assert len(tracks) / len(set(tracks.values())) > 4
    assert len(rows) > len(tracks), "a track under several genres stands once under each"
    licence = CATALOGUE.with_name("LICENSE.md").read_text(encoding="utf-8")
    assert f"{len(rows):,} in all" in licence
    assert "maharshipandya/-spotify-tracks-dataset" in licence


def test_the_sample_is_drawn_from_the_catalogue_by_its_script(real_data: Path, tmp_path: Path) -> None:
    full = real_data / "kaggle" / "dataset.csv"
    assert set(rows_of(CATALOGUE)) <= set(rows_of(full))
    assert sample(full, tmp_path / "again.csv") == len(rows_of(CATALOGUE)) - 1
    assert (tmp_path / "again.csv").read_bytes() == CATALOGUE.read_bytes()
