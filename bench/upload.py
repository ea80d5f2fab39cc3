"""How fast the service takes a large file in, beside a plain copy of it, and how much memory the server needs for that.

    python -m bench.upload [--gigabytes 2] [--pairs 3] [--folder DIR]

Prints, per pair, the seconds of `cp` followed by `sync` of the copy, of a raw PUT and of a form, until the answer is there.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.landing_files import extended
from tests.live.served import Browser, Served

MEMBER_BYTES = 12 * 2**20
BOUNDARY = "upload-of-the-bench"


def export(path: Path, size: int, number: int) -> None:
    """A zip of that size with files of an extended export, not compressed; another content for every number."""
    play = json.dumps(extended(ts=f"2024-03-{number % 28 + 1:02}T10:03:00Z"))
    member = f"[{', '.join([play] * (MEMBER_BYTES // (len(play) + 2)))}]".encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for at in range(size // len(member)):
            archive.writestr(f"Streaming_History_Audio_{number}_{at}.json", member)


def copied(source: Path, target: Path) -> float:
    """Seconds of a copy that is on disk in the end."""
    began = time.monotonic()
    subprocess.run(["cp", str(source), str(target)], check=True)  # noqa: S603, S607
    subprocess.run(["sync", str(target)], check=True)  # noqa: S603, S607
    seconds = time.monotonic() - began
    target.unlink()
    return seconds


def sent(browser: Browser, source: Path, *, is_form: bool) -> float:
    """Seconds of an upload, until its answer is there."""
    host, token = browser.base.removeprefix("http://"), browser.token()
    cookie = "; ".join(f"{one.name}={one.value}" for one in browser.session.cookies)
    headers = {"Origin": browser.base, "Cookie": cookie, "X-Form-Token": token, "Accept": "application/json"}
    before = after = b""
    if is_form:
        field = 'Content-Disposition: form-data; name="form_token"'
        file = f'Content-Disposition: form-data; name="file"; filename="{source.name}"'
        before = f"--{BOUNDARY}\r\n{field}\r\n\r\n{token}\r\n--{BOUNDARY}\r\n{file}\r\n\r\n".encode()
        after = f"\r\n--{BOUNDARY}--\r\n".encode()
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
    began = time.monotonic()
    connection = http.client.HTTPConnection(host, timeout=600)
    connection.putrequest("POST" if is_form else "PUT", "/history" if is_form else f"/history?name={source.name}")
    for name, value in {**headers, "Content-Length": str(len(before) + source.stat().st_size + len(after))}.items():
        connection.putheader(name, value)
    connection.endheaders(before)
    with source.open("rb") as stream:
        # Without a copy through this process, whose time is not the server's.
        connection.sock.sendfile(stream)
    connection.send(after or b"")
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.monotonic() - began
    if answer.status not in (201, 303):
        raise SystemExit(f"the service answered {answer.status}: {body.decode()}")
    connection.close()
    return seconds


def peak_mib(pid: int) -> float:
    """The most memory that a process has had."""
    if sys.platform == "linux":
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    return psutil.Process(pid).memory_info().rss / 2**20


def measured(folder: Path, size: int, pairs: int) -> Mapping[str, list[float]]:
    """Seconds by way, pair by pair, on a service whose runs read nothing."""
    seconds: dict[str, list[float]] = {"copy": [], "put": [], "form": []}
    source, inbox = folder / "export.zip", folder / "inbox"
    with Served(folder, {"LAKEHOUSE_MAX_FILE_MB": str(size // 2**20 + 1)}) as served:
        browser = served.enter()
        # Holds the lock of the lakehouse, so that no run takes part in the measurement.
        served.hold_lock()
        for pair in range(pairs):
            for way in ("put", "form"):
                export(source, size, 2 * pair + (way == "form"))
                subprocess.run(["sync"], check=True)  # noqa: S607
                seconds["copy"].append(copied(source, folder / "copy.zip"))
                seconds[way].append(sent(browser, source, is_form=way == "form"))
                shutil.rmtree(inbox / "listeners")
                print(way, {name: round(values[-1], 2) for name, values in seconds.items() if values}, flush=True)  # noqa: T201
        print(f"peak of the server: {peak_mib(served.process.pid):.0f} MiB")  # noqa: T201
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--folder", help="on the disk to measure (default: the temporary folder)")
    options = parser.parse_args()
    size = int(options.gigabytes * 2**30)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        seconds = measured(Path(folder), size, options.pairs)
    copy = statistics.median(seconds["copy"])
    for way, values in seconds.items():
        took = statistics.median(values)
        print(f"{way}: median {took:.2f} s, {size / 2**20 / took:.0f} MiB/s, {copy / took:.2f} of the copy's rate")  # noqa: T201
    os.sync()


if __name__ == "__main__":
    main()
