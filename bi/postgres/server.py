"""Postgres: the store of Superset's dashboards, and of the analysts' own tables (database `notes`)."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bi.process import Server, StackError
from bi.secrets import read_env
from bi.settings import BISettings
from lakehouse.settings import PROJECT_ROOT

INIT = PROJECT_ROOT / "postgres" / "init.sql"
OWNER = "bi_owner"
# Root cannot run Postgres; Debian's package makes this user.
SYSTEM_USER = "postgres"
# psql's \getenv is of 15.
OLDEST = 15
FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
PROGRAMS = ("initdb", "postgres", "psql")
START_SECONDS = 60.0
COMMAND_SECONDS = 120
CONFIGURATION = """listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{folder}'
unix_socket_permissions = 0700
shared_buffers = 64MB
password_encryption = scram-sha-256
"""
# The owner of the files is the owner of the databases, so that a lost password can be set again.
ACCESS = f"local all {OWNER} peer map=owner\nhost all all 127.0.0.1/32 scram-sha-256\n"
IDENTITIES = "owner {user} " + OWNER + "\n"


class Postgres:
    """The server of one stack; its data is in `postgres/` of the stack's folder."""

    def __init__(self, settings: BISettings) -> None:
        self.settings = settings
        self.folder = settings.dir / "postgres"
        self.data = self.folder / "data"
        self.server = Server("postgres", settings.dir / "run", settings.dir / "log" / "postgres.log", signal.SIGINT)

    def problems(self) -> list[str]:
        """What keeps it from starting here, each with its remedy."""
        found = []
        if programs() is None:
            found.append(f"Postgres {OLDEST} or later is not installed; Debian, Ubuntu: sudo apt install postgresql")
        if os.geteuid() == 0:
            try:
                pwd.getpwnam(SYSTEM_USER)
            except KeyError:
                found.append(f"root cannot run Postgres, and there is no user {SYSTEM_USER}; run this as an ordinary user")
                return found
            found += [
                f"{folder} is not accessible to the user {SYSTEM_USER}, as whom root runs Postgres; run this as an ordinary user,"
                " or choose another folder with LAKEHOUSE_BI_DIR"
                for folder in self.settings.dir.parents
                if folder.exists() and not folder.stat().st_mode & 0o001
            ][:1]
        return found

    def start(self) -> None:
        """Start it and wait until it answers, with its databases and passwords as they should be. Idempotent.

        Raises StackError when it does not start.
        """
        if self._create():
            # An address is taken at the start only.
            self.server.stop()
        self.server.start(self._as_owner(["postgres", "-D", str(self.data)]), self._environment())
        self.server.wait(self.is_ready, START_SECONDS)
        self._prepare_databases()

    def is_ready(self) -> bool:
        """Whether it answers."""
        return not self._call(["psql", *self._login(), "-c", "SELECT 1"], {}).returncode

    def _login(self) -> list[str]:
        return ["-X", "-q", "-h", str(self.folder), "-p", str(self.settings.postgres_port), "-U", OWNER, "-d", "postgres"]

    def _create(self) -> bool:
        """Make folder and configuration; whether the configuration changed."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if os.geteuid() == 0:
            shutil.chown(self.folder, SYSTEM_USER, SYSTEM_USER)
        if not (self.data / "PG_VERSION").is_file():
            self._initialise()
        is_changed = self._write(
            "bi.conf", CONFIGURATION.format(host=self.settings.host, port=self.settings.postgres_port, folder=self.folder)
        )
        self._write("pg_hba.conf", ACCESS)
        self._write(
            "pg_ident.conf", IDENTITIES.format(user=SYSTEM_USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
        )
        return is_changed

    def _initialise(self) -> None:
        """Make the data folder beside its place and move it there, so that a broken-off start leaves no half of one."""
        part = self.folder / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        made = self._call(["initdb", "-D", str(part), "-U", OWNER, "-A", "peer", "-E", "UTF8", "--locale=C.UTF-8"], {})
        if made.returncode:
            raise StackError(f"Postgres could not create its folder {self.data}:\n{made.stderr.strip()}")
        with (part / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'bi.conf'\n")
        part.rename(self.data)

    def _write(self, name: str, content: str) -> bool:
        """Write a file of the configuration; whether it was another before."""
        path = self.data / name
        if path.is_file() and path.read_text() == content:
            return False
        path.write_text(content)
        path.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(path, SYSTEM_USER, SYSTEM_USER)
        return True

    def _prepare_databases(self) -> None:
        done = self._call(["psql", *self._login(), "-f", "-"], read_env(self.settings.secrets), INIT.read_text())
        if done.returncode:
            raise StackError(f"Postgres' databases could not be created: {done.stderr.strip()}")

    def _call(self, command: Sequence[str], secrets: Mapping[str, str], text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            self._as_owner(command),
            input=text,
            capture_output=True,
            text=True,
            env=self._environment() | dict(secrets),
            cwd="/",
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def _as_owner(self, command: Sequence[str]) -> list[str]:
        """The command with the program's full path, as an ordinary user."""
        folder = programs()
        if folder is None:
            raise StackError("; ".join(self.problems()))
        drop = ["setpriv", f"--reuid={SYSTEM_USER}", f"--regid={SYSTEM_USER}", "--init-groups"] if os.geteuid() == 0 else []
        return [*drop, str(folder / command[0]), *command[1:]]

    def _environment(self) -> dict[str, str]:
        """Nothing of the caller's, whose PGHOST or PGSERVICE would lead elsewhere."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def programs() -> Path | None:
    """The folder with a Postgres of OLDEST or later, the newest; None where there is none."""
    folders = [p for pattern in FOLDERS for p in Path("/").glob(pattern.lstrip("/")) if all((p / n).exists() for n in PROGRAMS)]
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    numbered = {folder: version for folder in folders if (version := _version(folder)) >= OLDEST}
    return max(numbered, key=lambda folder: numbered[folder]) if numbered else None


def _version(folder: Path) -> int:
    said = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    number = re.search(r"(\d+)", said.stdout)
    return int(number.group(1)) if number else 0
