"""Tokens: shown once, stored as a hash, for one listener and one scope; guessing is slowed down."""

from __future__ import annotations

import datetime as dt
import json
import stat
import threading
from pathlib import Path

import pytest

from service import api_tokens
from service.api_tokens import READ, SUBMIT, Granted, TokensError, TooManyGuessesError, checked, issue, listed, revoke, revoke_all


@pytest.fixture(autouse=True)
def no_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "_guesses", api_tokens._Guesses())


def test_a_token_grants_its_listener_and_its_scope_only(tmp_path: Path) -> None:
    token = issue(tmp_path, "anna", READ, "phone widget")
    other = issue(tmp_path, "ben", SUBMIT, "player")
    assert token != other
    assert len(token) == 43
    granted, of_other = checked(tmp_path, token), checked(tmp_path, other)
    assert granted is not None and of_other is not None
    assert (granted.user_id, granted.scope) == ("anna", READ)
    assert (of_other.user_id, of_other.scope) == ("ben", SUBMIT)


@pytest.mark.parametrize("wrong", ["", "x", "x" * 10_000_000, "\udce9", "../../etc/passwd", "é" * 43])
def test_a_wrong_token_grants_nothing(tmp_path: Path, wrong: str) -> None:
    issue(tmp_path, "anna", READ, "widget")
    assert checked(tmp_path, wrong) is None


def test_neither_a_cut_token_nor_its_hash_or_id_grants_anything(tmp_path: Path) -> None:
    token = issue(tmp_path, "anna", READ, "widget")
    (token_id, stored), *_ = json.loads((tmp_path / api_tokens.FILE).read_bytes())["tokens"].items()
    assert checked(tmp_path, token) is not None
    assert [checked(tmp_path, wrong) for wrong in (token[:-1], token + "A", stored["digest"], token_id)] == [None] * 4


def test_a_hash_with_the_same_beginning_is_another_token(tmp_path: Path) -> None:
    token = issue(tmp_path, "anna", READ, "widget")
    path = tmp_path / api_tokens.FILE
    document = json.loads(path.read_bytes())
    (one,) = document["tokens"].values()
    one["digest"] = one["digest"][:-1] + ("0" if one["digest"][-1] != "0" else "1")
    path.write_text(json.dumps(document))
    assert checked(tmp_path, token) is None


def test_the_file_is_private_and_holds_no_token(tmp_path: Path) -> None:
    state = tmp_path / "state"
    token = issue(state, "anna", READ, "widget")
    checked(state, token)
    for path in state.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        assert path.is_dir() or token.encode() not in path.read_bytes()


def test_its_owner_sees_the_label_and_the_days(tmp_path: Path) -> None:
    today = dt.datetime.now(dt.timezone.utc).date()
    token = issue(tmp_path, "anna", READ, " phone widget ")
    issue(tmp_path, "ben", READ, "his")
    (one,) = listed(tmp_path, "anna")
    assert (one.label, one.scope, one.created, one.last_used) == ("phone widget", READ, today, None)
    checked(tmp_path, token)
    assert [one.last_used for one in listed(tmp_path, "anna")] == [today]


def test_a_use_is_written_once_a_day(tmp_path: Path) -> None:
    token = issue(tmp_path, "anna", READ, "widget")
    checked(tmp_path, token)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for _ in range(100):
        assert checked(tmp_path, token) is not None
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_revoked_token_grants_nothing_and_only_its_owner_revokes_it(tmp_path: Path) -> None:
    token, kept = issue(tmp_path, "anna", READ, "widget"), issue(tmp_path, "anna", SUBMIT, "player")
    granted = checked(tmp_path, token)
    assert granted is not None
    assert not revoke(tmp_path, "ben", granted.token_id)
    assert checked(tmp_path, token) == granted
    assert revoke(tmp_path, "anna", granted.token_id)
    assert checked(tmp_path, token) is None
    assert checked(tmp_path, kept) is not None
    assert not revoke(tmp_path, "anna", granted.token_id)
    assert not any(granted.token_id in str(path) for path in tmp_path.rglob("*"))


def test_all_tokens_of_a_listener_can_go(tmp_path: Path) -> None:
    tokens = [issue(tmp_path, "anna", scope, "") for scope in (READ, SUBMIT)]
    of_ben = issue(tmp_path, "ben", READ, "")
    assert revoke_all(tmp_path, "anna") == 2
    assert [checked(tmp_path, token) for token in tokens] == [None, None]
    assert checked(tmp_path, of_ben) is not None


def test_tokens_issued_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    tokens = list[str]()
    threads = [threading.Thread(target=lambda: tokens.append(issue(tmp_path, "anna", READ, "x"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 8
    assert all(checked(tmp_path, token) for token in tokens)


def test_what_cannot_be_a_token_is_refused(tmp_path: Path) -> None:
    for scope, label in (("admin", "x"), (READ, "x" * 101), (READ, "two\nlines"), (READ, "\x1b[2J")):
        with pytest.raises(ValueError, match=r"scope|label"):
            issue(tmp_path, "anna", scope, label)
    assert not (tmp_path / api_tokens.FILE).exists()


def test_a_listener_has_a_bounded_number_of_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "MOST_TOKENS", 2)
    for _ in range(2):
        issue(tmp_path, "anna", READ, "")
    with pytest.raises(TokensError, match="revoke one"):
        issue(tmp_path, "anna", READ, "")
    issue(tmp_path, "ben", READ, "")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 2, "tokens": {}}', b'{"format": 1, "tokens": {"a": {"b": 1}}}', b"\xff"]
)
def test_a_damaged_file_is_named_and_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / api_tokens.FILE
    path.write_bytes(content)
    for use in (lambda: checked(tmp_path, "x"), lambda: listed(tmp_path, "anna"), lambda: issue(tmp_path, "anna", READ, "")):
        with pytest.raises(TokensError, match=str(path)):
            use()
    assert path.read_bytes() == content


def test_an_address_that_guesses_has_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(api_tokens.time, "monotonic", lambda: now[0])
    known, fresh = issue(tmp_path, "anna", READ, "widget"), issue(tmp_path, "anna", READ, "new")
    assert isinstance(checked(tmp_path, known, "10.0.0.9"), Granted)
    for number in range(10):
        assert checked(tmp_path, f"guess {number}", "10.0.0.9") is None
    for token in ("guess", fresh):
        with pytest.raises(TooManyGuessesError) as refused:
            checked(tmp_path, token, "10.0.0.9")
    assert refused.value.retry_after == 61
    assert checked(tmp_path, known, "10.0.0.9") is not None, "a token that came from there before"
    assert checked(tmp_path, fresh, "10.0.0.8") is not None, "another address"
    now[0] += 61
    assert checked(tmp_path, fresh, "10.0.0.9") is not None


def test_a_revoked_token_is_no_longer_exempt(tmp_path: Path) -> None:
    token = issue(tmp_path, "anna", READ, "widget")
    granted = checked(tmp_path, token, "10.0.0.9")
    assert granted is not None
    revoke(tmp_path, "anna", granted.token_id)
    assert checked(tmp_path, token, "10.0.0.9") is None


def test_a_full_disk_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    token = issue(tmp_path, "anna", READ, "widget")

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(api_tokens, "write_file", full)
    assert checked(tmp_path, token) is not None
    assert "No space left" in caplog.text
    assert token not in caplog.text
