"""The check that lock files can be installed, against an index of our own."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from scripts.check_locks import LOCKS, PLATFORMS, ROOT, Place, places, problem

LINUX, _, MAC = PLATFORMS


def wheel(folder: Path, name: str, tags: str) -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-{tags}.whl", "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path: Path) -> list[str]:
    wheel(tmp_path, "pure", "py3-none-any")
    wheel(tmp_path, "compiled", "cp312-cp312-manylinux_2_17_x86_64")
    return ["--no-index", "--offline", "--find-links", str(tmp_path)]


@pytest.mark.parametrize(
    ("pinned", "python", "platform", "missing"),
    [
        ("pure==1.0", "3.14", MAC, None),
        ("pure==1.0\ncompiled==1.0", "3.12", LINUX, None),
        ("pure==1.0\ncompiled==1.0", "3.14", LINUX, "compiled"),
        ("pure==1.0\ncompiled==1.0", "3.12", MAC, "compiled"),
        ("pure==1.0\nnowhere==1.0", "3.12", LINUX, "nowhere"),
        ("compiled==1.0; python_version < '3.13'", "3.14", LINUX, None),
    ],
)
def test_a_package_without_a_wheel_for_a_place_is_named(
    index: list[str], tmp_path: Path, pinned: str, python: str, platform: str, missing: str | None
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(pinned + "\n")
    reason = problem(Place(lock, python, platform), index)
    assert (reason is None) == (missing is None), reason
    assert missing is None or missing in str(reason)


def test_every_lock_file_is_checked_for_every_python_that_is_promised() -> None:
    # Tools of development have lock files of their own.
    tools = {"scripts/hadolint/requirements.lock", "tests/mutants/requirements.lock"}
    every = subprocess.run(["git", "ls-files", "*.lock"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    assert set(every.stdout.split()) - tools == set(LOCKS)
    project = {place.python for place in places() if place.lock.parent == ROOT}
    assert project == {"3.11", "3.12", "3.13", "3.14"}
