"""Does the door keep every listen, once, while it is killed: 20 clients, each request sent twice, beside a bare handler.

The door is the whole service. The bare handler writes the body to one file, and shares an fsync among requests, as the door does;
nothing else. Both are served by the same server in the same run. Rates are those of the time in which the server was up.

    python -m bench.submissions [--listens 100000] [--kills 10] [--listeners 4] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

CLIENTS, BATCH = 20, 100
FIRST_SECOND, APART_SECONDS = 1_600_000_000, 200
START_SECONDS = 120
Listen = tuple[str, int, str]
"""listener, start in Unix seconds, title"""


@dataclass
class Server:
    """A server in a process of its own."""

    kind: str
    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    up_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """since it answered"""
    most_rss: int = 0
    """bytes"""
    _began: float = 0.0

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        words = [sys.executable, "-m", "bench.submissions_server", self.kind, str(self.folder), str(self.port)]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(words, stderr=log)  # noqa: S603
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.02)
        self._began = time.monotonic()
        self.cpu_seconds -= _cpu_seconds(self.process.pid)

    def kill(self) -> None:
        """Kill it without a warning."""
        assert self.process is not None  # noqa: S101
        self.most_rss = max(self.most_rss, _most_rss(self.process.pid))
        self.cpu_seconds += _cpu_seconds(self.process.pid)
        self.up_seconds += time.monotonic() - self._began
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _most_rss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@dataclass
class Client(threading.Thread):
    """A player: sends each request until it is acknowledged, and then once more, as if the answer had been lost."""

    port: int
    requests: Sequence[bytes]
    acknowledged: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        connection: socket.socket | None = None
        for request in self.requests:
            for _ in range(2):
                while True:
                    try:
                        if connection is None:
                            connection = socket.create_connection(("127.0.0.1", self.port), 10)
                        status = _exchanged(connection, request)
                        if status == 200:
                            self.acknowledged += 1
                            break
                        self.failures[str(status)] += 1
                    except OSError as error:
                        self.failures[type(error).__name__] += 1
                        connection = None
                    time.sleep(0.05)
        if connection is not None:
            connection.close()


def _exchanged(connection: socket.socket, request: bytes) -> int:
    connection.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("closed")
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("closed")
        body += part
    return int(head[9:12])


def requests_of(listener: str, token: str, listens: Sequence[Listen]) -> list[bytes]:
    """Half of the listens one by one, the other half in batches, by turns."""
    half = len(listens) // 2
    singles = [_request(token, "single", [one]) for one in listens[:half]]
    batches = [_request(token, "import", listens[at : at + BATCH]) for at in range(half, len(listens), BATCH)]
    step = max(1, len(singles) // max(1, len(batches)))
    mixed: list[bytes] = []
    for at, single in enumerate(singles):
        mixed.append(single)
        if at % step == step - 1 and batches:
            mixed.append(batches.pop())
    return mixed + batches


def _request(token: str, listen_type: str, listens: Sequence[Listen]) -> bytes:
    payload = [
        {
            "listened_at": at,
            "track_metadata": {
                "artist_name": "Vega & the Lyres",
                "track_name": title,
                "release_name": "North",
                "additional_info": {
                    "duration_ms": 180_000,
                    "media_player": "Navidrome",
                    "submission_client": "Navidrome",
                    "submission_client_version": "0.58.0",
                    "tracknumber": 3,
                    "artist_names": ["Vega", "the Lyres"],
                    "recording_mbid": "6a1f7b6c-8f0e-4f5f-9a5e-3f6f5f3f2b1a",
                },
            },
        }
        for _, at, title in listens
    ]
    body = json.dumps({"listen_type": listen_type, "payload": payload}).encode()
    return head_of(token, len(body)) + body


def head_of(token: str, length: int) -> bytes:
    """The head of a request that submits a body of that length."""
    fields = ("Host: 127.0.0.1", f"Authorization: Token {token}", f"Content-Length: {length}")
    return "\r\n".join(["POST /1/submit-listens HTTP/1.1", *fields, "", ""]).encode()


def sent(server: Server, clients: Sequence[Client], kills: int) -> float:
    """Let the clients send all they have, while the server is killed at even distances; returns the requests a second."""
    total = 2 * sum(len(client.requests) for client in clients)
    server.start()
    for client in clients:
        client.port = server.port
        client.start()
    left = [total * number // (kills + 1) for number in range(1, kills + 1)]
    while any(client.is_alive() for client in clients):
        if left and sum(client.acknowledged for client in clients) >= left[0]:
            left.pop(0)
            server.kill()
            server.start()
        time.sleep(0.005)
    server.kill()
    if left:
        raise RuntimeError("the clients were done before the last kill")
    return total / server.up_seconds


def main() -> int:
    """Run, and say what came of it; 1 where a listen is lost or doubled, or a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listens", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--listeners", type=int, default=4)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder on the disk to be measured")
    options = parser.parse_args()
    result = measured(options.folder, options.listens, options.kills, options.listeners)
    print(json.dumps(result, indent=1))  # noqa: T201
    return 0 if result["lost"] == result["doubled"] == 0 and result["share"] >= 0.5 and result["door_rss_mb"] <= 150 else 1


def measured(folder: Path, listens: int, kills: int, listeners: int) -> dict[str, Any]:
    """The figures of one run."""
    from service.api_tokens import SUBMIT, issue

    per_client = listens // CLIENTS
    names = [f"listener {number % listeners}" for number in range(CLIENTS)]
    tokens = {name: issue(folder / "state", name, SUBMIT, "bench") for name in sorted(set(names))}
    of_client: list[list[Listen]] = [
        [(name, FIRST_SECOND + (at * CLIENTS + number) * APART_SECONDS, f"Song {number} {at}") for at in range(per_client)]
        for number, name in enumerate(names)
    ]
    requests = [requests_of(name, tokens[name], one) for name, one in zip(names, of_client, strict=True)]
    bare, door = Server("bare", folder / "bare"), Server("door", folder)
    bare_rate = sent(bare, [Client(0, one) for one in requests], 0)
    clients = [Client(0, one) for one in requests]
    door_rate = sent(door, clients, kills)
    total = sum(client.acknowledged for client in clients)
    kept, dispositions = built(folder)
    expected = Counter(listen for one in of_client for listen in one)
    return {
        "listens": sum(expected.values()),
        "requests": total,
        "kills": kills,
        "failures": dict(sum((client.failures for client in clients), Counter())),
        "rows": dispositions,
        "lost": sum((expected - kept).values()),
        "doubled": sum((kept - expected).values()),
        "door_cpu_us": round(door.cpu_seconds / total * 1e6),
        "bare_cpu_us": round(bare.cpu_seconds / total * 1e6),
        "bare_per_second": round(bare_rate),
        "door_per_second": round(door_rate),
        "share": round(door_rate / bare_rate, 3),
        "door_rss_mb": round(door.most_rss / 2**20),
        "bare_rss_mb": round(bare.most_rss / 2**20),
    }


def built(folder: Path) -> tuple[Counter[Listen], dict[str, int]]:
    """Run the pipeline; the plays that silver keeps, and how many rows have which disposition."""
    from deltalake import DeltaTable

    words = [sys.executable, "run_pipeline.py", "run", "--landing", str(folder / "landing"), "--lakehouse"]
    words += [str(folder / "lakehouse"), "--engine", "embedded", "--no-demo", "--only", "silver.plays"]
    settings = {"LAKEHOUSE_STATE_DIR": str(folder / "state")}
    subprocess.run(words, check=True, env={**os.environ, **settings}, stdout=sys.stderr)  # noqa: S603
    columns = ["user_id", "played_at", "track_name", "disposition"]
    table = DeltaTable(folder / "lakehouse" / "silver" / "plays").to_pyarrow_table(columns=columns)
    rows = table.to_pylist()
    kept = Counter(
        (row["user_id"], int(row["played_at"].timestamp()), row["track_name"]) for row in rows if row["disposition"] == "kept"
    )
    return kept, dict(Counter(row["disposition"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
