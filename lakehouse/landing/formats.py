"""Files of widespread formats that are not read, known by their first bytes: what to do with each."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from lakehouse.declare.source import Explanation

UNPACK = "unpack it, and put its files into the landing folder"
SAVE_AS_CSV = "save it as CSV (UTF-8)"
# Offset, bytes there, what it is, what to do; such a file may hold all that somebody ever listened to.
SIGNATURES = (
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (0, b"BZh", "a bzip2 file", UNPACK),
    (0, b"\xfd7zXZ\x00", "an xz file", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook or Office document", SAVE_AS_CSV),
    (0, b"SQLite format 3\x00", "a SQLite database", "export its table of plays as CSV"),
    (0, b"PAR1", "a Parquet file", SAVE_AS_CSV),
)
WEB_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
NAMES_OF_DATA = (".zip", ".json", ".jsonl", ".csv", ".tsv", ".txt", ".gz")


def explain(start: bytes, name: str) -> Explanation | None:
    """What to tell of a file that begins with these bytes; None for a format that is not known here."""
    suffix = PurePosixPath(name.lower()).suffix
    for offset, magic, what, remedy in SIGNATURES:
        if start[offset : offset + len(magic)] == magic:
            return Explanation(f"{what} is not read: {remedy}", "broken")
    if WEB_PAGE.match(start):
        if suffix in NAMES_OF_DATA:
            return Explanation(f"a web page, not the {suffix} file that its name promises: download it again", "broken")
        return Explanation("a web page is not read")
    if suffix == ".zip":
        return Explanation("its name is that of a zip file, but its content is not: download it again", "broken")
    if start.startswith(b"%PDF"):
        return Explanation("a PDF document is not read")
    return None


def office_format(names: frozenset[str]) -> str | None:
    """What a zip archive with these members is, and what to do, if it is a spreadsheet or document; None for any other."""
    if "[Content_Types].xml" in names:
        is_workbook = any(name.startswith("xl/") for name in names)
        return f"an Excel workbook is not read: {SAVE_AS_CSV}" if is_workbook else "an Office document is not read"
    if {"mimetype", "content.xml"} <= names or "Index/Document.iwa" in names:
        return f"a spreadsheet or document is not read: {SAVE_AS_CSV}"
    return None
