"""Poll files: what is in them, where they lie, who may read them, and what of a write that goes wrong."""

from __future__ import annotations

import datetime as dt
import errno
import gzip
import json
import os
import stat
from pathlib import Path

import pytest

from music.envelopes import ANSWER, FORMAT, HEAD
from polling.answers import Answer, Item
from polling.envelope import Envelope, EnvelopeError, read_envelope, write_envelope
from polling.files import remove_parts
from polling.places import AccountPlace

UTC = dt.timezone.utc
DATE = dt.datetime(2026, 11, 29, 21, 10, 5, tzinfo=UTC)
PLAYED = dt.datetime(2026, 11, 29, 21, 4, 5, 123000, tzinfo=UTC)
BODY = {"items": [{"track": {"name": "Tide \ud800"}}, {"track": None}], "cursors": None}
ANSWERED = Answer(
    "spotify_api",
    "acc1",
    {"path": "me/player/recently-played", "limit": "50"},
    DATE,
    BODY,
    (Item(0, "a", PLAYED), Item(1, "b", None)),
)


def envelope(body: object = BODY) -> Envelope:
    answer = Answer(ANSWERED.source, ANSWERED.account_id, ANSWERED.request, DATE, body, ANSWERED.items)
    return Envelope.of(answer, "anna", ANSWERED.items[1:], connects=True)


@pytest.fixture
def place(tmp_path: Path) -> AccountPlace:
    return AccountPlace(tmp_path / "inbox", "spotify_api", "acc1")


def test_a_file_holds_the_whole_answer_last_and_what_is_new_in_it(place: AccountPlace) -> None:
    path = write_envelope(place, 12, envelope())
    assert path == place.inbox / "spotify_api" / "acc1" / "2026-11" / "00000012-20261129T211005Z.json.gz"
    document = json.loads(gzip.decompress(path.read_bytes()))
    assert tuple(document) == (*HEAD, ANSWER)
    assert document == {
        "format": FORMAT,
        "source": "spotify_api",
        "account_id": "acc1",
        "listener": "anna",
        "request": {"path": "me/player/recently-played", "limit": "50"},
        "server_date": "2026-11-29T21:10:05Z",
        "new": [1],
        "keys": {"b": None},
        "connects": True,
        "answer": BODY,
    }
    assert read_envelope(path) == envelope()


def test_only_the_owner_reads_files_and_folders_and_those_that_were_there_keep_their_mode(place: AccountPlace) -> None:
    place.inbox.mkdir()
    place.inbox.chmod(0o755)
    before = os.umask(0)
    try:
        path = write_envelope(place, 1, envelope())
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent, path.parent.parent, place.inbox / "spotify_api")]
    assert modes == [0o600, 0o700, 0o700, 0o700]
    assert stat.S_IMODE(place.inbox.stat().st_mode) == 0o755


def test_an_answer_that_expands_like_a_bomb_is_written_as_it_is(place: AccountPlace) -> None:
    big = {"items": [{"x": "y" * 1_000_000}]}
    path = write_envelope(place, 1, envelope(big))
    assert path.suffix == ".json"
    assert read_envelope(path).answer == big


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_full_disk_leaves_no_file(place: AccountPlace, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    (place.folder / "2026-11").mkdir(parents=True)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        write_envelope(place, 1, envelope())
    monkeypatch.undo()
    assert [path for path in place.folder.rglob("*") if path.is_file() and not path.name.startswith(".")] == []
    remove_parts(place.folder)
    assert [path for path in place.folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("account_id", ["_foo", ".foo", "..", "a/b", "a!b", "Jürgen", "a b", "%5Ffoo"])
def test_no_account_is_hidden_or_leaves_the_folder_of_its_source(tmp_path: Path, account_id: str) -> None:
    place = AccountPlace(tmp_path, "lastfm_api", account_id)
    assert place.folder.parent == tmp_path / "lastfm_api" == place.state.parent == place.lock.parent
    assert not place.folder.name.startswith((".", "_"))
    assert place.state.name.startswith("_")
    assert place.lock.name.startswith("_")


def test_accounts_have_folders_of_their_own(tmp_path: Path) -> None:
    ids = ["_foo", "%5Ffoo", "foo", "5Ffoo"]
    assert len({AccountPlace(tmp_path, "lastfm_api", one).folder for one in ids}) == len(ids)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": "other/1"}',
        b"\x1f\x8b\x08cut",
        gzip.compress(b"{}", mtime=0)[:-3],
        gzip.compress(b"{", mtime=0),
    ],
)
def test_a_file_that_is_no_envelope_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "00000001-20261129T211005Z.json.gz"
    path.write_bytes(content)
    with pytest.raises(EnvelopeError, match="00000001-20261129T211005Z"):
        read_envelope(path)
