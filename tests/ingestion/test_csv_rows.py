"""CSV files are read cell by cell as Python's own csv module reads them, or refused with a reason."""

from __future__ import annotations

import csv
import io

import pytest

from ingestion.csv_rows import read_csv
from lakehouse.declare import BrokenFileError
from tests.landing_files import FLAT_HEADER, HOSTILE_NAMES, read

NAMES = ["a", "b", "c"]


def rows_of(content: bytes, names: list[str] = NAMES) -> list[list[str | None]]:
    batches = read_csv(io.BytesIO(content), names)
    return [[row[name] for name in names] for batch in batches for row in batch.to_pylist()]


CELLS = [
    ["plain", "", "x"],
    ["a,b", 'say "hi"', '"'],
    ["line\nbreak", "\n", "win\r\nbreak"],
    ["NULL", "null", "NaN"],
    ["007", "1e5", "TRUE"],
    [" padded ", "tab\there", "back\\slash \\"],
    *[[name, "x", name] for name in HOSTILE_NAMES.values()],
]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_every_cell_is_the_text_that_was_written(quoting: int) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=quoting).writerows([NAMES, *CELLS])
    assert rows_of(out.getvalue().encode()) == [[cell or None for cell in row] for row in CELLS]


def test_columns_are_found_by_name_and_absent_ones_are_null() -> None:
    assert rows_of(b"z,c,a\n9,3,1\n") == [["1", None, "3"]]


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfa,b,c\n1,2,3\n", b"a,b,c\r\n1,2,3\r\n", b"a,b,c\n1,2,3", b"a,b,c\n\n1,2,3\n\n"]
)
def test_byte_order_mark_and_line_ends_make_no_difference(content: bytes) -> None:
    assert rows_of(content) == [["1", "2", "3"]]


def test_a_header_alone_has_no_rows() -> None:
    assert rows_of(b"a,b,c\n") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b,c\n1,2,3\n1,2\n", "Row #3: Expected 3 columns, got 2: correct that row"),
        (b"a,b,c\n1,2,3\n1,2,3,4\n", "Expected 3 columns, got 4"),
        (b'a,b,c\n1,2,3\n"1,2,3\n4,5,6\n', "Expected 3 columns, got 1"),
        (b"a,b,c\n1,\xff\xfe,3\n", "invalid UTF8.*: save it as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, said: str) -> None:
    with pytest.raises(BrokenFileError, match=f"not a readable CSV file: .*{said}"):
        rows_of(content)


def test_the_reason_holds_nothing_of_the_row() -> None:
    content = f"{FLAT_HEADER},ip_addr\na,b,c,d,e,f,g,h,i,j,k,203.0.113.77,jane.doe\n".encode()
    with pytest.raises(BrokenFileError) as broken:
        read("spotify_flat_csv", content)
    assert "203.0.113.77" not in str(broken.value)
    assert "jane.doe" not in str(broken.value)
