"""Zip files from strangers: a dangerous or damaged one is refused with a reason, and nothing else is ever raised."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from lakehouse.landing.archive import MAX_RATIO, RefusedArchiveError, files_of, open_archive

LIMIT = 10 * 1024 * 1024
METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def contents(folder: Path, archive: bytes, limit: int = LIMIT) -> dict[str, bytes]:
    """Name and content of every member, as the landing folder reads them."""
    path = folder / "archive.zip"
    path.write_bytes(archive)
    with open_archive(path, limit) as opened:
        return {info.filename: opened.open(info).read() for info in files_of(opened)}


def reason(folder: Path, archive: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(RefusedArchiveError) as refused:
        contents(folder, archive, limit)
    return str(refused.value)


def with_flags(archive: bytes, bit: int) -> bytes:
    """The archive with a flag set in both headers of its first member."""
    changed = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = archive.index(signature) + offset
        changed[at : at + 2] = struct.pack("<H", struct.unpack("<H", archive[at : at + 2])[0] | bit)
    return bytes(changed)


def test_members_are_read_in_order_and_folders_are_none(tmp_path: Path) -> None:
    members = {"MyData/": b"", "MyData/b.json": b"[2]", "MyData/a.json": b"[1]", "..hidden": b"x", "a..b/c": b"y", "é ☃": b"z"}
    del members["MyData/"]
    assert list(contents(tmp_path, zipped({"MyData/": b"", **members})).items()) == list(members.items())


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "a/../../evil.json",
        "a/..",
        "..",
        "/etc/passwd",
        "//server/share",
        "..\\evil.json",
        "a\\..\\..\\evil.json",
        "\\windows\\evil",
        "C:\\evil.json",
        "C:/evil.json",
        "c:evil.json",
    ],
)
def test_a_path_outside_the_archive_refuses_all_of_it(tmp_path: Path, name: str) -> None:
    said = reason(tmp_path, zipped({"good.json": b"[]", name: b"[]"}))
    assert said.startswith(f"member {name!r} has a path outside the archive: unpack it with care")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    assert "'a.json'" in reason(tmp_path, with_flags(zipped({"a.json": b"[]"}), 1))


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    said = reason(tmp_path, zipped({"good.json": b"[]", "bomb.json": b"0" * (4 * 1024 * 1024)}))
    assert said.startswith("member 'bomb.json' expands ")
    assert said.endswith(" times: possibly a zip bomb")


def test_a_small_member_may_be_repetitive(tmp_path: Path) -> None:
    content = b"0" * (1024 * 1024)
    archive = zipped({"a.json": content})
    assert len(content) > MAX_RATIO * len(archive)
    assert contents(tmp_path, archive) == {"a.json": content}


def test_a_member_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    archive = zipped({"a.json": b"12345678"}, zipfile.ZIP_STORED)
    assert contents(tmp_path, archive, 8) == {"a.json": b"12345678"}
    assert reason(tmp_path, archive, 7) == "member 'a.json' expands to 8 bytes (limit 7)"


def test_many_members_that_are_large_together_are_refused(tmp_path: Path) -> None:
    archive = zipped({f"{number}.json": b"12345678" for number in range(21)}, zipfile.ZIP_STORED)
    assert len(contents(tmp_path, archive, 9)) == 21
    assert reason(tmp_path, archive, 8) == "expands to 168 bytes in total"


def test_a_member_that_is_larger_than_its_directory_says_is_not_read_beyond(tmp_path: Path) -> None:
    archive = bytearray(zipped({"a.json": b"x" * 5000}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = archive.index(signature) + offset
        archive[at : at + 4] = struct.pack("<I", 10)
    assert "damaged in the zip file" in reason(tmp_path, bytes(archive))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_an_interrupted_download_is_refused(tmp_path: Path, share: float) -> None:
    archive = zipped({"a.json": bytes(range(256)) * 8, "b.json": b"[]"})
    said = reason(tmp_path, archive[: int(len(archive) * share)])
    assert said.startswith("not a readable zip file, perhaps an interrupted download: ")


def test_no_zip_at_all_is_refused(tmp_path: Path) -> None:
    assert reason(tmp_path, b"PK\x03\x04 and then something else").startswith("not a readable zip file")


def test_a_member_with_another_checksum_is_refused(tmp_path: Path) -> None:
    archive = zipped({"a.json": b'[{"ms_played": 1}]'}, zipfile.ZIP_STORED)
    assert "Bad CRC-32 for file 'a.json'" in reason(tmp_path, archive.replace(b"ms_played", b"ms_placed"))


def test_an_unknown_compression_is_refused(tmp_path: Path) -> None:
    archive = bytearray(zipped({"a.json": b"[]"}))
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = archive.index(signature) + offset
        archive[at : at + 2] = struct.pack("<H", 77)
    assert "not a readable zip file" in reason(tmp_path, bytes(archive))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.json", b"[1]")
        archive.writestr("a.json", b"[2]")
    assert reason(tmp_path, out.getvalue()).startswith("two members have the same name: unpack it with care")


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    assert "has a path outside the archive" in reason(tmp_path, zipped({".": b"[]"}))


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    assert "not a readable zip file" in reason(tmp_path, zipped({"é.json": b"[]"}).replace("é".encode(), b"\xff\xfe"))


@pytest.mark.parametrize("method", METHODS)
def test_any_damaged_byte_gives_the_content_or_a_refusal(tmp_path: Path, method: str) -> None:
    archive = zipped({"a.json": b'[{"ms_played": 1}]' * 3}, METHODS[method])
    outcomes = set()
    for position in range(len(archive)):
        damaged = bytearray(archive)
        damaged[position] ^= 0xFF
        try:
            outcomes.add(set(contents(tmp_path, bytes(damaged)).values()) <= {b'[{"ms_played": 1}]' * 3})
        except RefusedArchiveError:
            continue
    assert outcomes <= {True}
