"""What goes wrong between a service and its client. Each fault writes an answer in the place of the right one."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.polling.server import Fault, Handler


def status(code: int, content: Any = None, headers: Mapping[str, str] | None = None) -> Fault:
    """An answer with this status and JSON."""
    return lambda handler, _: handler.whole(json.dumps(content or {}).encode(), code, headers)


def error_body(number: int, code: int = 200, headers: Mapping[str, str] | None = None) -> Fault:
    """An error of Last.fm, with any status."""
    return status(code, {"error": number, "message": f"made-up message {number}"}, headers)


def content(text: bytes, code: int = 200, headers: Mapping[str, str] | None = None) -> Fault:
    """This text as it is."""
    return lambda handler, _: handler.whole(text, code, headers)


HTML = b"<!DOCTYPE html><html><body>Back soon</body></html>"
html = content(HTML, headers={"Content-Type": "text/html"})
html_error = content(HTML, 502, {"Content-Type": "text/html"})


def cut(handler: Handler, body: bytes) -> None:
    """The connection ends in the middle of the body."""
    handler.head({"Content-Length": str(len(body))})
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def cut_chunks(handler: Handler, body: bytes) -> None:
    """The connection ends between two chunks."""
    handler.head({"Transfer-Encoding": "chunked"})
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(body) // 2, body[: len(body) // 2]))
    handler.close_connection = True


def cut_json(handler: Handler, body: bytes) -> None:
    """Half of the JSON, with the right length of that half."""
    handler.whole(body[: len(body) // 2])


def truncated_gzip(handler: Handler, body: bytes) -> None:
    """The beginning of a compressed body, with the right length of that beginning."""
    handler.whole(gzip.compress(body)[:-12], headers={"Content-Encoding": "gzip"})


def gzip_without_end(handler: Handler, body: bytes) -> None:
    """A compressed body without its checksum: all of the text may be there, and nobody knows."""
    handler.whole(gzip.compress(body)[:-8], headers={"Content-Encoding": "gzip"})


def damaged_gzip(handler: Handler, body: bytes) -> None:
    """A compressed body with a wrong checksum."""
    compressed = gzip.compress(body)
    handler.whole(compressed[:-8] + b"\0\0\0\0" + compressed[-4:], headers={"Content-Encoding": "gzip"})


def gzip_bomb(handler: Handler, body: bytes) -> None:
    """400 MB of blanks in 400 KB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    compressed = b"".join(packer.compress(b" " * 2**20) for _ in range(400)) + packer.flush()
    handler.whole(compressed, headers={"Content-Encoding": "gzip"})


def compressed(handler: Handler, body: bytes) -> None:
    """No fault: the right answer, compressed as the client says it can."""
    handler.whole(gzip.compress(body), headers={"Content-Encoding": "gzip"})


def without_date(handler: Handler, body: bytes) -> None:
    """No Date header."""
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def drip(handler: Handler, body: bytes) -> None:
    """A byte of the body now and then."""
    handler.head({"Content-Length": str(len(body))})
    for at in range(len(body)):
        handler.wfile.write(body[at : at + 1])
        if not handler.pause(0.1):
            return


def drip_headers(handler: Handler, body: bytes) -> None:
    """A header now and then, without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(600):
        handler.wfile.write(b"X-%d: x\r\n" % number)
        if not handler.pause(0.1):
            return


def silence(handler: Handler, body: bytes) -> None:
    """Nothing at all."""
    handler.pause(60)
    handler.close_connection = True


def hang_up(handler: Handler, body: bytes) -> None:
    """The connection ends before the answer."""
    handler.close_connection = True


def redirect(target: str, code: int = 302) -> Fault:
    """To another address."""
    return status(code, {}, {"Location": target})


PASSING: Mapping[str, Fault] = {
    "500": status(500),
    "503": status(503, {"message": "busy"}, {"Retry-After": "2"}),
    "html": html,
    "502 html": html_error,
    "cut": cut,
    "cut chunks": cut_chunks,
    "cut json": cut_json,
    "empty": content(b""),
    "204": content(b"", 204),
    "206": content(b"{}", 206),
    "list cut": content(b"[1, 2"),
    "nan": content(b'{"recenttracks": NaN}'),
    "no utf-8": content(b'{"a": "\xff"}'),
    "deep": content(b"[" * 200_000),
    "truncated gzip": truncated_gzip,
    "gzip without end": gzip_without_end,
    "damaged gzip": damaged_gzip,
    "unasked compression": content(b"x", headers={"Content-Encoding": "br"}),
    "no date": without_date,
    "hang up": hang_up,
    "other json": content(b'{"hello": 1}'),
    "429": status(429, {"error": "slow down"}, {"Retry-After": "3"}),
}
"""Another try brings the right answer."""


def seeded(seed: int, share: float, kinds: Mapping[str, Fault] = PASSING) -> Iterator[Fault | None]:
    """For each request a fault with probability `share`, never more than two in a row."""
    chance, row = random.Random(seed), 0  # noqa: S311
    names = sorted(kinds)
    while True:
        row = row + 1 if chance.random() < share and row < 2 else 0
        yield kinds[chance.choice(names)] if row else None
