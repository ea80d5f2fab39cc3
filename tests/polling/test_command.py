"""The command `poll`: which accounts it reads, what it says, and its exit codes."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from lakehouse.cli.main import main
from lakehouse.settings import PROJECT_ROOT
from polling import command
from polling.accounts import AccountSettings, connected_accounts
from polling.answers import AccountRefused, PollError, RetryLater, SettingMissing
from polling.poll import Account, poll
from polling.settings import ScrobbleSettings
from polling.tokens import TokenStore
from run_pipeline import PRODUCT
from tests.polling.listed import START, ListClient, account
from tests.polling.test_tokens import token
from upkeep.tombstones import bury, lift


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LASTFM_USERS", "LISTENBRAINZ_USERS", "LAKEHOUSE_INBOX", "LAKEHOUSE_LANDING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setitem(AccountSettings.model_config, "env_file", None)


def settings(**values: object) -> AccountSettings:
    return AccountSettings(**values)  # type: ignore[arg-type]


def test_accounts_are_those_that_settings_name() -> None:
    found = connected_accounts(settings(lastfm_users={"anna": "Anna_FM", "ben": "b"}, listenbrainz_users={"anna": "Anna"}))
    assert [(one.source, one.account_id, one.listener) for one in found] == [
        ("lastfm_api", "anna_fm", "anna"),
        ("lastfm_api", "b", "ben"),
        ("listenbrainz_api", "anna", "anna"),
    ]


def test_accounts_of_who_was_forgotten_are_not_polled() -> None:
    bury(settings().state_dir, "anna")
    TokenStore(settings().state_dir, "spotify_api").write(token(listener="anna"))
    found = connected_accounts(settings(lastfm_users={"anna": "Anna_FM", "ben": "b"}))
    assert [one.listener for one in found] == ["ben"]
    assert lift(settings().state_dir, "anna")
    assert sorted(one.listener for one in connected_accounts(settings(lastfm_users={"anna": "Anna_FM"}))) == ["anna", "anna"]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ({"_x": "a"}, "cannot be a listener's name"),
        ({"anna": " "}, "has no name"),
        ({"anna": "X", "ben": "x"}, "two listeners cannot have one account"),
        ("oops", "write it as JSON, the account by listener"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(users: dict[str, str] | str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(lastfm_users=users)


def run(monkeypatch: pytest.MonkeyPatch, landing: Path, accounts: list[Account], *words: str) -> int:
    monkeypatch.setattr(command, "connected_accounts", lambda _: accounts)
    return main(PRODUCT, ["poll", "--landing", str(landing), *words])


def test_it_says_what_came_of_each_account_and_the_worst_is_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    retry_at = dt.datetime(2099, 1, 1, 12, 30, tzinfo=dt.timezone.utc)
    good = account(ListClient([1, 2]))
    waits = account(ListClient([1], account_id="w", fails=RetryLater("429", retry_at)), "ben")
    refused = account(ListClient([1], account_id="r", fails=AccountRefused("error 17", "allow \x1b[1mit")), "ben")
    failed = account(ListClient([1], account_id="f", fails=PollError("no JSON")), "ben")
    assert run(monkeypatch, tmp_path, [good, waits]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "spotify_api acc1 (anna): 2 new plays",
        "spotify_api w (ben): the source asks to wait until 2099-01-01 12:30 UTC: 429",
    ]
    assert run(monkeypatch, tmp_path, [refused, failed, good]) == 1
    said = capsys.readouterr()
    assert said.out == "spotify_api acc1 (anna): 0 new plays\n"
    assert said.err.splitlines() == [
        "error: spotify_api r (ben): refused: error 17; allow  [1mit, then `lakehouse poll --again`",
        "error: spotify_api f (ben): failed: no JSON",
    ]
    assert run(monkeypatch, tmp_path, [good, refused], "--user", "anna") == 0
    assert [path.name for path in (tmp_path / "_api" / "spotify_api").iterdir() if path.is_dir()]


def test_a_gap_is_said_with_what_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = ListClient(list(range(50)))
    poll([account(client)], tmp_path / "_api", START)
    client.plays += range(50, 120)
    assert run(monkeypatch, tmp_path, [account(client)]) == 0
    assert (
        "50 new plays; plays may be missing from 2026-11-29 03:16 to 2026-11-29 04:40 UTC: an export" in capsys.readouterr().out
    )


def test_one_json_document(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, tmp_path, [account(ListClient([1]))], "--json") == 0
    [said] = json.loads(capsys.readouterr().out)["accounts"]
    assert (said["status"], said["new_plays"], said["listener"], said["gaps"]) == ("polled", 1, "anna", [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no account is connected: run `lakehouse connect spotify`"),
        (["--user", "nobody"], "no account is connected"),
        (["--landing", "/nowhere"], "the landing folder /nowhere does not exist"),
    ],
)
def test_without_an_account_or_a_folder_it_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(PRODUCT, ["poll", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_token_that_cannot_be_read_keeps_no_other_account_from_being_polled(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "state", "spotify_api")
    for account_id in ("a1", "a2"):
        store.write(token(account_id=account_id, listener=account_id))
    store.path("a1").write_text("{", encoding="utf-8")
    accounts = connected_accounts(settings(lastfm_users={"anna": "anna"}))
    assert [(one.account_id, one.listener) for one in accounts] == [("a2", "a2"), ("a1", "unknown"), ("anna", "anna")]
    (outcome,) = poll([accounts[1]], tmp_path / "inbox", START)
    assert outcome.status == "failed"
    assert outcome.reason == f"{store.path('a1')} cannot be read; remove it and connect the account again"


def test_an_empty_setting_means_no_account() -> None:
    assert connected_accounts(settings(lastfm_users="")) == []


@pytest.mark.parametrize("value", ["токен", "k\xc3", "a\nb"])
def test_a_key_that_no_header_can_hold_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="copy it again"):
        ScrobbleSettings(lastfm_api_key=value)  # type: ignore[arg-type]


def test_a_key_that_is_missing_is_looked_for_by_each_poll(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was asked, so nothing is to be waited for once the key is there."""
    client = ListClient([1])
    assert run(monkeypatch, tmp_path, [account(client)]) == 0
    client.fails = SettingMissing("LASTFM_API_KEY is not set", "set LASTFM_API_KEY")
    assert run(monkeypatch, tmp_path, [account(client)]) == 1
    assert "refused: LASTFM_API_KEY is not set; set LASTFM_API_KEY" in capsys.readouterr().err
    client.fails = None
    client.plays.append(2)
    assert run(monkeypatch, tmp_path, [account(client)]) == 0
    assert capsys.readouterr().out == "spotify_api acc1 (anna): 1 new play\n"


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    """As `lakehouse poll 2>&1 | head -0`: both streams are a pipe that nobody reads."""
    script = (
        "from polling.command import _say; import sys\n"
        "for stream in (sys.stdout, sys.stderr):\n"
        "    for _ in range(3): _say('x' * 100_000, stream)\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run([sys.executable, "-c", script], check=False, stdout=writer, stderr=writer, cwd=PROJECT_ROOT)
    finally:
        os.close(writer)
    assert ended.returncode == 0
