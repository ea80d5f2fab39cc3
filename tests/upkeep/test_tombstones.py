"""Who is forgotten: a file that names nobody, and that nobody else can read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lakehouse.storage.tombstones import TombstoneError, read_tombstones, tombstone_files
from upkeep.tombstones import bury, finish, finished_at, lift


def test_a_listener_is_forgotten_until_that_is_lifted(tmp_path: Path) -> None:
    assert not read_tombstones(tmp_path)
    bury(tmp_path, "anna")
    assert [read_tombstones(tmp_path).hold(name) for name in ("anna", "Anna", "ann", "")] == [True, False, False, False]
    assert lift(tmp_path, "anna")
    assert not read_tombstones(tmp_path).hold("anna")
    assert not lift(tmp_path, "anna")


def test_both_unicode_forms_of_a_name_are_one_listener(tmp_path: Path) -> None:
    bury(tmp_path, "Zoë")
    assert read_tombstones(tmp_path).among(["Zoë", "Zoe\u0308", "Zoe"]) == ["Zoe\u0308", "Zoë"]


def test_the_file_names_nobody_and_is_private(tmp_path: Path) -> None:
    for name in ("anna", "bob"):
        bury(tmp_path / "state", name)
    files = tombstone_files(tmp_path / "state")
    assert len(files) == 2
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not any(name in f"{path.name}{path.read_text()}" for name in ("anna", "bob"))
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700


def test_two_listeners_have_two_salts_so_that_equal_hashes_tell_nothing(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        bury(tmp_path / folder, "anna")
    one, other = (read_tombstones(tmp_path / folder).every[0] for folder in ("a", "b"))
    assert one.salt != other.salt
    assert one.digest != other.digest


def test_forgetting_again_makes_no_second_tombstone_and_is_unfinished_meanwhile(tmp_path: Path) -> None:
    bury(tmp_path, "anna")
    finish(tmp_path, "anna")
    assert finished_at(tmp_path, "anna") is not None
    bury(tmp_path, "anna")
    (tombstone,) = read_tombstones(tmp_path).every
    assert not tombstone.is_finished


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "other"}', b'{"format": "listening-lakehouse/tombstone/1"}'])
def test_one_that_cannot_be_read_stops_what_reads_it(tmp_path: Path, content: bytes) -> None:
    bury(tmp_path, "anna")
    (path,) = tombstone_files(tmp_path)
    path.write_bytes(content)
    with pytest.raises(TombstoneError, match=rf"{path.name} cannot be read.*lakehouse forget"):
        read_tombstones(tmp_path)
