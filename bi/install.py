"""Set-up of the BI stack: what `scripts/setup.py --bi` installs below `.bi`. A second call does nothing.

Like setup.py it runs on any Python 3, and leaves nothing half done at a place where it would be taken for whole.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

from bi import pythons

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".bi"
# The last server whose tarball is on Maven Central.
TRINO = "476"
TRINO_HOME = TOOLS / f"trino-server-{TRINO}"
SUPERSET_HOME = TOOLS / "superset"
# What the stack uses of its plugins; postgresql does not start without geospatial.
PLUGINS = ("delta-lake", "password-authenticators", "postgresql", "geospatial")

# Pythons that Superset 6.1 runs on, the best first.
PYTHONS = ((3, 11), (3, 12), (3, 10))
NO_PYTHON = (
    "Superset needs Python 3.10, 3.11 or 3.12 with venv, and none was found; install one (Debian 12: sudo apt install"
    " python3.11-venv; elsewhere: uv python install 3.12, or pyenv), or name one: make bi SUPERSET_PYTHON=/path/to/python3.12"
)


class SetupError(Exception):
    """Something cannot be installed; the message says what helps."""


def problems() -> "list[str]":
    """What keeps the servers from being installed here, each with its remedy; nothing where they are installed."""
    found = []
    if not TRINO_HOME.is_dir() and shutil.which("mvn") is None:
        found.append("Maven, which fetches Trino, is not installed; Debian, Ubuntu: sudo apt install maven")
    if not (SUPERSET_HOME / "bin" / "python").is_file() and superset_python() is None:
        found.append(NO_PYTHON)
    return found


def install_trino(say: "Callable[[str], None]") -> None:
    """Fetch and unpack Trino's server through Maven, which knows this machine's mirrors and proxies. Raises SetupError."""
    place = TRINO_HOME
    if place.is_dir():
        return
    say(f"set-up: fetching Trino {TRINO} (once, about a minute; 1.4 GB while unpacking, 0.5 GB afterwards)")
    work = TOOLS / "trino.part"
    shutil.rmtree(str(work), ignore_errors=True)
    work.mkdir(parents=True)
    try:
        # A repository of its own: in the usual one the tarball would stay.
        fetch = [
            "mvn",
            "--batch-mode",
            "--quiet",
            "-Dmaven.repo.local={}".format(work / "maven"),
            "dependency:copy",
            f"-Dartifact=io.trino:trino-server:{TRINO}:tar.gz",
            f"-DoutputDirectory={work}",
        ]
        # In a folder without a project, whose pom would be read.
        if subprocess.run(fetch, cwd=str(work), stdin=subprocess.DEVNULL).returncode:
            raise SetupError("Trino could not be fetched. Is the network available? The same command tries again.")
        shutil.rmtree(str(work / "maven"))
        tarball = work / f"trino-server-{TRINO}.tar.gz"
        if subprocess.run(["tar", "-xzf", str(tarball), "-C", str(work)]).returncode:
            raise SetupError("Trino could not be unpacked. Is the disk full? The same command tries again.")
        server = work / place.name
        # Only now, as files of different plugins are links to each other.
        for plugin in (server / "plugin").iterdir():
            if plugin.name not in PLUGINS:
                shutil.rmtree(str(plugin))
        os.rename(str(server), str(place))
    finally:
        shutil.rmtree(str(work), ignore_errors=True)


def install_superset(say: "Callable[[str], None]", place: pathlib.Path = SUPERSET_HOME) -> None:
    """Create Superset's own virtual environment with exactly what its lock file pins, verified by hash. Raises SetupError."""
    lock = ROOT / "superset" / "requirements.lock"
    stamp = place / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    python = place / "bin" / "python"
    if not python.is_file():
        chosen = superset_python()
        if chosen is None:
            raise SetupError(NO_PYTHON)
        say("set-up: installing Superset into .bi/superset (once, about two minutes, 0.9 GB)")
        if subprocess.run([chosen, "-m", "venv", str(place)]).returncode:
            raise SetupError("Superset's environment could not be created; see the message above")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(lock)]
    # Without compiled files every start would compile two thousand again.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    if subprocess.run(pip, env=environment).returncode:
        raise SetupError("Superset could not be installed. Is the network available? The same command tries again.")
    stamp.write_text(digest)


def superset_python() -> "str | None":
    """A Python that Superset runs on: the one that SUPERSET_PYTHON names, this one, or another of this machine; else None."""
    named = os.environ.get("SUPERSET_PYTHON")
    if named:
        return named if any(pythons.works(named, version) for version in PYTHONS) else None
    return pythons.find(PYTHONS)
