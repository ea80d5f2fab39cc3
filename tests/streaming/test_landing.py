"""Stream files: no two hold the same message, packed or not, and what they hold becomes rows."""

from __future__ import annotations

import datetime as dt
import errno
import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from ingestion.kafka_listens import KafkaListens
from lakehouse.declare import BrokenFileError, Sample
from lakehouse.landing.scan import Landing
from streaming.errors import LandingError, StreamError
from streaming.landed import Landed, Reach
from streaming.packing import pack_streams
from streaming.places import PartitionPlace
from streaming.refused import refused_messages
from tests.streaming.files import NOW, UTC, files_in, land, message


def landed(inbox: Path, partition: int = 0) -> Landed:
    return Landed(PartitionPlace(inbox, "listens", partition))


def rows_in(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        batches = list(KafkaListens().read(stream, "nobody"))
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_file_is_named_by_its_offsets_and_private(tmp_path: Path) -> None:
    land(tmp_path, {7: message(1), 9: message(2)})
    [path] = files_in(tmp_path)
    assert path.name == "0001-00000000000000000007-00000000000000000009.jsonl.gz"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert landed(tmp_path).reach() == Reach(1, 9)
    assert [row["track_name"] for row in rows_in(path)] == ["Tide 1", "Tide 2"]


def test_a_message_that_is_landed_already_is_not_landed_again(tmp_path: Path) -> None:
    """Of two consumers that both believe to own the partition."""
    land(tmp_path, {0: message(0), 1: message(1)})
    written = land(tmp_path, {1: message(1), 2: message(2)})
    assert (written.messages, written.last) == (1, 2)
    assert (land(tmp_path, {0: message(0), 2: message(2)}).messages, len(files_in(tmp_path))) == (0, 2)
    assert sorted(row["track_name"] for path in files_in(tmp_path) for row in rows_in(path)) == ["Tide 0", "Tide 1", "Tide 2"]


def test_an_older_epoch_lands_nothing(tmp_path: Path) -> None:
    land(tmp_path, {5: message(5)})
    land(tmp_path, {0: message(0)}, epoch=2)
    assert landed(tmp_path).reach() == Reach(2, 0)
    with pytest.raises(LandingError, match="begun anew"):
        land(tmp_path, {6: message(6)})


def test_packing_changes_no_reach_and_no_row(tmp_path: Path) -> None:
    october = dt.datetime(2026, 10, 30, tzinfo=UTC)
    for number in range(3):
        land(tmp_path, {number: message(number)}, now=october)
    land(tmp_path, {3: message(3), 4: b"hello"})
    before = scanned(tmp_path)
    assert pack_streams(tmp_path, dt.datetime(2026, 11, 1, 12, tzinfo=UTC)) == 0, "machines may disagree on the end of a month"
    assert pack_streams(tmp_path, NOW) == 3
    assert [path.suffix for path in files_in(tmp_path)] == [".gz"]
    assert landed(tmp_path).reach() == Reach(1, 4)
    assert [file.first for file in landed(tmp_path).files()] == [0, 1, 2, 3]
    assert landed(tmp_path).files()[0].head()["topic_id"] == "id"
    assert scanned(tmp_path) == before and len(before) == 4
    assert [one["offset"] for one in refused_messages(tmp_path)] == [4]


def scanned(inbox: Path) -> set[tuple[str, str, str | None]]:
    landing = Landing(inbox.parent / "none", [KafkaListens()], {"kafka_listens": "1"}, "me", 2**20, "run", inbox=inbox)
    return {(file.path, file.file_hash, file.source) for file in landing.scan([]).new}


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    land(tmp_path, {0: message(0)}, now=dt.datetime(2026, 9, 1, tzinfo=UTC))
    pack_streams(tmp_path, NOW)
    [archive] = tmp_path.rglob("_packed.zip")
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(StreamError, match=r"_packed\.zip is damaged"):
        landed(tmp_path).reach()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(tmp_path, {0: message(0)})
    whole = os.write

    def full(handle: int, content: Any) -> int:
        whole(handle, bytes(content)[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            land(tmp_path, {1: message(1)})
    assert len(files_in(tmp_path)) == 1 and not list(tmp_path.rglob("*.part"))
    assert land(tmp_path, {1: message(1)}).messages == 1


def test_a_file_that_was_cut_off_is_broken(tmp_path: Path) -> None:
    land(tmp_path, {number: message(number) for number in range(3)})
    [path] = files_in(tmp_path)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(BrokenFileError, match="ends after 2 messages"):
        rows_in(path)


def test_what_compresses_like_a_bomb_is_written_as_it_is(tmp_path: Path) -> None:
    land(tmp_path, {0: message(0, track_name="x" * 2_000_000)})
    [path] = files_in(tmp_path)
    assert path.suffix == ".jsonl" and len(rows_in(path)) == 1


def test_only_stream_files_are_recognised(tmp_path: Path) -> None:
    land(tmp_path, {0: message(0)})
    [path] = files_in(tmp_path)
    text = gzip.decompress(path.read_bytes()).decode()
    assert KafkaListens().recognises(Sample("x", text))
    assert not KafkaListens().recognises(Sample("x", text.replace("kafka_listens", "other")))
    assert not KafkaListens().recognises(Sample("x", message(0).decode()))
