"""Archives within archives and gzip files: each member once, within limits, and one bad member harms no other."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from lakehouse.landing import container
from lakehouse.landing.archive import RefusedArchiveError
from tests.lakehouse.landing.test_archive import with_flags, zipped
from tests.lakehouse.landing_runs import LandingRuns, Visit
from tests.landing_files import account_music, as_json

ANNA, BOB = as_json([account_music(trackName="Anna's")]), as_json([account_music(trackName="Bob's")])


@pytest.fixture
def runs(tmp_path: Path) -> LandingRuns:
    for name in ("landing", "staging"):
        (tmp_path / name).mkdir()
    return LandingRuns(tmp_path / "landing", tmp_path / "staging")


def told(visit: Visit) -> dict[str, tuple[str, str]]:
    return {path: (file.status, file.reason or "") for path, file in visit.state.items()}


def with_method(archive: bytes, method: int) -> bytes:
    """The archive with another compression method in both headers of its first member."""
    changed = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = archive.index(signature) + offset
        changed[at : at + 2] = struct.pack("<H", method)
    return bytes(changed)


def test_archives_within_archives_and_gzip_files_are_read_once(runs: LandingRuns) -> None:
    inner = zipped({"MyData/a!1.json": ANNA})
    runs.put("drive!.zip", zipped({"x!y/my.zip": inner, "b!.json.gz": gzip.compress(BOB)}))
    runs.put("wow!.zip.gz", gzip.compress(zipped({"c.json": as_json([account_music(trackName="C")])})))
    runs.put("plain.json", ANNA)
    runs.put("z.json.gz", gzip.compress(BOB))
    visit = runs.run()
    assert visit.read == ["drive!.zip!b!.json.gz!b!.json", "drive!.zip!x!y/my.zip!MyData/a!1.json", "wow!.zip.gz!wow!.zip!c.json"]
    assert visit.rows["drive!.zip!x!y/my.zip!MyData/a!1.json"][0]["track_name"] == "Anna's"
    assert visit.status()["plain.json"] == visit.status()["z.json.gz!z.json"] == "duplicate"
    again = runs.run(rehash=True)
    assert (again.read, again.news) == ([], [])


def test_what_is_hidden_or_added_by_a_system_is_passed_over_in_archives(runs: LandingRuns) -> None:
    noise = ("__MACOSX/._a.json", "__MACOSX/x/y", ".DS_Store", "a/.hidden/b.json", "a\\.x", "Thumbs.db", "a/desktop.ini")
    runs.put("a.zip", zipped({**dict.fromkeys(noise, b"noise"), "a.json": ANNA}))
    assert told(runs.run()) == {"a.zip!a.json": ("ingested", "")}


def test_a_bad_member_harms_no_other(runs: LandingRuns) -> None:
    stored = zipped({"bad.json": BOB, "good.json": ANNA}, zipfile.ZIP_STORED).replace(b"Bob's", b"Bub's")
    runs.put("crc.zip", stored)
    for name, archive in {
        "encrypted": with_flags(zipped({"x.json": b"[1]", f"{1}.json": as_json([account_music(msPlayed=1)])}), 1),
        "deflate64": with_method(zipped({"x.json": b"[2]", f"{2}.json": as_json([account_music(msPlayed=2)])}), 9),
        "method": with_method(zipped({"x.json": b"[3]", f"{3}.json": as_json([account_music(msPlayed=3)])}), 77),
        "inner": zipped({"x.zip": b"PK\x03\x04 and no zip", "4.json": as_json([account_music(msPlayed=4)])}),
        "gz": zipped({"x.json.gz": gzip.compress(BOB)[:-9], "5.json": as_json([account_music(msPlayed=5)])}),
    }.items():
        runs.put(f"{name}.zip", archive)
    visit = runs.run()
    assert visit.read == [
        *[
            "crc.zip!good.json",
            "deflate64.zip!2.json",
            "encrypted.zip!1.json",
            "gz.zip!5.json",
            "inner.zip!4.json",
            "method.zip!3.json",
        ]
    ]
    reasons = {path: reason for path, (status, reason) in told(visit).items() if status == "broken"}
    expected = {
        "crc.zip!bad.json": "download the archive again",
        "encrypted.zip!x.json": "it is encrypted: unpack it",
        "deflate64.zip!x.json": "Deflate64",
        "method.zip!x.json": "a method (77) that is not read: unpack it",
        "inner.zip!x.zip": "not a readable zip file",
        "gz.zip!x.json.gz": "download it again",
    }
    assert set(reasons) == set(expected) == set(visit.news)
    assert {path: part for path, part in expected.items() if part not in reasons[path]} == {}
    assert runs.run(rehash=True).news == []


def test_archives_that_go_too_deep_are_told(runs: LandingRuns) -> None:
    archive = zipped({"a.json": ANNA})
    for _ in range(container.MAX_DEPTH):
        archive = zipped({"n.zip": archive})
    runs.put("deep.zip", archive)
    assert told(runs.run()) == {
        "deep.zip!n.zip!n.zip!n.zip": ("broken", "an archive in 3 others is not read: " + container.UNPACK)
    }


@pytest.mark.parametrize("name", ["bomb.json.gz", "bomb.zip"])
def test_a_bomb_in_gzip_is_refused(runs: LandingRuns, name: str) -> None:
    bomb = gzip.compress(b"[" + b" " * 30_000_000 + b"]")
    runs.put(name, bomb if name.endswith(".gz") else zipped({"a.json": ANNA, "b.json.gz": bomb}))
    reasons = [reason for status, reason in told(runs.run()).values() if status == "broken"]
    assert reasons == ["expands more than 200 times: possibly a zip bomb"]


def test_what_archives_within_archives_expand_to_counts_together(tmp_path: Path) -> None:
    inner = zipped({"x": b"x" * 900}, zipfile.ZIP_STORED)
    outer = zipped({f"{number}.zip": inner for number in range(15)}, zipfile.ZIP_STORED)
    walk = container.members(io.BytesIO(outer), len(outer), container.Budget(1100))
    faults = [member.fault for member in walk]
    assert faults[:3] == [None, None, None]
    assert "expands to more than 22,000 bytes" in str(faults[-1])


def test_more_members_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container.Budget, "__post_init__", lambda self: vars(self).update(left_members=3, left_bytes=10**9))
    inner = zipped({"a": b"1", "b": b"2"})
    walk = container.members(io.BytesIO(zipped({"x.zip": inner})), 1, container.Budget(10**6))
    assert [member.name for member in walk] == ["x.zip!a", "x.zip!b"]
    walk = container.members(io.BytesIO(zipped({"x.zip": inner, "y": b""})), 1, container.Budget(10**6))
    assert [member.fault is None for member in walk] == [False, True]


def test_a_member_that_is_gone_is_refused() -> None:
    archive = zipped({"a.json": ANNA})
    with (
        pytest.raises((RefusedArchiveError, KeyError)),
        container.open_member(io.BytesIO(archive), len(archive), container.Budget(10**6), "b.json"),
    ):
        pass


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.json"), io.BytesIO(b""))
    return out.getvalue()


FORMATS = {
    "x.7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", "broken", "a 7z archive is not read: unpack it"),
    "x.rar": (b"Rar!\x1a\x07\x01\x00", "broken", "a RAR archive is not read: unpack it"),
    "x.tar.gz": (gzip.compress(tar()), "broken", "a tar archive is not read: unpack it"),
    "x.xlsx": (
        zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<x/>"}),
        "broken",
        "an Excel workbook is not read: save it",
    ),
    "x.docx": (
        zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<x/>"}),
        "broken",
        "an Office document is not read",
    ),
    "x.ods": (
        zipped({"mimetype": b"x", "content.xml": b"<x/>"}),
        "broken",
        "a spreadsheet or document is not read: save it as CSV",
    ),
    "x.xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 99,
        "broken",
        "an old Excel workbook or Office document is not read: save",
    ),
    "x.db": (b"SQLite format 3\x00" + b"\x00" * 99, "broken", "a SQLite database is not read: export"),
    "x.parquet": (b"PAR1" + b"\x00" * 99, "broken", "a Parquet file is not read: save it as CSV"),
    "x.zip": (b"\n <!DOCTYPE  HTML><html>", "broken", "a web page, not the .zip file that its name promises: download it again"),
    "x.json": (b"<html><body>Sign in", "broken", "a web page, not the .json file"),
    "x.html": (b"<html><body>Bookmarks", "unknown", "a web page is not read"),
    "y.zip": (b"cut off", "broken", "its name is that of a zip file, but its content is not: download it again"),
    "empty.zip": (zipped({}), "broken", "the archive holds no files: download it again"),
    "noise.zip": (zipped({".DS_Store": b""}), "broken", "the archive holds no files: download it again"),
    "cut.json.gz": (gzip.compress(BOB)[:-9], "broken", "not a readable gzip file, perhaps an interrupted download"),
    "z.gz": (b"\x1f\x8b\x08 and no gzip", "broken", "not a readable gzip file"),
    "x.pdf": (b"%PDF-1.7", "unknown", "a PDF document is not read"),
}


def test_formats_that_are_not_read_are_told_with_what_to_do(runs: LandingRuns) -> None:
    for name, (content, _, _) in FORMATS.items():
        runs.put(name, content)
    found = {path.partition("!")[0]: value for path, value in told(runs.run()).items()}
    assert {name: status for name, (status, _) in found.items()} == {name: status for name, (_, status, _) in FORMATS.items()}
    assert [name for name, (_, _, reason) in FORMATS.items() if not found[name][1].startswith(reason)] == []
