"""Reading a file of lines in blocks of whole lines, so that a file of any size takes little memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO

from lakehouse.declare import BrokenFileError, NotUtf8Error, Sample

BLOCK_BYTES = 8 * 1024 * 1024
LONGEST_LINE_BYTES = 64 * 1024 * 1024
# How many lines of a sample decide what a file is: enough that a few odd ones among them change nothing.
JUDGED_LINES = 50


def blocks_of_lines(stream: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Yield (number of the block's first line, from 1, and the block's whole lines, without a byte order mark).

    Lines end with a line feed, the last one perhaps without. Raises NotUtf8Error for other bytes than UTF-8, and
    BrokenFileError for a line of more than LONGEST_LINE_BYTES.
    """
    number, rest = 1, [stream.read(len(codecs.BOM_UTF8)).removeprefix(codecs.BOM_UTF8)]
    while block := stream.read(BLOCK_BYTES):
        end = block.rfind(b"\n") + 1
        if not end:
            rest.append(block)
            if sum(map(len, rest)) > LONGEST_LINE_BYTES:
                number += sum(part.count(b"\n") for part in rest)
                raise BrokenFileError(f"line {number} is longer than {LONGEST_LINE_BYTES:,} bytes")
            continue
        text = _decoded(b"".join([*rest, block[:end]]), number)
        yield number, text
        number, rest = number + text.count("\n"), [block[end:]]
    if last := b"".join(rest):
        yield number, _decoded(last, number)


def _decoded(block: bytes, number: int) -> str:
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError as error:
        number += block.count(b"\n", 0, error.start)
        raise NotUtf8Error(f"not UTF-8 at line {number}: save it as UTF-8") from error


def first_lines(sample: Sample) -> list[str]:
    """The first lines of a sample that are not blank, at most JUDGED_LINES; the last one, which may be cut off, only if alone."""
    lines = sample.text.removeprefix("\ufeff").split("\n")
    return [line.rstrip("\r") for line in lines[:-1] or lines if line.strip()][:JUDGED_LINES]


def most(judgements: list[bool]) -> bool:
    """Whether at least half of the lines judged are of a format, and one at all: a few odd lines change nothing."""
    return any(judgements) and 2 * sum(judgements) >= len(judgements)
