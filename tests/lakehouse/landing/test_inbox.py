"""The inbox: files that the product received itself, each known by its content however it is packed."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pytest

from lakehouse.declare import Sample
from tests.lakehouse.landing_runs import LandingRuns, Visit
from tests.landing_files import SOURCES, as_json, extended
from tests.polling.envelopes_of import envelope, spotify_body, spotify_play

PLAYED = "2026-11-29T21:04:05.123Z"
NAME = "_api/spotify_api/acc1/2026-11/00000001-20261129T220000Z.json"


def content(*tracks: int) -> bytes:
    body = spotify_body(*[spotify_play(PLAYED, track) for track in tracks])
    return envelope("spotify_api", body, range(len(tracks))).content()


def visit(runs: LandingRuns, inbox: Path | None = None, **options: Any) -> Visit:
    return runs.run(inbox=inbox, **options)


@pytest.fixture
def runs(tmp_path: Path) -> LandingRuns:
    (tmp_path / "staging").mkdir()
    return LandingRuns(tmp_path / "landing", tmp_path / "staging")


@pytest.mark.parametrize("place", [None, "beside", "landing/received", "landing/deeper/received"])
def test_files_are_read_from_wherever_the_inbox_is_and_named_alike(runs: LandingRuns, tmp_path: Path, place: str | None) -> None:
    inbox = None if place is None else tmp_path / place
    path = (inbox or runs.folder / "_api") / NAME.removeprefix("_api/")
    path.parent.mkdir(parents=True)
    path.write_bytes(content(1, 2))
    runs.put("a.json", as_json([extended()]))
    first = visit(runs, inbox)
    assert first.read == [NAME, "a.json"]
    assert {row["user_id"] for row in first.rows[NAME]} == {"anna"}
    assert visit(runs, inbox).read == []


def test_files_of_the_inbox_are_shown_to_their_own_sources_first(runs: LandingRuns) -> None:
    class Slow:
        """A source that would look into every file for long."""

        name, target = "slow", "listening_history"

        def recognises(self, sample: Sample) -> bool:
            assert not sample.name.startswith("_api/")
            return False

        def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
            raise AssertionError

    runs.put(NAME, content(1))
    runs.put("a.json", as_json([extended()]))
    sources = (Slow(), *SOURCES.values())
    assert runs.run(sources=sources, parsers={source.name: "1" for source in sources}).read == [NAME, "a.json"]


def test_an_inbox_that_is_elsewhere_leaves_the_usual_place_unread(runs: LandingRuns, tmp_path: Path) -> None:
    runs.put(NAME, content(1))
    assert visit(runs, tmp_path / "beside").read == []


def test_another_default_listener_re_reads_no_poll_file(runs: LandingRuns) -> None:
    runs.put(NAME, content(1))
    runs.run("me")
    assert runs.run("ben").read == []


def test_state_locks_and_files_in_the_making_are_passed_over(runs: LandingRuns) -> None:
    runs.put(NAME, content(1))
    runs.put("_api/spotify_api/_acc1.json", b"{}")
    runs.put("_api/spotify_api/_acc1.lock", b"")
    runs.put("_api/spotify_api/acc1/2026-11/.00000002-20261129T220000Z.json.gz.part", b"half")
    assert list(visit(runs).state) == [NAME]


@pytest.mark.parametrize("steps", [("gz",), ("gz", "zip"), ("zip",), ("zip", "gz")])
def test_packing_and_unpacking_re_reads_no_row(runs: LandingRuns, steps: tuple[str, ...]) -> None:
    def packed(how: str) -> tuple[str, bytes]:
        gz = gzip.compress(content(1), mtime=0)
        if how == "gz":
            return f"{NAME}.gz", gz
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("00000001-20261129T220000Z.json.gz", gz)
        return "_api/spotify_api/acc1/2026-11.zip", buffer.getvalue()

    before = runs.put(NAME, content(1))
    assert len(visit(runs).read) == 1
    for step in steps:
        before.unlink()
        before = runs.put(*packed(step))
        again = visit(runs)
        assert (again.read, again.news) == ([], [])
        assert set(again.status().values()) <= {"duplicate", "ingested"}


def test_the_hash_of_a_gz_is_that_of_what_is_in_it(runs: LandingRuns) -> None:
    runs.put(NAME, content(1))
    runs.put("_api/spotify_api/acc1/2026-11/00000002-20261129T220000Z.json.gz", gzip.compress(content(1), 1))
    runs.put("_api/spotify_api/acc1/2026-11/00000003-20261129T220000Z.json.gz", gzip.compress(content(1), 9))
    found = visit(runs)
    assert len({file.file_hash for file in found.state.values()}) == 1
    assert sorted(found.status().values()) == ["duplicate", "duplicate", "ingested"]


def test_what_a_person_puts_into_the_inbox_is_not_read_for_a_listener_named_like_it(runs: LandingRuns) -> None:
    runs.put("_api/history.json", as_json([extended()]))
    found = visit(runs)
    assert (found.read, found.status()) == ([], {"_api/history.json": "unknown"})
    assert "move it into the landing folder" in str(found.state["_api/history.json"].reason)


def test_a_cut_poll_file_is_broken_and_named(runs: LandingRuns) -> None:
    runs.put(NAME, content(1)[:-20])
    runs.put(f"{NAME}.gz", gzip.compress(content(2))[:-20])
    found = visit(runs)
    assert found.read == []
    assert set(found.status().values()) == {"broken"}


def test_a_poll_file_in_the_landing_folder_counts_for_the_listener_it_names(runs: LandingRuns) -> None:
    runs.put("listeners/ben/restored.json", content(1))
    assert [row["user_id"] for row in visit(runs).rows["listeners/ben/restored.json"]] == ["anna"]


def test_a_damaged_file_says_what_helps(runs: LandingRuns) -> None:
    runs.put(f"{NAME}.gz", gzip.compress(content(1))[:60])
    runs.put("a.json.gz", gzip.compress(as_json([extended()]))[:60])
    reasons = {file.path: str(file.reason) for file in visit(runs).state.values()}
    assert reasons["a.json.gz"].endswith("download it again")
    assert "download" not in reasons[f"{NAME}.gz"]
    assert "move it away together with the state _NAME.json of its account" in reasons[f"{NAME}.gz"]


@pytest.mark.parametrize("folder", [b"", b"_api/lastfm_api/"])
def test_a_name_that_is_no_text_is_said_and_keeps_no_other_file_from_being_read(runs: LandingRuns, folder: bytes) -> None:
    runs.put("a.json", as_json([extended()]))
    path = runs.folder / os.fsdecode(folder + b"bad\xff.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_json([extended()]))
    first = visit(runs)
    assert first.read == ["a.json"]
    [bad] = [file for file in first.state.values() if file.status == "broken"]
    assert bad.path.endswith("bad\\xff.json")
    assert str(bad.reason).startswith("its name is not UTF-8: rename it")
    assert visit(runs).news == []


def test_what_a_listener_brought_is_theirs_and_what_the_house_brought_is_the_default_listeners(runs: LandingRuns) -> None:
    runs.put("_api/listeners/ben/0123.json", as_json([extended()]))
    runs.put("_api/house/4567.json", as_json([extended(ms_played=31_000)]))
    found = visit(runs)
    owners = {path: {row["user_id"] for row in rows} for path, rows in found.rows.items()}
    assert owners == {"_api/listeners/ben/0123.json": {"ben"}, "_api/house/4567.json": {"me"}}


def test_files_of_a_listener_at_the_inbox_or_of_a_folder_that_nobody_owns_are_not_read(runs: LandingRuns) -> None:
    runs.put("_api/listeners/0123.json", as_json([extended()]))
    runs.put("_api/house", as_json([extended(ms_played=31_000)]))
    runs.put("_api/listeners/_x/0123.json", as_json([extended(ms_played=32_000)]))
    runs.put("_api/listeners/ben/_part/0123.json", as_json([extended(ms_played=33_000)]))
    found = visit(runs)
    assert (found.read, {*found.status().values()}) == ([], {"unknown", "broken"})
    assert "_api/listeners/ben/_part/0123.json" not in found.status()


OWN = {"track_metadata": {"track_name": "Tide", "artist_name": "Vega"}, "listened_at": 1_795_986_245}


@pytest.mark.parametrize("place", ["_api/listeners/ben", "_api/house", "listeners/ben"])
def test_a_row_of_another_listener_counts_only_where_the_house_put_the_file(runs: LandingRuns, place: str) -> None:
    runs.put(f"{place}/0123.jsonl", json.dumps(OWN).encode() + b"\n")
    runs.put(f"{place}/4567.jsonl", f"{json.dumps(OWN)}\n{json.dumps({**OWN, 'user_name': 'anna'})}\n".encode())
    found = visit(runs)
    of_one, of_two = found.state[f"{place}/0123.jsonl"], found.state[f"{place}/4567.jsonl"]
    assert of_one.status == "ingested"
    assert of_two.status == ("broken" if place == "_api/listeners/ben" else "ingested")
    if of_two.status == "broken":
        assert "names the listener 'listenbrainz:anna'" in str(of_two.reason)


@pytest.mark.parametrize("place", ["_api/listeners/ben", "_api/house"])
def test_a_poll_file_that_a_person_brought_is_not_read(runs: LandingRuns, place: str) -> None:
    runs.put(f"{place}/0123.json", content(1))
    runs.put(NAME, content(2))
    found = visit(runs)
    assert found.read == [NAME]
    assert found.status()[f"{place}/0123.json"] == "unknown"
