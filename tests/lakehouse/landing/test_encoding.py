"""Text in other encodings is read where its encoding is certain, and refused with a remedy elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lakehouse.declare import BrokenFileError
from lakehouse.landing import encoding
from lakehouse.landing.encoding import as_utf8, encoding_of, is_windows_text
from tests.lakehouse.landing_runs import LandingRuns
from tests.landing_files import CONTENTS, FLAT_HEADER

TEXT = '[{"ts": "Größe – 日本 👩"}]\r\n'


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_tells_the_encoding(name: str) -> None:
    content = ("\ufeff" + TEXT).encode(name)
    assert encoding_of(content) == name
    assert as_utf8(io.BytesIO(content), name).read().decode("utf-8-sig") == TEXT


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_without_a_mark_ascii_at_the_beginning_tells_it(name: str) -> None:
    assert encoding_of(TEXT.encode(name)[:12]) == name
    assert encoding_of(TEXT.encode(name)) == encoding.UTF_8
    assert encoding_of(FLAT_HEADER.encode(name)) == name


@pytest.mark.parametrize(
    "start", [b"", b"[", b"[]", TEXT.encode(), b"\x00" * 99, b"\xff" * 99, b"a\x00b\x00", CONTENTS["synthetic"]]
)
def test_anything_else_counts_as_utf8(start: bytes) -> None:
    assert encoding_of(start) == encoding.UTF_8


def test_a_stream_can_be_read_again_from_its_start_and_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "READ_BYTES", 3)
    stream = as_utf8(io.BytesIO(TEXT.encode("utf-16-le")), "utf-16-le")
    assert stream.read(5) == TEXT.encode()[:5]
    stream.seek(0)
    assert b"".join(iter(lambda: stream.read(1), b"")) == TEXT.encode()


@pytest.mark.parametrize("content", [TEXT.encode("utf-16-le")[:-1], b"\x00\xd8" * 4])
def test_bytes_that_are_not_of_the_encoding_are_refused(content: bytes) -> None:
    with pytest.raises(BrokenFileError, match="not valid UTF-16-LE: save it as UTF-8, or download it again"):
        as_utf8(io.BytesIO(content), "utf-16-le").read()


UNCERTAIN = {
    "a Czech name": "Dvořák".encode("cp1250"),
    "a Polish name": "Wałęsa".encode("cp1250"),
    "a Lithuanian name": "Jānis".encode("cp1257"),
    "a Russian name": "Цой".encode("cp1251"),
    "a Russian name of two letters": "Ой".encode("cp1251"),
    "a Greek name": "Ελλάς".encode("cp1253"),
    "a Chinese name": "周杰伦".encode("gbk"),
    "a name of an old Mac": "Café".encode("mac-roman"),
    "a letter that pages disagree on": "Señor".encode("cp1252"),
    "a letter alone": "a é b".encode("cp1252"),
    "a byte of a picture": b"a\xff\xd8\xffb",
}


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_a_windows_code_page_is_certain_where_all_pages_agree(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(encoding, "READ_BYTES", block)
    for name in ("Größe", "Beyoncé", "Motörhead", "Öl, Ärzte", "aß", "éa"):
        assert is_windows_text(io.BytesIO(f"x,{name},y".encode("cp1252"))), name
    for what, name in UNCERTAIN.items():
        assert not is_windows_text(io.BytesIO(b"x," + name + b",y")), what


def test_files_in_other_encodings_are_read_or_refused(tmp_path: Path) -> None:
    for name in ("landing", "staging"):
        (tmp_path / name).mkdir()
    runs = LandingRuns(tmp_path / "landing", tmp_path / "staging")
    table = f"{FLAT_HEADER}\nid,2024-03-01 10:03:00,ios,180000,{{}},Artist,Album,,,,\n"
    lines = '{"listened_at": 1, "track_metadata": {"track_name": "Größe", "artist_name": "A"}}\n' * 3
    files = {
        "16.csv": table.format("16 – 日本").encode("utf-16"),
        "16bare.csv": table.format("bare").encode("utf-16-be"),
        "1252.csv": table.format("Größe").encode("cp1252"),
        "1250.csv": table.format("Dvořák").encode("cp1250"),
        "lines.jsonl": lines.encode("cp1252"),
        "16.json": CONTENTS["spotify_extended"].decode().encode("utf-16"),
        "odd.csv": table.format("odd").encode("utf-16")[:-1],
    }
    for name, content in files.items():
        runs.put(name, content)
    visit = runs.run()
    titles = {name: visit.rows[name][0]["track_name"] for name in visit.read}
    assert titles == {
        "16.csv": "16 – 日本",
        "16bare.csv": "bare",
        "1252.csv": "Größe",
        "lines.jsonl": "Größe",
        "16.json": "Title",
    }
    assert visit.news == ["1250.csv", "odd.csv"]
    assert str(visit.state["1250.csv"].reason).endswith("save it as UTF-8")
    assert "not valid UTF-16-LE" in str(visit.state["odd.csv"].reason)
