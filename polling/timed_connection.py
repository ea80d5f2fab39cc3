"""Connections of which every read ends by a deadline, headers included.

The timeout of requests is one per read: a server that sends a byte now and then holds a caller for as long as it likes. Here
each read waits at most for what is left until the deadline. It is measured by the monotonic clock of this machine, never by an
injected one: a clock that stands still would wait for ever.
"""

from __future__ import annotations

import io
import math
import socket
import time
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Deadline:
    """When the exchange in hand has to be over."""

    def __init__(self) -> None:
        self._end = math.inf

    def start(self, seconds: float) -> None:
        """The next exchange ends `seconds` from now."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left. Raises TimeoutError when there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the deadline has passed")
        return seconds


class _TimedReader(io.RawIOBase):
    """Reads from a socket, each time for at most what the deadline leaves."""

    def __init__(self, raw: Any, sock: socket.socket, deadline: Deadline) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _timed_response(deadline: Deadline) -> type[HTTPResponse]:
    class TimedResponse(HTTPResponse):
        fp: Any

        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, deadline))

    return TimedResponse


class TimedAdapter(HTTPAdapter):
    """The adapter of requests without its retries, over connections that keep to a deadline."""

    def __init__(self, deadline: Deadline) -> None:
        reads = {"response_class": _timed_response(deadline)}
        plain, tls = type("Plain", (HTTPConnection,), reads), type("TLS", (HTTPSConnection,), reads)
        self._pools = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TLSPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As HTTPAdapter's, which its constructor calls."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """As HTTPAdapter's: what goes through a proxy keeps to the deadline too."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager
