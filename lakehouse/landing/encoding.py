"""Text that is not UTF-8: what its encoding certainly is, and the same text as UTF-8."""

from __future__ import annotations

import codecs
import io
import re
from typing import IO

from lakehouse.declare.source import BrokenFileError

READ_BYTES = 1024 * 1024
UTF_8, WINDOWS = "utf-8", "cp1252"
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Without a mark, that many characters at the beginning have to be ASCII, as the brackets or the header of a file are.
JUDGED_UNITS, FEWEST_UNITS = 16, 4
ASCII_TEXT = frozenset(b"\t\r\n" + bytes(range(0x20, 0x7F)))
# Code pages for languages in Latin letters; a byte that means one letter in all of them is certain.
LATIN_PAGES = ("cp1250", "cp1252", "cp1254", "cp1257", "iso8859-1", "iso8859-15")
# A word of other alphabets has long runs of such bytes, or they stand alone.
LONGEST_RUN = 2


def _certain_bytes() -> bytes:
    letters = []
    for byte in range(0xC0, 0x100):
        read = {bytes([byte]).decode(page, "replace") for page in LATIN_PAGES}
        if len(read) == 1 and read.pop().isalpha():
            letters.append(byte)
    return bytes(letters)


CERTAIN = _certain_bytes()
RUN = re.compile(rb"[\x80-\xff]+")


def encoding_of(start: bytes) -> str:
    """The encoding of a file that begins with these bytes: UTF-16 or UTF-32 where that is certain, else UTF-8."""
    for mark, name in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return name
    units = start[: min(len(start) // 2, JUDGED_UNITS) * 2]
    if len(units) >= 2 * FEWEST_UNITS:
        for letters, zeros, name in ((units[0::2], units[1::2], "utf-16-le"), (units[1::2], units[0::2], "utf-16-be")):
            if not any(zeros) and ASCII_TEXT.issuperset(letters):
                return name
    return UTF_8


def is_windows_text(stream: IO[bytes]) -> bool:
    """Whether a file that is not UTF-8 is certainly in a Windows code page of a western language; reads it from the start.

    It is where every byte beyond ASCII is a letter that all LATIN_PAGES agree on, beside an ASCII letter.
    """
    stream.seek(0)
    before = b""
    while block := stream.read(READ_BYTES):
        # A run may go on in the next block.
        text = before + block + stream.read(1)
        while text[-1] >= 0x80 and (more := stream.read(1)):
            text += more
        if not all(_is_certain(text, run) for run in RUN.finditer(text, len(before))):
            return False
        before = text[-1:]
    return True


def _is_certain(text: bytes, run: re.Match[bytes]) -> bool:
    start, end = run.span()
    beside = text[max(start - 1, 0) : start] + text[end : end + 1]
    is_in_word = any(chr(byte).isalpha() for byte in beside if byte < 0x80)
    return is_in_word and end - start <= LONGEST_RUN and all(byte in CERTAIN for byte in run.group())


def as_utf8(stream: IO[bytes], encoding: str) -> IO[bytes]:
    """The stream from its start, in UTF-8. Reading raises BrokenFileError for bytes that are not of the encoding."""
    stream.seek(0)
    return stream if encoding == UTF_8 else io.BufferedReader(_Utf8(stream, encoding))


class _Utf8(io.RawIOBase):
    """A stream in another encoding, read as UTF-8; it can be read again from its start."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self.stream, self.encoding = stream, encoding
        self._restart()

    def _restart(self) -> None:
        self.stream.seek(0)
        self.decoder = codecs.getincrementaldecoder(self.encoding)()
        self.rest, self.is_over, self.position = b"", False, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if (offset, whence) == (0, io.SEEK_CUR):
            return self.position
        if (offset, whence) != (0, io.SEEK_SET):
            raise io.UnsupportedOperation("only to the start")
        self._restart()
        return 0

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self.rest and not self.is_over:
            block = self.stream.read(READ_BYTES)
            try:
                self.rest = self.decoder.decode(block, final=not block).encode()
            except UnicodeDecodeError as error:
                raise BrokenFileError(f"not valid {self.encoding.upper()}: save it as UTF-8, or download it again") from error
            self.is_over = not block
        count = min(len(buffer), len(self.rest))
        buffer[:count] = self.rest[:count]
        self.rest, self.position = self.rest[count:], self.position + count
        return count
