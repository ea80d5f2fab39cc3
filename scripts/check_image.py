"""Build the images without a container engine and run the demo in the pipeline's image: `make image-check`.

Needs buildah, debootstrap and root (files that are built in a chroot belong to several users). A base image made by debootstrap
replaces the official one and is kept in `.bi`. Everything else is removed at the end.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITE = "bookworm"
BASE_FILES = ROOT / ".bi" / f"debian-{SUITE}"
BASE = f"localhost/debian:{SUITE}-slim"
LARGEST_BYTES = 2_500_000_000
BUILD_SECONDS, RUN_SECONDS = 1800, 900
# Stands where people keep secrets; found in an image, it says that theirs would be there too.
CANARY = secrets.token_hex(16)
PLANTED = (
    ".env",
    "data/bi/credentials.env",
    "data/bi/secrets.env",
    "data/landing/history.json",
    "superset/.env",
    "bi/server.pem",
)
COMMANDS: dict[str, tuple[Sequence[str], ...]] = {
    "pipeline": (
        ("python", "run_pipeline.py", "run"),
        ("lakehouse", "tables", "--lakehouse", "/lakehouse/own-demo"),
        (
            "python",
            "scripts/generate_listeners.py",
            "--listeners",
            "3",
            "--catalogue",
            "synthetic/demo/catalogue.csv",
            "--out",
            "/scratch/l",
        ),
        ("python", "scripts/ingest.py", "--landing", "/scratch/l", "--engine", "spark"),
        ("python", "scripts/build_silver.py", "--landing", "/scratch/l"),
    ),
    "superset": (("superset", "--version"), ("gunicorn", "--version")),
}


class CheckError(Exception):
    """The check found something, or cannot be made; the message says what."""


def problems() -> list[str]:
    """What is missing here for the check, each with its remedy."""
    missing = [name for name in ("buildah", "debootstrap", "git") if shutil.which(name) is None]
    found = [f"{' and '.join(missing)} not found; Debian, Ubuntu: sudo apt install {' '.join(missing)}"] if missing else []
    if sys.platform != "linux" or os.geteuid() != 0:
        found.append("building in a chroot needs root on Linux: sudo make image-check")
    return found


class Builder:
    """buildah with a storage of its own, so that nothing of anybody else's is touched or left behind."""

    def __init__(self, folder: Path) -> None:
        self._storage = ["--root", str(folder / "storage"), "--runroot", str(folder / "run")]
        # Where overlays cannot be mounted, as within some containers, every layer is a copy of the one below.
        self._driver = "overlay" if self._works("overlay") else "vfs"

    def _works(self, driver: str) -> bool:
        info = ["buildah", "--storage-driver", driver, *self._storage, "info"]
        return subprocess.run(info, capture_output=True, check=False).returncode == 0  # noqa: S603

    def __call__(self, *arguments: str, seconds: int = RUN_SECONDS, show: bool = False) -> str:
        """Run buildah; its output. Raises CheckError with the end of it when it fails."""
        command = ["buildah", "--storage-driver", self._driver, *self._storage, *arguments]
        done = subprocess.run(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds, check=False
        )
        if show or done.returncode:
            sys.stdout.write("".join(f"  {line}\n" for line in done.stdout.splitlines()[-25:]))
        if done.returncode:
            raise CheckError(f"buildah {arguments[0]} ended with {done.returncode}: {' '.join(arguments)}")
        return done.stdout.strip()

    def inside(self, container: str, *command: str, show: bool = False) -> str:
        """Run a command in a container as its image's user."""
        return self("run", "--isolation", "chroot", container, "--", *command, show=show)


def say(text: str) -> None:
    """Tell the person at the terminal what goes on."""
    sys.stdout.write(f"image-check: {text}\n")
    sys.stdout.flush()


def base_files() -> Path:
    """The folder of a minimal Debian, made once."""
    if not BASE_FILES.is_dir():
        say("making a Debian base (once)")
        part = BASE_FILES.with_name(f"{BASE_FILES.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(  # noqa: S603
            ["debootstrap", "--variant=minbase", SUITE, str(part)],  # noqa: S607
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        if made.returncode:
            raise CheckError(f"debootstrap failed; is the network available?\n{made.stdout[-1000:]}")
        part.rename(BASE_FILES)
    return BASE_FILES


def build_context(folder: Path) -> Path:
    """A copy of what git knows or would add, with planted secrets that the build must not see."""
    context = folder / "context"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, context / name)
    for name in PLANTED:
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(f"PASSWORD={CANARY}\n")
    return context


def build(buildah: Builder, folder: Path, targets: Sequence[str]) -> None:
    """Build the base and the targets."""
    (folder / "base.dockerfile").write_text('FROM scratch\nCOPY . /\nCMD ["bash"]\n')
    buildah("bud", "--isolation", "chroot", "-f", str(folder / "base.dockerfile"), "-t", BASE, str(base_files()))
    context = build_context(folder)
    certificates = ssl.get_default_verify_paths().cafile
    trusted = ["--secret", f"id=certificates,src={certificates}"] if certificates else []
    for target in targets:
        began = time.monotonic()
        options = ["--isolation", "chroot", "--build-arg", f"BASE={BASE}", *trusted]
        buildah("bud", *options, "--target", target, "-t", f"localhost/{target}", str(context), seconds=BUILD_SECONDS)
        say(f"{target}: built in {time.monotonic() - began:.0f} s")


@contextmanager
def container_of(buildah: Builder, target: str) -> Iterator[tuple[str, Path]]:
    """A container of the image and the folder of its files."""
    container = buildah("from", f"localhost/{target}").splitlines()[-1]
    yield container, Path(buildah("mount", container).splitlines()[-1])
    buildah("rm", container)


def check_files(target: str, files: Path) -> None:
    """Raises CheckError for an image that is too large, or holds a planted secret or a certificate of the build's network."""
    size = int(subprocess.run(["du", "-sb", str(files)], stdout=subprocess.PIPE, text=True, check=True).stdout.split()[0])  # noqa: S603, S607
    say(f"{target}: {size / 1e9:.2f} GB")
    if size > LARGEST_BYTES:
        raise CheckError(f"{target} is larger than {LARGEST_BYTES / 1e9} GB")
    own = [path for top in ("app", "bi", "home", "landing", "lakehouse", "root") for path in _files(files / top)]
    found = [path for path in own if CANARY.encode() in path.read_bytes() or path.name.startswith(".env")]
    found += list((files / "usr/local/share/ca-certificates").iterdir())
    if found:
        raise CheckError(f"{target} contains forbidden files: {', '.join(str(path.relative_to(files)) for path in found)}")


def _files(folder: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".venv", ".jars")]
        yield from (Path(top, name) for name in names if not Path(top, name).is_symlink())


def check(buildah: Builder, target: str) -> None:
    """Look into an image and run its commands. Raises CheckError."""
    with container_of(buildah, target) as (container, files):
        check_files(target, files)
        user = buildah.inside(container, "id", "-u")
        if user == "0":
            raise CheckError(f"{target} runs as root")
        for command in COMMANDS[target]:
            began = time.monotonic()
            buildah.inside(container, *command, show=True)
            say(f"{target}: as user {user}, {' '.join(command)}: {time.monotonic() - began:.0f} s")


def clean_up(buildah: Builder, folder: Path) -> None:
    """Remove the folder, unless something of this machine is still mounted in it, as a build that was killed might leave it."""
    buildah("rm", "--all")
    subprocess.run(["umount", str(folder / "storage" / "overlay")], capture_output=True, check=False)  # noqa: S603, S607
    mounted = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {folder}/" in line]
    if mounted:
        sys.stderr.write(f"error: {folder} was not removed, because something is mounted in it: {mounted[0]}\n")
    else:
        shutil.rmtree(folder)


def main() -> int:
    """Build and check; exit code 0, 1 for a finding, 2 where the check cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="IMAGE", help=f"{', '.join(COMMANDS)} (default pipeline)")
    targets = parser.parse_args().targets or ["pipeline"]
    if unknown := [target for target in targets if target not in COMMANDS]:
        parser.error(f"there is no image {unknown[0]}")
    if found := problems():
        sys.stderr.write("".join(f"error: {problem}\n" for problem in found))
        return 2
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder = Path(tempfile.mkdtemp(prefix="image-check-"))
    buildah = Builder(folder)
    try:
        build(buildah, folder, targets)
        for target in targets:
            check(buildah, target)
    except (CheckError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    finally:
        clean_up(buildah, folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
