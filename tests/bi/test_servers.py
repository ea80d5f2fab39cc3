"""The servers: where they listen, what shows in the process list and logs, a second start, and a stop."""

from __future__ import annotations

import time

import psutil

from bi.secrets import read_env
from tests.bi.conftest import Stack


def secret_values(stack: Stack) -> set[str]:
    values = {**read_env(stack.settings.credentials), **read_env(stack.settings.secrets)}
    return {value for key, value in values.items() if "PASSWORD" in key or "SECRET" in key}


def own_processes(stack: Stack) -> list[psutil.Process]:
    servers = [int(path.read_text().split()[0]) for path in (stack.settings.dir / "run").glob("*.pid")]
    parents = [psutil.Process(pid) for pid in servers]
    return parents + [child for parent in parents for child in parent.children(recursive=True)]


def test_every_port_is_on_this_machine_only(stack: Stack) -> None:
    processes = own_processes(stack)
    addresses = {c.laddr.ip for p in processes for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert addresses


def test_no_secret_is_in_the_process_list_or_a_log(stack: Stack) -> None:
    secrets = secret_values(stack)
    shown = [" ".join(process.cmdline()) for process in own_processes(stack)]
    logs = [path.read_text(errors="replace") for path in (stack.settings.dir / "log").iterdir()]
    logs += [path.read_text(errors="replace") for path in (stack.settings.dir / "trino" / "data").rglob("*.log")]
    assert not [secret for secret in secrets for text in shown + logs if secret in text]


def test_a_second_start_does_nothing_and_is_quick(stack: Stack) -> None:
    before = {process.pid for process in own_processes(stack)}
    began = time.monotonic()
    again = stack.script("scripts/bi.py", "up", "--only", "trino", "--lakehouse", str(stack.lakehouse))
    seconds = time.monotonic() - began
    assert again.returncode == 0, again.stderr
    assert "already running" in again.stdout
    assert "nothing new" in again.stdout
    assert {process.pid for process in own_processes(stack)} >= before
    # Five seconds where nothing else runs; the tests may share the machine.
    assert seconds < 20


def test_status_tells_what_runs(stack: Stack) -> None:
    said = stack.script("scripts/bi.py", "status").stdout
    assert "Postgres     up" in said
    assert f"up at https://localhost:{stack.settings.trino_port}" in said
