"""Whose history a landing file is: the folder listeners/NAME decides, else the default listener."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lakehouse.landing.test_archive import zipped
from tests.lakehouse.landing_runs import LandingRuns, Visit
from tests.landing_files import account_music, as_json

ANNA, BOB = as_json([account_music(trackName="Anna's")]), as_json([account_music(trackName="Bob's")])


@pytest.fixture
def runs(tmp_path: Path) -> LandingRuns:
    for name in ("landing", "staging"):
        (tmp_path / name).mkdir()
    return LandingRuns(tmp_path / "landing", tmp_path / "staging")


def read_for(visit: Visit) -> dict[str, str]:
    """Per path that was read, the listener in its rows."""
    return {path: rows[0]["user_id"] for path, rows in visit.rows.items()}


def test_folders_of_listeners_name_the_listener(runs: LandingRuns) -> None:
    owners = {
        "listeners/anna/a.json": "anna",
        "listeners/Zoë O'Hara 👩/deep/er/b.json": "Zoë O'Hara 👩",
        "listeners/loose.json": "default",
        "other/listeners/anna/c.json": "default",
        "d.json": "default",
    }
    for number, path in enumerate(owners):
        runs.put(path, as_json([account_music(msPlayed=number)]))
    assert read_for(runs.run("default")) == owners


def test_an_archive_belongs_to_the_listener_of_its_folder_whatever_its_members_are_called(runs: LandingRuns) -> None:
    runs.put("listeners/anna/export.zip", zipped({"listeners/bob/a.json": ANNA}))
    runs.put("export.zip", zipped({"listeners/bob/a.json": BOB}))
    assert read_for(runs.run()) == {
        "listeners/anna/export.zip!listeners/bob/a.json": "anna",
        "export.zip!listeners/bob/a.json": "me",
    }


def test_two_spellings_of_one_name_in_unicode_are_one_listener(runs: LandingRuns) -> None:
    runs.put("listeners/Zoe\u0308/a.json", ANNA)
    assert read_for(runs.run()) == {"listeners/Zoe\u0308/a.json": "Zoë"}


def test_another_default_listener_gets_the_files_that_are_still_there(runs: LandingRuns) -> None:
    runs.put("a.json", ANNA)
    runs.put("listeners/bob/b.json", BOB)
    runs.run("me")
    assert read_for(runs.run("carol")) == {"a.json": "carol"}
    assert runs.run("carol").read == []
    assert read_for(runs.run("me")) == {"a.json": "me"}


def test_a_file_moved_to_a_listener_is_read_again_for_them(runs: LandingRuns) -> None:
    old = runs.put("a.json", ANNA)
    runs.run()
    (runs.folder / "listeners" / "anna").mkdir(parents=True)
    old.rename(runs.folder / "listeners" / "anna" / "a.json")
    assert read_for(runs.run()) == {"listeners/anna/a.json": "anna"}


@pytest.mark.parametrize(
    "old_name",
    ["a.json", "z.json"],
)
def test_a_file_moved_to_a_listener_is_read_again_only_once(runs: LandingRuns, old_name: str) -> None:
    old = runs.put(old_name, ANNA)
    runs.run()
    (runs.folder / "listeners" / "anna").mkdir(parents=True)
    old.rename(runs.folder / "listeners" / "anna" / "a.json")
    runs.run()
    assert runs.run().read == []


def test_a_copy_for_another_listener_says_that_it_does_not_count_for_both(runs: LandingRuns) -> None:
    runs.put("listeners/anna/a.json", ANNA)
    runs.put("listeners/anna/b.json", ANNA)
    runs.put("listeners/bob/a.json", ANNA)
    state = runs.run().state
    assert state["listeners/anna/b.json"].reason == "same content as listeners/anna/a.json"
    reason = "same content as listeners/anna/a.json, which belongs to anna: not read for bob"
    assert (state["listeners/bob/a.json"].status, state["listeners/bob/a.json"].reason) == ("duplicate", reason)


@pytest.mark.parametrize("name", ["synthetic:000001", "_anna", "new\nline", "C:\\x", "x" * 201])
def test_plays_in_a_folder_that_names_no_listener_count_for_nobody(runs: LandingRuns, name: str) -> None:
    runs.put(f"listeners/{name}/a.json", ANNA)
    visit = runs.run()
    (file,) = visit.state.values()
    assert (visit.read, file.status, len(visit.news)) == ([], "broken", 1)
    assert "cannot be a listener's name" in str(file.reason)
    assert runs.run().news == []


def test_a_copy_for_another_listener_takes_over_when_the_first_is_gone(runs: LandingRuns) -> None:
    first = runs.put("listeners/anna/a.json", ANNA)
    runs.put("listeners/bob/a.json", ANNA)
    assert read_for(runs.run()) == {"listeners/anna/a.json": "anna"}
    first.unlink()
    assert read_for(runs.run()) == {"listeners/bob/a.json": "bob"}
    assert runs.run().read == []


def test_a_renamed_file_is_read_with_a_new_parser_only_once(runs: LandingRuns) -> None:
    old = runs.put("z.json", ANNA)
    runs.run()
    old.rename(runs.folder / "a.json")
    new = {"spotify_account_data": "changed"}
    assert runs.run(parsers=new).read == ["a.json"]
    assert runs.run(parsers=new).read == []
