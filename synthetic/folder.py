"""An output folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MANIFEST = "_manifest.json"
READ_BYTES = 1024 * 1024


class FolderError(Exception):
    """The output folder cannot be used; the message says why."""


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def whole_folder(out: Path, *, force: bool) -> Iterator[Path]:
    """A folder to write into, which becomes `out` when the block ends well and is removed when it does not.

    It lies beside `out` and begins with a dot, so that no landing run reads it. Raises FolderError where `out` holds
    anything; with `force`, only where it holds anything but what an earlier generation wrote.
    """
    _check(out, force=force)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        _check(out, force=force)
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check(out: Path, *, force: bool) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise FolderError(f"{out} is a file")
    found = {path.name for path in out.iterdir()}
    if not found:
        return
    if foreign := sorted(found - _written(out)):
        raise FolderError(f"{out} holds other files ({foreign[0]}); name a separate folder, such as {out / 'synthetic'}")
    if not force:
        raise FolderError(f"{out} already contains generated listeners; --force replaces them")


def _written(out: Path) -> set[str]:
    """Names of the files an earlier generation left, by its manifest."""
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, *(file["name"] for file in [*manifest["files"], *manifest["notes"]])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
