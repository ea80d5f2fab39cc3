"""Finding a Python of a certain version on this machine. Runs on any Python 3, as set-up does."""

import glob
import os
import subprocess
import sys

# A shim of pyenv is there for every version, and ends with an error for one that is not chosen; so each is tried.
PROBE = "import ensurepip, sys, venv; sys.stdout.write('{}.{}'.format(*sys.version_info[:2]))"
# Where pyenv, uv and Homebrew put theirs.
FOLDERS = (
    "~/.pyenv/versions/{}.*/bin",
    "~/.local/share/uv/python/cpython-{}.*/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/usr/bin",
)


def find(versions):
    """The path of a Python that can make environments: this one, or another of `versions`, the best first; None if none can."""
    if sys.version_info[:2] in versions and works(sys.executable, sys.version_info[:2]):
        return sys.executable
    for version in versions:
        name = "python{}.{}".format(*version)
        folders = os.environ.get("PATH", "").split(os.pathsep)
        for pattern in FOLDERS:
            folders += sorted(glob.glob(os.path.expanduser(pattern.format(name[len("python") :]))))
        for folder in folders:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK) and works(path, version):
                return path
    return None


def works(path, version):
    """Whether the program is a Python of that version that can make virtual environments."""
    try:
        asked = subprocess.run([path, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0 and asked.stdout.decode() == "{}.{}".format(*version)
