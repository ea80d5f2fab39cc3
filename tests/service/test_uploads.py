"""What may be brought, what it is refused for, and what is left of an upload that is not whole."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import ingestion
from lakehouse.declare import SAMPLE_BYTES
from service.uploads import contents, incoming
from service.uploads.contents import Sender, check_start, found_files
from service.uploads.incoming import DEAD_SECONDS, START_BYTES, Arrived, Incoming
from service.uploads.multipart import UploadForm, upload_form
from service.uploads.refusal import RefusedUploadError
from service.uploads.store import brought, folder_of, keep, suffix_of
from tests.landing_files import CATALOGUE_HEADER, CATALOGUE_ROW, as_json, as_stream, extended, lines, synthetic_play
from tests.polling.envelopes_of import envelope, spotify_body, spotify_play

ANNA, ADMIN, HOUSE = Sender("anna", False), Sender("anna", True), Sender(None, True)
LIMIT = 50 * 2**20
ONE_K = b"user_000001\t2009-05-04T23:08:57Z\tm\tVega\tt\tTide\n" * 3
LISTEN = {"track_metadata": {"track_name": "Tide", "artist_name": "Vega"}, "listened_at": 1_795_986_245}
CATALOGUE = lines(CATALOGUE_HEADER, CATALOGUE_ROW)


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def poll_file() -> bytes:
    return envelope("spotify_api", spotify_body(spotify_play("2026-11-29T21:04:05.123Z", 1)), range(1)).content()


EXPORT = as_json([extended(), extended(ts="2025-01-01T00:00:00Z")])
OTHERS = json.dumps({**LISTEN, "user_name": "ben"}).encode() + b"\n"


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., list[contents.FoundFile]]:
    """Looks at an upload as the service does: at its start, then at the whole."""

    def looked(content: bytes, suffix: str = "", sender: Sender = ANNA) -> list[contents.FoundFile]:
        path = tmp_path / "upload.part"
        path.write_bytes(content)
        check_start(content[:START_BYTES], suffix, sender)
        return found_files(path, suffix, sender, LIMIT)

    return looked


@pytest.mark.parametrize(
    ("content", "suffix", "source"),
    [
        (EXPORT, ".json", "spotify_extended"),
        (zipped(**{"a/Streaming_History.json": EXPORT}), ".zip", "spotify_extended"),
        (gzip.compress(EXPORT, mtime=0), ".gz", "spotify_extended"),
        (json.dumps(LISTEN).encode() + b"\n", ".jsonl", "listenbrainz"),
        (b"action,kind,from_artist,to_artist\nmerge,artist,A,B\n", ".csv", "corrections"),
    ],
)
def test_what_a_listener_brings_is_found(look: Callable[..., Any], content: bytes, suffix: str, source: str) -> None:
    (found,) = look(content, suffix)
    assert found.source == source
    if source == "spotify_extended":
        assert (found.rows, found.first_day, found.last_day) == (2, "2024-03-01", "2025-01-01")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ONE_K, "names listeners of its own"),
        (as_stream([synthetic_play()]), "names synthetic listeners"),
        (zipped(**{"a.json": EXPORT, "b.tsv": ONE_K}), "names listeners of its own"),
        (OTHERS, "names the listener 'listenbrainz:ben'"),
        (json.dumps(LISTEN).encode() + b"\n" + OTHERS, "names the listener"),
        (json.dumps([LISTEN, {**LISTEN, "user_name": "ben"}]).encode(), "names the listener"),
        (gzip.compress(OTHERS, mtime=0), "names the listener"),
        (zipped(**{"x.zip": zipped(**{"y.jsonl": OTHERS})}), "names the listener"),
        (CATALOGUE, "changes the figures of everybody"),
    ],
)
def test_what_is_about_others_is_the_houses_to_bring(look: Callable[..., Any], content: bytes, reason: str) -> None:
    with pytest.raises(RefusedUploadError, match=reason) as refused:
        look(content)
    assert (refused.value.status, refused.value.reason.endswith("Only the admin can bring it.")) == (403, True)
    with pytest.raises(RefusedUploadError, match="Choose “the house” for it"):
        look(content, sender=ADMIN)
    assert any(one.source for one in look(content, sender=HOUSE))


def test_a_name_in_a_file_may_be_the_listeners_own(look: Callable[..., Any]) -> None:
    (found,) = look(OTHERS, sender=Sender("listenbrainz:ben", False))
    assert found.rows == 1


def test_a_file_too_large_to_count_is_judged_by_its_first_lines(
    look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "COUNTED_UPLOAD_BYTES", 10)
    (found,) = look(json.dumps(LISTEN).encode() + b"\n")
    assert (found.source, found.rows) == ("listenbrainz", None)
    with pytest.raises(RefusedUploadError, match="names the listener"):
        look(OTHERS + json.dumps(LISTEN).encode() + b"\n")


@pytest.mark.parametrize("sender", [ANNA, HOUSE])
def test_nobody_brings_what_the_lakehouse_writes_itself(look: Callable[..., Any], sender: Sender) -> None:
    with pytest.raises(RefusedUploadError, match="the lakehouse writes itself"):
        look(poll_file(), ".json", sender)
    with pytest.raises(RefusedUploadError, match="the lakehouse writes itself"):
        look(zipped(**{"x.json": poll_file()}), ".zip", sender)


@pytest.mark.parametrize(
    ("content", "suffix", "reason"),
    [
        (b"", ".json", "the file is empty"),
        (b"%PDF-1.7 ...", ".pdf", "a PDF document is not read"),
        (b"<!doctype html><html>", ".zip", "a web page, not the .zip file"),
        (b"Rar!\x1a\x07\x00", ".rar", "a RAR archive is not read: unpack it, and bring its files"),
        (b"\x89PNG\r\n\x1a\n" * 20, ".png", "no source recognises this content"),
        (b"PK\x03\x04" + b"x" * 100, ".zip", "not a readable zip file"),
        (zipped(**{"a.txt": b"hello"}), ".zip", "'a.txt' cannot be used"),
        (zipped(**{"a.txt": b"hello", "b.txt": b"hello"}), ".zip", "None of the 2 files"),
        (zipped(**{"../../etc/passwd": EXPORT}), ".zip", "has a path outside the archive"),
        (zipped(**{"/etc/passwd": EXPORT}), ".zip", "has a path outside the archive"),
        (zipped(**{"bomb.json": b"[" + b" " * 30 * 2**20}), ".zip", "possibly a zip bomb"),
        (gzip.compress(EXPORT[:-1] + b" " * 30 * 2**20 + b"]", mtime=0), ".gz", "possibly a zip bomb"),
        (zipped(**{"[Content_Types].xml": b"", "xl/workbook.xml": b""}), ".xlsx", "an Excel workbook is not read"),
    ],
)
def test_what_is_no_history_is_refused_with_what_to_bring(
    look: Callable[..., Any], content: bytes, suffix: str, reason: str
) -> None:
    with pytest.raises(RefusedUploadError, match=reason) as refused:
        look(content, suffix)
    assert "Bring the zip file of your Spotify export" in refused.value.reason
    assert "landing folder" not in refused.value.reason


def test_an_archive_of_endless_files_is_refused(look: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_FILES", 3)
    assert len(look(zipped(**{f"{n}.json": EXPORT for n in range(3)}))) == 3
    with pytest.raises(RefusedUploadError, match="more than 3 files"):
        look(zipped(**{f"{n}.json": EXPORT for n in range(4)}))


def test_every_source_is_either_a_listeners_own_or_the_houses() -> None:
    """A source of rows with other listeners' names has to be known as one, or its rows are looked through."""
    targets = {source.target for source in contents._examiner().sources}
    assert set(contents.OWN_TARGETS) <= targets
    names = {source.name for source in ingestion.sources("listening_history")}
    assert set(contents.NAMING_SOURCES) <= names
    assert START_BYTES == SAMPLE_BYTES


# -- the way to the disk


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def arrive(inbox: Path, *parts: bytes, most: int = LIMIT, announced: int | None = None, listener: str | None = "anna") -> Any:
    """What is kept of an upload in these parts."""

    async def whole() -> tuple[Arrived, bool, bytes]:
        starts: list[bytes] = []
        async with Incoming(inbox, most) as part:
            arrived = await part.receive(chunks(*parts), announced, starts.append)
            return arrived, keep(arrived, inbox, listener, ".json"), starts[0]

    return asyncio.run(whole())


def test_an_upload_is_kept_under_its_hash_once_and_privately(tmp_path: Path) -> None:
    content = os.urandom(5 * 2**20 + 17)
    for is_new in (True, False):
        arrived, is_kept, start = arrive(tmp_path, content[:100], content[100 : 3 * 2**20], content[3 * 2**20 :])
        assert (arrived.sha256, arrived.size) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (is_kept, start) == (is_new, content[:START_BYTES])
    (one,) = brought(tmp_path, "anna")
    path = tmp_path / "listeners" / "anna" / f"{one.sha256}.json"
    assert path.read_bytes() == content
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list((tmp_path / "_part").iterdir()) == []
    assert arrive(tmp_path, content, listener=None)[1], "the house has files of its own"
    assert folder_of(tmp_path, None) == tmp_path / "house"


@pytest.mark.parametrize(
    "name", ["../../x.zip", "/etc/passwd", "a/b\\..\\c.json", "x" * 300, "a.zip\x00.exe", ".htaccess", "<img>.php", "con.CSV"]
)
def test_nothing_of_a_senders_name_but_a_known_ending_is_kept(name: str) -> None:
    assert suffix_of(name) in ("", ".zip", ".json", ".csv")


def test_what_is_too_large_is_refused_before_and_while_it_comes(tmp_path: Path) -> None:
    assert arrive(tmp_path, b"x" * 1000, most=1000)[1]
    for parts, announced in (((b"x" * 1001,), None), ((b"x" * 600, b"x" * 600), None), ((b"",), 1001)):
        with pytest.raises(RefusedUploadError, match="LAKEHOUSE_MAX_FILE_MB") as refused:
            arrive(tmp_path, *parts, most=1000, announced=announced)
        assert refused.value.status == 413
    assert (len(brought(tmp_path, "anna")), list((tmp_path / "_part").iterdir())) == (1, [])


def test_a_disk_that_fills_up_refuses_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "SYNC_BYTES", 2**20)
    free = iter([incoming.FREE_BYTES + 10**7, incoming.FREE_BYTES - 1])
    monkeypatch.setattr(incoming.shutil, "disk_usage", lambda _: type("Usage", (), {"free": next(free)}))
    with pytest.raises(RefusedUploadError, match="Make room") as refused:
        arrive(tmp_path, *[b"x" * 2**20] * 40)
    assert (refused.value.status, list((tmp_path / "_part").iterdir())) == (507, [])


def test_part_files_of_a_killed_server_go_and_those_of_another_upload_stay(tmp_path: Path) -> None:
    folder = tmp_path / "_part"
    folder.mkdir()
    dead, alive = folder / "dead.part", folder / "alive.part"
    for path in (dead, alive):
        path.write_bytes(b"x")
    os.utime(dead, (time.time() - DEAD_SECONDS - 10,) * 2)
    arrive(tmp_path, b"y")
    assert [path.name for path in folder.iterdir()] == ["alive.part"]


# -- forms

BOUNDARY = "----b"


def form(*parts: tuple[str, str | None, bytes], end: bool = True) -> bytes:
    """A body with these parts: name, file name, content."""
    body = b""
    for name, file_name, content in parts:
        file = "" if file_name is None else f'; filename="{file_name}"'
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"
    return body + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


def parsed(body: bytes, step: int) -> tuple[UploadForm, bytes]:
    async def read() -> tuple[UploadForm, bytes]:
        parts = (body[at : at + step] for at in range(0, len(body), step))
        found = await upload_form(f"multipart/form-data; boundary={BOUNDARY}", chunks(*parts))
        return found, b"".join([one async for one in found.chunks])

    return asyncio.run(read())


@pytest.mark.parametrize("step", [1, 7, 64, 10**6])
def test_a_form_gives_its_fields_and_its_file_however_it_is_cut(step: int) -> None:
    content = f"\r\n--{BOUNDARY[:-1]}\r\n\r\n--x".encode() * 20
    found, file = parsed(
        form(("form_token", None, b"abc"), ("listener", None, "ännä".encode()), ("file", "ä.zip", content)), step
    )
    assert (found.fields, found.file_name, file) == ({"form_token": "abc", "listener": "ännä"}, "ä.zip", content)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "No file came"),
        (b"nonsense", "damaged"),
        (form(("form_token", None, b"abc")), "No file came"),
        (form(("file", "a", b"x" * 1000), end=False), "broke off"),
        (form(("f", None, b"x" * 2000), ("file", "a", b"x")), "too long"),
        (form(*[(f"f{n}", None, b"") for n in range(20)], ("file", "a", b"x")), "too many fields"),
        (form(("file", "a", b"x"), ("file", "b", b"y")), "one file at a time"),
    ],
)
def test_what_is_no_form_with_one_file_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(RefusedUploadError, match=reason):
        parsed(body, 100)
