"""Superset as a background process, with its own database prepared."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import requests

from bi.install import SUPERSET_HOME
from bi.listeners import superset_file
from bi.process import Server, StackError
from bi.secrets import read_env, write_private
from bi.settings import BISettings
from lakehouse.settings import PROJECT_ROOT

SOURCES = PROJECT_ROOT / "superset"
START_SECONDS = 180.0
BOOTSTRAP_SECONDS = 600
ANSWER_SECONDS = 2.0
# One worker: the limit of log-ins counts per process.
SERVE = ("--workers", "1", "--worker-class", "gthread", "--threads", "8", "--timeout", "120", "--graceful-timeout", "5")


class SupersetServer:
    """The server of one stack; its folder is `superset/` of the stack's. Postgres and Trino must be up."""

    def __init__(self, settings: BISettings) -> None:
        self.settings = settings
        self.folder = settings.dir / "superset"
        self.server = Server("superset", settings.dir / "run", settings.dir / "log" / "superset.log")

    def not_installed(self) -> list[str]:
        """Whether the server is missing, with the remedy."""
        if (SUPERSET_HOME / "bin" / "gunicorn").is_file():
            return []
        return [f"Superset is not installed in {SUPERSET_HOME}; `python3 scripts/setup.py --bi` installs it"]

    def start(self) -> bool:
        """Start it and wait until it answers, again where its configuration changed; whether it had to.

        Its database is prepared first, unless nothing changed since. Raises StackError when it does not start.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = self._fingerprint()
        is_prepared = _read(self._stamp("prepared_with")) == wanted
        running = self.server.process() is not None
        if running and is_prepared and _read(self._stamp("started_with")) == wanted and self.is_ready():
            self.bring_listeners()
            return False
        self.server.stop()
        if is_prepared:
            self.bring_listeners()
        else:
            listed = self._listed()
            self._bootstrap()
            write_private(self._stamp("prepared_with"), wanted.encode())
            write_private(self._stamp("listeners"), listed)
        address = f"{self.settings.host}:{self.settings.superset_port}"
        command = [str(SUPERSET_HOME / "bin" / "gunicorn"), *SERVE, "--bind", address, "superset.app:create_app()"]
        self.server.start(command, self._environment())
        write_private(self._stamp("started_with"), wanted.encode())
        self.server.wait(self.is_ready, START_SECONDS)
        return True

    def is_ready(self) -> bool:
        """Whether it answers."""
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"http://127.0.0.1:{self.settings.superset_port}/health", timeout=ANSWER_SECONDS).ok
            except requests.RequestException:
                return False

    def bring_listeners(self) -> None:
        """Take over the listeners' log-ins, unless they are the same as last time. Raises StackError."""
        listed = self._listed()
        if listed != _read(self._stamp("listeners")).encode():
            self._bootstrap("listeners")
            # Read before: one that was added meanwhile is taken over once more.
            write_private(self._stamp("listeners"), listed)

    def _listed(self) -> bytes:
        path = superset_file(self.settings)
        return path.read_bytes() if path.is_file() else b""

    def _bootstrap(self, *words: str) -> None:
        credentials = read_env(self.settings.credentials)
        names = ("ADMIN", "LISTENER", "ANALYST")
        environment = self._environment() | {
            **{f"SUPERSET_{name}_PASSWORD": credentials[f"SUPERSET_{name}_PASSWORD"] for name in names},
            **{name: credentials[name] for name in ("TRINO_BI_PASSWORD", "TRINO_ANALYST_PASSWORD")},
            "TRINO_ADDRESS": f"localhost:{self.settings.trino_port}",
            "TRINO_CA": str(self.settings.certificate),
            "SUPERSET_LISTENERS": str(superset_file(self.settings)),
        }
        log = self.settings.dir / "log" / "superset-bootstrap.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
            done = subprocess.run(  # noqa: S603
                [str(SUPERSET_HOME / "bin" / "python"), str(SOURCES / "bootstrap.py"), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                timeout=BOOTSTRAP_SECONDS,
                check=False,
            )
        if done.returncode:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            raise StackError(f"Superset's database could not be prepared; see {log}\n{end}")

    def _environment(self) -> dict[str, str]:
        """All that Superset gets to see. Not the caller's: REQUESTS_CA_BUNDLE would replace Trino's certificate."""
        secrets = read_env(self.settings.secrets)
        database = f"superset:{secrets['SUPERSET_DB_PASSWORD']}@127.0.0.1:{self.settings.postgres_port}/superset"
        return {
            "PATH": f"{SUPERSET_HOME / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(self.folder),
            "SUPERSET_HOME": str(self.folder),
            "FLASK_APP": "superset",
            "SUPERSET_CONFIG_PATH": str(SOURCES / "superset_config.py"),
            "SUPERSET_DB_URI": f"postgresql+psycopg2://{database}",
            **{name: secrets[name] for name in ("SUPERSET_SECRET_KEY", "SUPERSET_GUEST_SECRET")},
        }

    def _fingerprint(self) -> str:
        """A text that changes with whatever Superset's database must be prepared for again."""
        files = [
            SOURCES / name for name in ("superset_config.py", "palettes.json", "bootstrap.py", "roles.json", "requirements.lock")
        ]
        digest = hashlib.sha256(repr((self.settings.superset_port, self.settings.trino_port, self.settings.host)).encode())
        for path in [*files, self.settings.credentials, self.settings.secrets, self.settings.certificate]:
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        # Written once for each Postgres folder: a new one holds nothing yet.
        born = self.settings.dir / "postgres" / "data" / "PG_VERSION"
        digest.update(str(born.stat().st_mtime_ns if born.is_file() else 0).encode())
        return digest.hexdigest()

    def _stamp(self, name: str) -> Path:
        return self.folder / name


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
