"""Settings: what cannot be used is refused with the setting's name and a remedy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lakehouse.settings import ENV_FILES, Settings
from music.settings import ListeningSettings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LAKEHOUSE_") or name == "ALLOW_SYNTHETIC":
            monkeypatch.delenv(name)


def settings(**values: Any) -> ListeningSettings:
    return ListeningSettings(_env_file=None, **values)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("timezone", "Mars/Olympus", "'Mars/Olympus' is not a time zone; use a name like Europe/Berlin"),
        ("timezone", "", "is not a time zone"),
        ("timezone", "localtime", "is not a time zone"),
        ("timezones", {"ann": "Mars/Olympus"}, "is not a time zone"),
        ("engine", "duckdb", "'duckdb' is not auto, embedded, spark or sc://host:port"),
        ("user", "a/b", "cannot be a listener's name"),
        ("user", "a\\b", "cannot be a listener's name"),
        ("user", "a\nb", "cannot be a listener's name"),
        ("user", "synthetic:000001", "cannot be a listener's name"),
        ("user", "_synthetic", "cannot be a listener's name"),
        ("user", "", "cannot be a listener's name"),
        ("user", "x" * 201, "cannot be a listener's name"),
        ("landing", "s3a://bucket/landing", "only local folders are supported so far"),
        ("dir", "s3a://bucket/lake", "only local folders are supported so far"),
        ("inbox", "s3a://bucket/inbox", "only local folders are supported so far"),
        ("inbox", ENV_FILES[0].parent / "data" / "landing", "must not be or hold the landing folder"),
        ("inbox", ENV_FILES[0].parent / "data", "must not be or hold the landing folder"),
        ("state_dir", "s3a://bucket/state", "only local folders are supported so far"),
        ("session_gap_minutes", 0, "greater than or equal to 1"),
        ("workers", 0, "greater than or equal to 1"),
        ("spark_memory", "lots", "match pattern"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**{name: value})
    [problem] = caught.value.errors()
    assert problem["loc"] == (name,)
    assert message in problem["msg"]


@pytest.mark.parametrize("user", ["me", "Jürgen", "日本", "O'Brien", "a b", "lastfm:x"])
def test_any_other_name_is_a_listener(user: str) -> None:
    assert settings(user=user).user == user


def test_the_environment_is_read_and_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("LAKEHOUSE_TIMEZONES", '{"ann": "Asia/Tokyo"}')
    monkeypatch.setenv("ALLOW_SYNTHETIC", "false")
    monkeypatch.setenv("LAKEHOUSE_ENGINE", "sc://cluster:15002")
    found = settings(timezone="America/Lima")
    assert (found.timezone, found.timezones, found.allow_synthetic) == ("America/Lima", {"ann": "Asia/Tokyo"}, False)
    assert found.engine == "sc://cluster:15002"


def test_relative_folders_and_home_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert settings(dir="lake").dir == tmp_path / "lake"
    assert settings(dir="~/lake").dir == tmp_path / "home" / "lake"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "hunter2")
    found = settings()
    assert found.client_secret is not None
    assert "hunter2" not in repr(found) + str(found.model_dump())


def test_the_order_in_which_time_zones_are_set_is_no_difference_to_a_table() -> None:
    one = settings(timezones={"ann": "UTC", "bob": "Asia/Tokyo"}).parameters()
    other = settings(timezones={"bob": "Asia/Tokyo", "ann": "UTC"}).parameters()
    assert list(one["timezones"].items()) == list(other["timezones"].items())


def test_without_a_time_zone_there_is_none_and_utc_that_is_set_is_one() -> None:
    assert settings().parameters()["default_timezone"] is None
    assert settings(timezone="UTC").parameters()["default_timezone"] == "UTC"


def test_a_listener_s_zone_by_option_is_added_to_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_TIMEZONES", '{"ann": "Asia/Tokyo", "bob": "UTC"}')
    found = settings(timezone_of=["bob=Europe/Berlin", "a=b=Asia/Kolkata"]).parameters()["timezones"]
    assert found == {"a=b": "Asia/Kolkata", "ann": "Asia/Tokyo", "bob": "Europe/Berlin"}


@pytest.mark.parametrize(("value", "message"), [("UTC", "write NAME=ZONE"), ("ann=Mars/Olympus", "is not a time zone")])
def test_what_names_no_listener_or_no_zone_is_refused(value: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(timezone_of=[value])


def test_a_scheduler_that_would_never_rest_is_refused() -> None:
    with pytest.raises(ValidationError):
        ListeningSettings(interval_hours=0.0001)


def test_the_env_file_of_the_current_folder_beats_the_project_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    project, here = tmp_path / "project", tmp_path / "here"
    for folder, user, gap in ((project, "ann", 10), (here, "bob", None)):
        folder.mkdir()
        gap_line = f"LAKEHOUSE_SESSION_GAP_MINUTES={gap}\n" if gap else ""
        (folder / ".env").write_text(f"LAKEHOUSE_USER={user}\n{gap_line}")
    assert [path.name for path in ENV_FILES] == [".env", ".env"]
    assert (ENV_FILES[0].is_absolute(), ENV_FILES[1].is_absolute()) == (True, False)
    monkeypatch.chdir(here)
    files = (project / ".env", ENV_FILES[1])
    found = ListeningSettings(_env_file=files)
    assert (found.user, found.session_gap_minutes) == ("bob", 10)
    monkeypatch.setenv("LAKEHOUSE_USER", "cid")
    assert ListeningSettings(_env_file=files).user == "cid"
    assert ListeningSettings(_env_file=files, user="dan").user == "dan"


def test_the_kernel_s_settings_know_nothing_of_listening() -> None:
    assert set(Settings.model_fields) == {
        *("landing", "dir", "inbox", "state_dir", "engine", "user", "spark_memory", "workers", "interval_hours", "max_file_mb")
    }
    assert Settings(_env_file=None).parameters() == {}


def test_the_inbox_is_in_the_landing_folder_unless_it_is_named(tmp_path: Path) -> None:
    assert settings(landing=tmp_path).inbox_folder == tmp_path / "_api"
    assert settings(landing=tmp_path, inbox=tmp_path / "received").inbox_folder == tmp_path / "received"
