"""Lines come whole and in order, whatever the blocks that the file is read in."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import text_lines
from ingestion.text_lines import blocks_of_lines, first_lines, most
from lakehouse.declare import BrokenFileError, Sample

TEXT = st.text(st.sampled_from("ab\n\rä🎧\u2028\x00\x0b"), max_size=40)


@given(text=TEXT, size=st.integers(1, 12))
def test_blocks_hold_the_file_and_begin_with_the_line_they_say(text: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "BLOCK_BYTES", size)
        blocks = list(blocks_of_lines(io.BytesIO(text.encode())))
    assert "".join(block for _, block in blocks) == text
    assert all(block.endswith("\n") for _, block in blocks[:-1])
    before = 1
    for number, block in blocks:
        assert number == before
        before += block.count("\n")


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert list(blocks_of_lines(io.BytesIO(b"\xef\xbb\xbfa\nb"))) == [(1, "a\n"), (2, "b")]


def test_bytes_that_are_not_utf8_are_told_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 4)
    with pytest.raises(BrokenFileError, match=r"^not UTF-8 at line 3: save it as UTF-8$"):
        list(blocks_of_lines(io.BytesIO(b"a\nb\nc\xff\nd\n")))


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 10)
    monkeypatch.setattr(text_lines, "LONGEST_LINE_BYTES", 100)
    with pytest.raises(BrokenFileError, match="line 2 is longer than 100 bytes"):
        list(blocks_of_lines(io.BytesIO(b"a\n" + b"x" * 1000)))


def test_a_sample_is_judged_by_its_whole_lines() -> None:
    assert first_lines(Sample("", "\ufeffa\r\n\n b\ncut of")) == ["a", " b"]
    assert first_lines(Sample("", "cut of")) == ["cut of"]
    assert len(first_lines(Sample("", "x\n" * 1000))) == text_lines.JUDGED_LINES


def test_a_few_odd_lines_change_nothing_and_one_good_line_is_not_enough() -> None:
    assert most([True, False])
    assert not most([True, False, False])
    assert not most([])
