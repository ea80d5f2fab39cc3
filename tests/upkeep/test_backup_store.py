"""A folder of backups: each content once, whole backups only, and damage is found and named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lakehouse.storage.lock import LockedError
from upkeep.backup_store import BackupError, Manifest, Store, StoredFile, check_space, copy_checked


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "backups")
    store.create()
    return store


def taken(store: Store, number: int, **contents: bytes) -> Manifest:
    """A backup of files with these contents."""
    files = []
    for path, content in contents.items():
        digest, size, _ = store.put(io.BytesIO(content))
        files.append(StoredFile("landing", path, digest, size, number))
    manifest = Manifest(f"20260101T00000{number}.000000Z", "run", tuple(files))
    store.write_manifest(manifest)
    return manifest


def objects(store: Store) -> set[bytes]:
    return {path.read_bytes() for path in (store.folder / "objects").glob("*/*")}


def test_a_content_is_stored_once(store: Store) -> None:
    first = store.put(io.BytesIO(b"same"))
    assert first == (first[0], 4, True)
    assert store.put(io.BytesIO(b"same")) == (first[0], 4, False)
    assert objects(store) == {b"same"}


def test_a_manifest_is_read_as_it_was_written(store: Store) -> None:
    written = taken(store, 1, a=b"one", b=b"two")
    assert store.ids() == [written.backup_id]
    assert store.manifest(written.backup_id) == written


def test_what_only_removed_backups_name_goes_with_them(store: Store) -> None:
    for number in (1, 2, 3):
        taken(store, number, kept=b"in all", own=b"%d" % number)
    assert store.prune(2) == ["20260101T000001.000000Z"]
    assert objects(store) == {b"in all", b"2", b"3"}
    assert [store.damage(store.manifest(backup_id)) for backup_id in store.ids()] == [[], []]
    assert store.prune(5) == []


def test_a_damaged_content_is_named_with_the_file_it_was(store: Store) -> None:
    manifest = taken(store, 1, good=b"good", bad=b"bad!", gone=b"gone")
    bad, gone = (store.object(next(file.digest for file in manifest.files if file.path == name)) for name in ("bad", "gone"))
    bad.write_bytes(b"bat!")
    gone.unlink()
    faults = store.damage(manifest)
    assert len(faults) == 2
    assert f"{bad} is damaged: it is landing/bad of backup {manifest.backup_id}" in faults
    assert f"{gone} is missing: it is landing/gone of backup {manifest.backup_id}" in faults


def test_a_damaged_manifest_is_refused_by_name(store: Store) -> None:
    manifest = taken(store, 1, a=b"a")
    path = store.folder / "manifests" / f"{manifest.backup_id}.json"
    document = json.loads(path.read_text())
    document["backup"]["files"][0]["path"] = "elsewhere"
    path.write_text(json.dumps(document))
    with pytest.raises(BackupError, match=rf"{path.name} is damaged"):
        store.manifest(manifest.backup_id)
    path.write_text(path.read_text()[:50])
    with pytest.raises(BackupError, match=rf"{path.name} is damaged"):
        store.manifest(manifest.backup_id)


def test_a_content_that_lost_bytes_is_stored_again(store: Store) -> None:
    digest, size, _ = store.put(io.BytesIO(b"content"))
    store.object(digest).write_bytes(b"con")
    assert store.put(io.BytesIO(b"content")) == (digest, size, True)
    assert objects(store) == {b"content"}


def test_a_copy_that_is_not_the_content_leaves_nothing(store: Store, tmp_path: Path) -> None:
    digest, _, _ = store.put(io.BytesIO(b"content"))
    store.object(digest).write_bytes(b"CONTENT")
    with pytest.raises(BackupError, match="is damaged"):
        copy_checked(store.object(digest), tmp_path / "copy", digest)
    assert not (tmp_path / "copy").exists()


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(BackupError, match="contains other files"):
        Store(tmp_path).create()
    with pytest.raises(BackupError, match="holds no backups"):
        Store(tmp_path).check()


def test_one_process_at_a_time(store: Store) -> None:
    with store.locked(), pytest.raises(LockedError), Store(store.folder).locked():
        pass


def test_a_disk_that_is_too_full_is_known_before(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(BackupError, match=r"needs .* MB, and its disk has"):
        check_space(tmp_path, 10**18)
