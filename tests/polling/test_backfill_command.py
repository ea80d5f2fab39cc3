"""`lakehouse poll --backfill`: the real entry point, what it says, and its exit codes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from lakehouse.cli.main import main
from polling import command
from polling.accounts import AccountSettings
from polling.backfill_shown import Shown
from polling.command import told
from polling.progress import Progress
from polling.retries import LONGEST_PAUSE
from polling.visit import Outcome
from run_pipeline import PRODUCT
from tests.polling import faults
from tests.polling.listed import START, ListClient, account
from tests.polling.past import Past, history
from tests.polling.server import API_KEY, MusicServer


@pytest.fixture
def past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Past]:
    with MusicServer(lastfm={"anna": history("2026-08-30", 900)}) as server:
        for name, value in {
            "LAKEHOUSE_INBOX": str(tmp_path),
            "LAKEHOUSE_STATE_DIR": str(tmp_path / "state"),
            "LAKEHOUSE_LASTFM_API_URL": server.url,
            "LAKEHOUSE_LASTFM_CALLS": "1000",
            "LAKEHOUSE_LASTFM_CALL_SECONDS": "1",
            "LASTFM_API_KEY": API_KEY,
            "LASTFM_USERS": '{"ben": "Anna"}',
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("LISTENBRAINZ_USERS", raising=False)
        monkeypatch.setitem(AccountSettings.model_config, "env_file", None)
        yield Past(server, tmp_path, "lastfm_api")


def test_it_says_each_month_and_what_came_of_it(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(PRODUCT, ["poll", "--backfill", "--since", "2026-10"]) == 0
    said = capsys.readouterr()
    # 24 plays before September, 360 in it, 372 in October, and 144 in November: the first poll brings 200.
    assert said.err.splitlines() == ["lastfm_api anna: 2026-10, 316 plays; 316 so far"]
    assert said.out == "lastfm_api anna (ben): 516 new plays, 316 so far; 2026-09 is next\n"
    assert main(PRODUCT, ["poll", "--backfill", "--user", "ben"]) == 0
    assert capsys.readouterr().out == "lastfm_api anna (ben): 384 new plays, complete with 700 plays back to 2026-08\n"
    assert past.received() == past.listens
    assert API_KEY not in "".join(path.read_text(errors="replace") for path in past.inbox.rglob("_*.json"))


def test_a_comparison_says_what_it_found(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    main(PRODUCT, ["poll", "--backfill"])
    del past.listens[500]
    capsys.readouterr()
    assert main(PRODUCT, ["poll", "--backfill", "--again"]) == 0
    assert capsys.readouterr().out == "lastfm_api anna (ben): 0 new plays, 1 no longer at the source, compared with the source\n"


def test_a_long_wait_is_one_line_and_no_failure(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    past.server.plan([None, None, faults.status(429, {}, {"Retry-After": str(int(LONGEST_PAUSE) + 86_400)})])
    assert main(PRODUCT, ["poll", "--backfill", "--json"]) == 0
    [said] = json.loads(capsys.readouterr().out)["accounts"]
    assert (said["status"], said["new_plays"], said["progress"]["month"]) == ("waiting", 399, "2026-10")
    assert main(PRODUCT, ["poll"]) == 0
    assert "the source asks to wait until" in capsys.readouterr().out


def test_spotify_is_told_what_helps_and_others_go_on(
    past: Past, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "connected_accounts", lambda _: [account(ListClient([1])), past.account()])
    assert main(PRODUCT, ["poll", "--backfill"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("spotify_api acc1 (anna): no backfill: the source tells of the last 50 plays only")
    assert second == "lastfm_api anna (anna): 900 new plays, complete with 700 plays back to 2026-08"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--since", "2019-04"], "--since says how far back to read: it needs --backfill"),
        (["--backfill", "--since", "2019-13"], "'2019-13' is not a month like 2019-04"),
        (["--backfill", "--since", "2019-4"], "'2019-4' is not a month like 2019-04"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    past: Past, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    try:
        code = main(PRODUCT, ["poll", *words])
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 2
    assert message in capsys.readouterr().err
    assert past.server.asked == []


def test_names_from_outside_are_no_markup_and_no_control_characters() -> None:
    outcome = Outcome("lastfm_api", "[red]x\x1b[1m", "anna", "polled")
    for is_terminal in (True, False):
        text = io.StringIO()
        with Shown(Console(file=text, force_terminal=is_terminal, width=200)) as shown:
            shown.read(outcome, "2026-11", Progress.begin(START))
        assert "[red]x [1m: 2026-11, 0 plays; 0 so far" in text.getvalue()


def test_one_play_is_no_plays() -> None:
    progress = Progress(START, "2026-11", months={"2026-11": 1}, is_complete=True)
    line = told(Outcome("lastfm_api", "a", "anna", "polled", new_plays=1, progress=progress))
    assert line == "lastfm_api a (anna): 1 new play, complete with 1 play back to 2026-11"
