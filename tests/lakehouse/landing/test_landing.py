"""The landing folder: files are known by their content, each content is read once, and nothing is passed over in silence."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from lakehouse.landing.examine import UNKNOWN
from tests.lakehouse.landing.test_archive import zipped
from tests.lakehouse.landing_runs import STARTED_AT, LandingRuns
from tests.landing_files import CONTENTS, SOURCES, account_music, as_json, extended, lines, read

ANNA, BOB = as_json([account_music(trackName="Anna's")]), as_json([account_music(trackName="Bob's")])
CUT = as_json([extended(), extended()])[:900]
NOT_UTF8 = CONTENTS["spotify_extended"].replace(b"Title", b"\xff\xfe")


@pytest.fixture
def runs(tmp_path: Path) -> LandingRuns:
    for name in ("landing", "staging"):
        (tmp_path / name).mkdir()
    return LandingRuns(tmp_path / "landing", tmp_path / "staging")


def test_an_empty_or_missing_folder_is_no_error(runs: LandingRuns) -> None:
    assert runs.run().state == {}
    runs.folder.rmdir()
    assert runs.run().state == {}


def test_each_file_is_read_by_the_source_of_its_content_under_any_name(runs: LandingRuns) -> None:
    odd = ("dataset.csv", "endsong_0.json", "photo.jpg", "noextension")
    names = {source: f"{number}/{odd[number % len(odd)]}" for number, source in enumerate(CONTENTS)}
    for source, name in names.items():
        runs.put(f"deep/er/{name}", CONTENTS[source])
    visit = runs.run()
    assert {path: (file.source, file.target, file.status, file.rows) for path, file in visit.state.items()} == {
        f"deep/er/{name}": (source, SOURCES[source].target, "ingested", len(read(source, CONTENTS[source])))
        for source, name in names.items()
    }


def test_every_row_says_where_it_came_from(runs: LandingRuns) -> None:
    content = as_json([account_music(trackName=str(number)) for number in range(60_000)])
    runs.put("a.json", content)
    rows = runs.run().rows["a.json"]
    assert [(row["row_number"], row["track_name"]) for row in rows] == [(n + 1, str(n)) for n in range(60_000)]
    origin = ("file_hash", "file_name", "source", "user_id", "_batch_id", "_ingested_at")
    assert {tuple(row[name] for name in origin) for row in rows} == {
        (hashlib.sha256(content).hexdigest(), "a.json", "spotify_account_data", "me", "run1", STARTED_AT)
    }


def test_a_second_run_reads_nothing_and_remembers_the_same(runs: LandingRuns) -> None:
    runs.put("a.json", ANNA)
    runs.put("z.zip", zipped({"b.json": BOB, "readme.txt": b"hello"}))
    runs.put("broken.json", CUT)
    assert runs.run().read == ["a.json", "z.zip!b.json"]
    before = runs.known
    for options in ({}, {"rehash": True}):
        visit = runs.run(**options)
        assert (visit.read, visit.news) == ([], [])
        assert runs.known == before


def test_one_content_is_read_once_loose_copied_and_inside_archives(runs: LandingRuns) -> None:
    runs.put("b/copy.json", ANNA)
    runs.put("original.json", ANNA)
    runs.put("export.zip", zipped({"MyData/StreamingHistory0.json": ANNA}))
    runs.put("another.zip", zipped({"x.json": ANNA, "y.json": ANNA}))
    visit = runs.run()
    assert len(visit.read) == 1
    assert sorted(visit.status().values()) == ["duplicate"] * 4 + ["ingested"]
    duplicate = visit.state["original.json"]
    assert duplicate.reason == f"same content as {visit.read[0]}"
    assert runs.run().read == []


def test_a_copy_that_arrives_later_is_not_read(runs: LandingRuns) -> None:
    runs.put("m.json", ANNA)
    runs.run()
    runs.put("a.json", ANNA)
    runs.put("z.zip", zipped({"a.json": ANNA}))
    visit = runs.run()
    assert visit.read == []
    assert visit.status() == {"a.json": "duplicate", "m.json": "ingested", "z.zip!a.json": "duplicate"}


@pytest.mark.parametrize("new_name", ["a.json", "z.json"])
def test_a_renamed_file_is_not_read_again(runs: LandingRuns, new_name: str) -> None:
    old = runs.put("m.json", ANNA)
    runs.run()
    old.rename(runs.folder / new_name)
    for _ in range(3):
        visit = runs.run()
        assert visit.read == []
    assert visit.status() == {new_name: "duplicate"}
    assert (visit.state["m.json"].status, visit.state["m.json"].is_present) == ("ingested", False)


def test_a_file_that_vanished_is_remembered_and_not_read_when_it_returns(runs: LandingRuns) -> None:
    path = runs.put("a.json", ANNA)
    first = runs.run().state["a.json"]
    path.unlink()
    gone = runs.run().state["a.json"]
    assert (gone.status, gone.is_present, gone.rows, gone.first_run_id) == ("ingested", False, 1, "run1")
    runs.put("a.json", ANNA)
    visit = runs.run()
    assert visit.read == []
    assert (visit.state["a.json"].is_present, visit.state["a.json"].first_run_id) == (True, first.first_run_id)


def test_changed_content_is_a_new_file_and_the_old_one_stays_known(runs: LandingRuns) -> None:
    runs.put("a.json", ANNA)
    runs.run()
    runs.put("a.json", BOB + b" ")
    visit = runs.run()
    assert visit.read == ["a.json"]
    assert sorted((f.is_present, f.status) for f in runs.known) == [(False, "ingested"), (True, "ingested")]
    runs.put("a.json", ANNA)
    assert runs.run().read == []


def test_content_of_the_same_size_and_time_is_found_by_rehashing(runs: LandingRuns) -> None:
    path = runs.put("a.json", ANNA)
    stat = path.stat()
    runs.run()
    runs.put("a.json", ANNA.replace(b"Anna", b"Anne"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert runs.run().read == []
    assert runs.run(rehash=True).read == ["a.json"]


def test_only_what_is_new_in_an_archive_is_read(runs: LandingRuns) -> None:
    runs.put("export.zip", zipped({"a.json": ANNA}))
    runs.run()
    runs.put("export.zip", zipped({"a.json": ANNA, "b.json": BOB}))
    assert runs.run().read == ["export.zip!b.json"]


def test_hidden_files_and_those_of_the_product_are_passed_over(runs: LandingRuns) -> None:
    for path in (".hidden.json", "_own.json", ".git/a.json", "_samples/a.json", "x/_y/z/a.json"):
        runs.put(path, ANNA)
    assert runs.run().state == {}


def test_what_cannot_be_read_as_a_file_is_reported(runs: LandingRuns) -> None:
    runs.put("a.json", ANNA)
    (runs.folder / "gone.json").symlink_to(runs.folder / "nowhere.json")
    os.mkfifo(runs.folder / "pipe.json")
    visit = runs.run()
    told = {path: (file.status, file.reason) for path, file in visit.state.items()}
    assert told == {
        "a.json": ("ingested", None),
        "gone.json": ("broken", "a broken link"),
        "pipe.json": ("broken", "neither a file nor a folder"),
    }
    assert visit.news == ["gone.json", "pipe.json"]
    assert runs.run().news == []


def test_a_folder_that_may_not_be_entered_is_reported(runs: LandingRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.put("locked/a.json", ANNA)

    # Root may enter every folder, and tests may be root.
    def refusing(ask: Any) -> Any:
        def asked(path: Any) -> Any:
            if Path(path).name == "locked":
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return ask(path)

        return asked

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    (file,) = runs.run().state.values()
    why = f"Permission denied for user id {os.geteuid()}: make it readable, as by chmod a+rX"
    assert (file.path, file.status, file.reason) == ("locked", "broken", why)


def test_unknown_and_empty_files_are_reported(runs: LandingRuns) -> None:
    runs.put("notes.txt", b"hello")
    runs.put("empty.json", b"")
    runs.put("blank.csv", b" \n \n")
    runs.put("export.zip", zipped({"Payments.json": b'{"payment": 1}', "a.json": ANNA}))
    visit = runs.run()
    assert {path: (file.status, file.reason) for path, file in visit.state.items()} == {
        "notes.txt": ("unknown", UNKNOWN.reason),
        "export.zip!Payments.json": ("unknown", UNKNOWN.reason),
        "empty.json": ("broken", "the file is empty: download it again, or remove it"),
        "blank.csv": ("broken", "the file is empty: download it again, or remove it"),
        "export.zip!a.json": ("ingested", None),
    }
    assert visit.news == ["blank.csv", "empty.json"]


def test_the_source_of_a_known_file_may_be_known_later_only(runs: LandingRuns) -> None:
    runs.put("a.json", ANNA)
    assert runs.run(sources=[SOURCES["kaggle_tracks"]]).status() == {"a.json": "unknown"}
    assert runs.run().read == ["a.json"]


BROKEN = {
    "cut.json": (CUT, "not valid JSON at line 1"),
    "bytes.json": (NOT_UTF8, "not UTF-8 at byte"),
    "ragged.csv": (CONTENTS["spotify_flat_csv"] + b"a,b\n", "not a readable CSV file"),
    "truncated.zip": (zipped({"a.json": ANNA})[:-30], "not a readable zip file"),
    "escape.zip": (zipped({"../a.json": ANNA}), "has a path outside the archive"),
    "bomb.zip": (zipped({"a.json": b" " * 5_000_000}), "a zip bomb"),
    "empty.json": (b"", "the file is empty"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_news_once_and_everything_else_is_read(runs: LandingRuns, name: str) -> None:
    content, reason = BROKEN[name]
    runs.put(name, content)
    runs.put("good.json", ANNA)
    first = runs.run()
    assert (first.read, first.news) == (["good.json"], [name])
    for options in ({}, {}, {"rehash": True}):
        visit = runs.run(**options)
        assert (visit.read, visit.news) == ([], [])
        assert visit.state[name].status == "broken"
        assert reason in (visit.state[name].reason or "")
    runs.put(name, content[:-1] or b" ")
    assert runs.run().news == [name]


def test_a_broken_file_that_is_mended_is_read(runs: LandingRuns) -> None:
    runs.put("a.json", CUT)
    runs.run()
    runs.put("a.json", as_json([extended(), extended()]))
    visit = runs.run()
    assert (visit.read, visit.news, visit.state["a.json"].status) == (["a.json"], [], "ingested")


def test_a_broken_file_is_tried_again_with_a_new_parser(runs: LandingRuns) -> None:
    runs.put("a.json", CUT)
    runs.run()
    assert runs.run(parsers={"spotify_extended": "new"}).news == ["a.json"]
    assert runs.run(parsers={"spotify_extended": "new"}).news == []


def test_two_copies_of_a_broken_file_are_news_once(runs: LandingRuns) -> None:
    runs.put("a.json", CUT)
    runs.put("b.json", CUT)
    assert len(runs.run().news) == 1
    assert runs.run().news == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_renamed_broken_file_is_no_news(runs: LandingRuns, name: str) -> None:
    path = runs.put(name, BROKEN[name][0])
    runs.run()
    path.rename(runs.folder / "renamed")
    assert runs.run().news == []


def test_a_member_that_is_broken_leaves_the_other_members_alone(runs: LandingRuns) -> None:
    runs.put("export.zip", zipped({"cut.json": CUT, "bytes.json": NOT_UTF8, "good.json": ANNA}))
    visit = runs.run()
    assert visit.read == ["export.zip!good.json"]
    assert visit.news == ["export.zip!bytes.json", "export.zip!cut.json"]


def test_a_file_that_breaks_after_its_first_rows_leaves_nothing_behind(runs: LandingRuns) -> None:
    row = CONTENTS["spotify_flat_csv"].splitlines(keepends=True)[1]
    runs.put("a.csv", CONTENTS["spotify_flat_csv"] + row * 120_000 + lines("only,three,fields"))
    assert runs.run().news == ["a.csv"]
    assert list(runs.staging.iterdir()) == []


@pytest.mark.parametrize("path", ["wow!.json", "wow!/a.json", "listeners/P!nk/a.json"])
def test_an_exclamation_mark_in_a_name(runs: LandingRuns, path: str) -> None:
    runs.put(path, ANNA)
    assert runs.run().read == [path]
    assert runs.run().read == []


def test_an_exclamation_mark_in_the_name_of_an_archive(runs: LandingRuns) -> None:
    runs.put("my!data.zip", zipped({"a!b.json": ANNA}))
    assert runs.run().read == ["my!data.zip!a!b.json"]


@pytest.mark.parametrize(
    "name", ["a b.json", "ä☃👩.json", "quote'\".json", "percent%20.json", "x" * 240 + ".json", "new\nline.json"]
)
def test_odd_file_names(runs: LandingRuns, name: str) -> None:
    runs.put(name, ANNA)
    assert runs.run().read == [name]


def test_the_parser_that_read_a_file_decides_whether_it_is_read_again(runs: LandingRuns) -> None:
    runs.put("a.json", ANNA)
    runs.put("c.csv", CONTENTS["spotify_flat_csv"])
    runs.run()
    new = {"spotify_account_data": "changed"}
    assert runs.run(parsers=new).read == ["a.json"]
    assert runs.run(parsers=new).read == []


def test_all_files_of_a_table_can_be_asked_for_again(runs: LandingRuns) -> None:
    runs.put("a.json", ANNA)
    runs.put("catalogue.csv", CONTENTS["kaggle_tracks"])
    runs.run()
    assert runs.run(reread=["kaggle_tracks"]).read == ["catalogue.csv"]
    assert runs.run(reread=["listening_history"]).read == ["a.json"]
