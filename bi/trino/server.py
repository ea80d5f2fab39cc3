"""Trino as a background process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import requests

from bi.install import PLUGINS, TRINO_HOME
from bi.process import Server, StackError
from bi.secrets import read_env, write_private
from bi.settings import BISettings
from bi.trino.configuration import fingerprint
from bi.trino.java import java_home

START_SECONDS = 180.0
ANSWER_SECONDS = 2.0
WHAT_IT_NEEDS = ("TRINO_SHARED_SECRET", "NOTES_DB_PASSWORD")


class TrinoServer:
    """The server of one stack. Its configuration must have been rendered."""

    def __init__(self, settings: BISettings) -> None:
        self.settings = settings
        self.folder = settings.dir / "trino"
        self.server = Server("trino", settings.dir / "run", settings.dir / "log" / "trino.log")

    def problems(self) -> list[str]:
        """What keeps it from starting here, each with its remedy."""
        found = []
        try:
            java_home()
        except StackError as error:
            found.append(str(error))
        if self.settings.s3_endpoint and not (self.settings.s3_access_key and self.settings.s3_secret_key):
            found.append("LAKEHOUSE_S3_ENDPOINT is set: LAKEHOUSE_S3_ACCESS_KEY and LAKEHOUSE_S3_SECRET_KEY are needed too")
        return found

    def not_installed(self) -> list[str]:
        """What of the server is missing, with the remedy."""
        missing = [name for name in PLUGINS if not (TRINO_HOME / "plugin" / name).is_dir()]
        return [f"{TRINO_HOME} lacks {', '.join(missing)}; `python3 scripts/setup.py --bi` installs Trino"] if missing else []

    def start(self) -> bool:
        """Start it and wait until it answers, again where its configuration changed; whether it had to.

        Raises StackError when it does not start.
        """
        wanted = fingerprint(self.settings)
        running = self.server.process() is not None
        if running and self._started_with() == wanted and self.is_ready():
            return False
        if running:
            self.server.stop()
        java = java_home()
        secrets = read_env(self.settings.secrets)
        environment = {
            "PATH": f"{java / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "JAVA_HOME": str(java),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            **{name: secrets[name] for name in WHAT_IT_NEEDS},
            **self._s3_keys(),
        }
        # What its launcher believes of an earlier process may be about another by now.
        shutil.rmtree(self.folder / "data" / "var" / "run", ignore_errors=True)
        command = [
            str(TRINO_HOME / "bin" / "launcher"),
            "--etc-dir",
            str(self.folder / "etc"),
            "--data-dir",
            str(self.folder / "data"),
        ]
        self.server.start([*command, "run"], environment)
        write_private(self._stamp, wanted.encode())
        self.server.wait(self.is_ready, START_SECONDS)
        return True

    def is_ready(self) -> bool:
        """Whether it answers and takes log-ins."""
        with requests.Session() as session:
            # Settings of the environment would replace our certificate.
            session.trust_env = False
            session.verify = str(self.settings.certificate)
            try:
                said = session.get(f"https://localhost:{self.settings.trino_port}/v1/info", timeout=ANSWER_SECONDS)
                return said.ok and said.json().get("starting") is False
            except (requests.RequestException, ValueError):
                return False

    @property
    def _stamp(self) -> Path:
        return self.folder / "started_with"

    def _started_with(self) -> str:
        return self._stamp.read_text() if self._stamp.is_file() else ""

    def _s3_keys(self) -> dict[str, str]:
        settings = self.settings
        if not settings.s3_endpoint or settings.s3_access_key is None or settings.s3_secret_key is None:
            return {}
        return {
            "LAKEHOUSE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
            "LAKEHOUSE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        }
