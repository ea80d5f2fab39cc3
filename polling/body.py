"""The body of an answer, decompressed under a limit and parsed strictly.

What requests would pass over is an error here: there, a compressed body that ends too early gives an empty text, and 400 KB of
gzip become 400 MB of memory.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

# Of a page of 1,000 listens with all that a service says of them: about 2 MiB.
MOST_BYTES = 8 * 2**20
GZIP = 16 + zlib.MAX_WBITS


class UnreadableBodyError(Exception):
    """The body is cut, damaged or no JSON."""


class BodyTooLargeError(Exception):
    """The body is larger than the limit; asking for less may help."""


def plain_bytes(chunks: Iterable[bytes], encoding: str, most: int = MOST_BYTES) -> bytes:
    """The body of which `chunks` are the bytes as sent, and `encoding` is the Content-Encoding (gzip or none).

    Raises BodyTooLargeError beyond `most` bytes, decompressed, and UnreadableBodyError for one that is cut or damaged.
    """
    if encoding in ("gzip", "x-gzip"):
        return _decompressed(chunks, most)
    if encoding not in ("", "identity"):
        raise UnreadableBodyError(f"compressed as {encoding[:20]!r}, which was not asked for")
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > most:
            raise BodyTooLargeError
    return bytes(content)


def _decompressed(chunks: Iterable[bytes], most: int) -> bytes:
    decoder, content = zlib.decompressobj(GZIP), bytearray()
    for chunk in chunks:
        try:
            content += decoder.decompress(chunk, most + 1 - len(content))
        except zlib.error:
            raise UnreadableBodyError("damaged gzip") from None
        if len(content) > most:
            raise BodyTooLargeError
    if not decoder.eof or decoder.unused_data:
        raise UnreadableBodyError("gzip that does not end where it should")
    return bytes(content)


def parsed(content: bytes) -> Any:
    """The JSON value. Raises UnreadableBodyError for anything else, NaN and text that is no UTF-8 included."""
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise UnreadableBodyError("no JSON") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
