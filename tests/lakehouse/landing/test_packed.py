"""Packed folders of the inbox: to a run, a packed file is the file that lay there."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse.landing import packed
from lakehouse.landing.packed import archives_in, archives_under, files_of, pack
from lakehouse.landing.scan import Landing
from tests.lakehouse.landing_runs import LandingRuns, Visit
from tests.polling.envelopes_of import envelope, spotify_body, spotify_play
from tests.polling.test_poll import killed_at

MONTH = "_api/spotify_api/acc1/2026-10"
PLAYED = "2026-10-29T21:04:05.123Z"


def put(runs: LandingRuns, number: int, *, is_gzip: bool = True) -> Path:
    body = spotify_body(spotify_play(PLAYED, number))
    content = envelope("spotify_api", body, [0]).content()
    name = f"{MONTH}/{number:08d}-20261029T220000Z.json{'.gz' if is_gzip else ''}"
    return runs.put(name, gzip.compress(content, mtime=0) if is_gzip else content)


@pytest.fixture
def runs(tmp_path: Path) -> LandingRuns:
    (tmp_path / "staging").mkdir()
    made = LandingRuns(tmp_path / "landing", tmp_path / "staging")
    for number in range(1, 8):
        put(made, number, is_gzip=number != 3)
    return made


def folder_of(runs: LandingRuns) -> Path:
    return runs.folder / MONTH


def loose(runs: LandingRuns) -> list[str]:
    return sorted(path.name for path in folder_of(runs).iterdir() if not path.name.startswith("_"))


def pack_all(runs: LandingRuns) -> int:
    return pack(folder_of(runs), loose(runs))


def test_nothing_is_read_again_and_nothing_is_remembered_otherwise(runs: LandingRuns) -> None:
    before = runs.run()
    assert len(before.read) == 7
    assert pack_all(runs) == 7
    assert [path.name for path in folder_of(runs).iterdir()] == ["_packed.zip"]
    after = runs.run()
    assert (after.read, after.news, after.state) == ([], [], before.state)
    assert runs.run(rehash=True).state == before.state


def test_a_new_lakehouse_reads_the_same_rows_from_packed_files(runs: LandingRuns) -> None:
    expected = runs.run().rows
    pack_all(runs)
    other = LandingRuns(runs.folder, runs.staging).run()
    assert other.rows == expected
    assert set(other.status().values()) == {"ingested"}


def test_the_files_come_out_as_they_went_in(runs: LandingRuns) -> None:
    before = {path.name: path.read_bytes() for path in folder_of(runs).iterdir()}
    pack_all(runs)
    with zipfile.ZipFile(folder_of(runs) / "_packed.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == before
    assert (folder_of(runs) / "_packed.zip").stat().st_mode & 0o777 == 0o600


def test_what_comes_later_is_packed_beside_it(runs: LandingRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_MEMBERS", 3)
    pack_all(runs)
    put(runs, 9)
    before = runs.run()
    assert len(before.read) == 8
    pack_all(runs)
    assert [path.name for path in archives_in(folder_of(runs))] == [
        *("_packed.zip", "_packed-2.zip", "_packed-3.zip", "_packed-4.zip")
    ]
    assert runs.run().state == before.state


def test_a_file_that_differs_from_the_packed_one_of_its_name_is_kept(runs: LandingRuns) -> None:
    path = put(runs, 1)
    pack_all(runs)
    path.write_bytes(b"restored by somebody")
    assert pack(folder_of(runs), [path.name]) == 1
    first, second = archives_in(folder_of(runs))
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
        assert gzip.decompress(one.read(path.name)).startswith(b'{"format"')
        assert other.read(path.name) == b"restored by somebody"


def test_killed_between_any_two_steps_nothing_is_lost_read_again_or_doubled(runs: LandingRuns, tmp_path: Path) -> None:
    known = runs.run()
    steps = 0
    while True:
        copy = LandingRuns(tmp_path / f"landing{steps}", runs.staging, list(runs.known))
        os.system(f"cp -a {runs.folder} {copy.folder}")  # noqa: S605 - keeps nanoseconds
        is_killed = killed_at(steps, lambda copy=copy: pack_all(copy))  # type: ignore[misc]
        after = copy.run()
        assert (after.read, after.news, after.state) == ([], [], known.state), f"after step {steps}"
        pack_all(copy)
        assert [path.name for path in folder_of(copy).iterdir()] == ["_packed.zip"], f"after step {steps}"
        assert copy.run().state == known.state
        if not is_killed:
            break
        steps += 1
    assert steps > 12


@pytest.mark.parametrize("after", ["_files", "scan"], ids=["before it looks into them", "before it reads them"])
def test_a_run_over_another_lakehouse_may_pack_what_this_one_has_seen(
    runs: LandingRuns, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    real: Callable[..., Any] = getattr(Landing, after)

    def then_packed(landing: Landing, *arguments: Any, **options: Any) -> Any:
        found = real(landing, *arguments, **options)
        found = list(found) if after == "_files" else found
        pack_all(runs)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Landing, after, then_packed)
        first = runs.run()
    assert (len(first.read), first.news, set(first.status().values())) == (7, [], {"ingested"})
    again = runs.run()
    assert (again.read, again.state) == ([], first.state)


def test_a_damaged_archive_is_told_and_its_rows_stay(runs: LandingRuns) -> None:
    known = runs.run()
    pack_all(runs)
    archive = folder_of(runs) / "_packed.zip"
    archive.write_bytes(archive.read_bytes()[:-30])
    after = runs.run()
    assert after.news == [f"{MONTH}/_packed.zip"]
    assert {file.status for path, file in after.state.items() if path in known.state} == {"ingested"}
    with pytest.raises(zipfile.BadZipFile):
        pack_all(runs)
    assert archive.is_file()


def test_a_damaged_member_is_told_by_its_own_name(runs: LandingRuns) -> None:
    pack_all(runs)
    archive = folder_of(runs) / "_packed.zip"
    content = bytearray(archive.read_bytes())
    content[200] ^= 0xFF
    archive.write_bytes(bytes(content))
    after = runs.run()
    assert len(after.news) == 1
    assert len(after.read) == 6


@pytest.mark.parametrize("name", ["../evil.json", "a/b.json", "..", ".hidden", "_state.json"])
def test_members_with_a_path_or_a_hidden_name_are_no_files_of_the_folder(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "_packed.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(name, "x")
    assert files_of(archive) == []


def test_only_the_inbox_has_packed_folders_and_no_hidden_folder_is_one(runs: LandingRuns) -> None:
    pack_all(runs)
    hidden = runs.folder / "_api" / "_kept" / "_packed.zip"
    hidden.parent.mkdir()
    (folder_of(runs) / "_packed.zip").rename(hidden)
    assert archives_under(runs.folder / "_api") == []
    visited: Visit = runs.run()
    assert visited.read == []


@pytest.mark.parametrize("count", [1, 3000])
def test_tiny_files_are_no_bomb_and_no_limit_of_archives_is_theirs(tmp_path: Path, count: int) -> None:
    (tmp_path / "staging").mkdir()
    runs = LandingRuns(tmp_path / "landing", tmp_path / "staging")
    body = spotify_body(spotify_play(PLAYED, 1))
    body["padding"] = " " * 150_000
    for number in range(count):
        body["number"] = number
        small = envelope("spotify_api", body, []).content() if number == 0 else b'{"format": "x%d"}' % number
        runs.put(f"{MONTH}/{number:08d}-20261029T220000Z.json.gz", gzip.compress(small, mtime=0))
    before = runs.run(max_bytes=200_000)
    pack_all(runs)
    assert runs.run(max_bytes=200_000).state == before.state
    assert LandingRuns(runs.folder, runs.staging).run(max_bytes=200_000).status() == before.status()
