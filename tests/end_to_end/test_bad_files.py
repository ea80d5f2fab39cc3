"""Files that cannot be read: told by name and reason, and everything else is built."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.end_to_end.pipeline import Pipeline, days, export_row

GOOD = json.dumps(days(3)).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


WHOLE_ZIP = zipped({"Streaming_History_Audio_1.json": json.dumps(days(20)).encode()})
BAD = {
    "truncated.zip": (WHOLE_ZIP[: len(WHOLE_ZIP) // 2], "broken", "not a readable zip file"),
    "escape.zip": (zipped({"../../evil.json": GOOD}), "broken", "path outside the archive"),
    "bomb.zip": (zipped({"big.json": b"[" + b" " * 30_000_000 + b"]"}), "broken", "zip bomb"),
    "half.json": (GOOD[: len(GOOD) // 2], "broken", "not valid JSON"),
    "latin.json": (GOOD.replace(b"Track 2", b"Tr\xe8ck 2"), "broken", "not UTF-8"),
    "empty.json": (b"", "broken", "empty"),
    "blank.csv": (b" \n\n", "broken", "empty"),
    "Streaming_History_Audio_2019_3.json": (
        b"<html>log in again</html>",
        "broken",
        "its name is that of a spotify_extended file",
    ),
    "endsong_4.json": (GOOD[:9], "broken", "its name is that of a spotify_extended file"),
    "streaminghistory7.json": (b"\x00" * 70_000, "broken", "its name is that of a spotify_account_data file"),
    "StreamingHistory8.json": (b"[]", "unknown", "it holds an empty list"),
    "notes.txt": (b"remember the milk", "unknown", "no source recognises"),
    "photo.jpg": (b"\xff\xd8\xff\xe0" + bytes(range(256)), "unknown", "no source recognises"),
}


@pytest.fixture
def landed(pipeline: Pipeline) -> Pipeline:
    pipeline.write("good.json", GOOD)
    for name, (content, _, _) in BAD.items():
        pipeline.write(name, content)
    return pipeline


def test_bad_files_are_told_with_name_and_reason_and_the_rest_is_built(landed: Pipeline, tmp_path: Path) -> None:
    answer = landed.run("--only", "silver.users")
    assert answer.code == 1
    problems = {problem["path"]: problem for problem in answer.document["problems"]}
    remembered = {row["path"]: row for row in landed.rows("ops.ingestion_state")}
    assert set(problems) == set(BAD)
    for name, (_, status, reason) in BAD.items():
        assert problems[name]["status"] == status, name
        assert reason in problems[name]["reason"], name
        assert (remembered[name]["status"], remembered[name]["reason"]) == (status, problems[name]["reason"]), name
    assert {problem["path"] for problem in answer.document["newly_broken"]} == {n for n, b in BAD.items() if b[1] == "broken"}
    assert landed.rows("silver.users", "kept", "rows") == [{"rows": 6, "kept": 6}]
    assert not list(tmp_path.rglob("evil.json"))

    again = landed.run("--only", "silver.users")
    assert (again.code, again.document["newly_broken"], len(again.document["problems"])) == (0, [], len(BAD))
    assert again.document["outcomes"] == []


def test_the_summary_names_bad_files_as_errors_once_and_as_warnings_after(landed: Pipeline) -> None:
    first = landed.call("run", "--only", "silver.quarantine")
    assert "error: broken file half.json: not valid JSON" in first.text
    assert "warning: unknown file notes.txt: no source recognises this content" in first.text
    second = landed.call("run", "--only", "silver.quarantine")
    assert "warning: broken file half.json" in second.text
    assert "error:" not in second.text


def test_an_unknown_file_alone_is_no_failure(pipeline: Pipeline) -> None:
    pipeline.write("good.json", GOOD)
    pipeline.write("notes.txt", "remember the milk")
    pipeline.build("--only", "silver.quarantine")


def test_a_bad_member_spoils_nothing_else_in_its_archive(pipeline: Pipeline) -> None:
    members = {"a/Streaming_History_Audio_1.json": GOOD, "a/Streaming_History_Audio_2.json": GOOD[:-40], "a/Read_Me.pdf": b"%PDF"}
    pipeline.write("my_spotify_data.zip", zipped(members))
    answer = pipeline.run("--only", "silver.users")
    assert answer.code == 1
    found = {p["path"]: p["status"] for p in answer.document["problems"]}
    assert found == {"my_spotify_data.zip!a/Streaming_History_Audio_2.json": "broken"}
    assert [p["path"] for p in answer.document["ignored"]] == ["my_spotify_data.zip!a/Read_Me.pdf"]
    assert pipeline.rows("silver.users", "kept") == [{"kept": 6}]


def test_other_files_of_an_export_are_one_line_and_not_read_further(pipeline: Pipeline) -> None:
    library = b'{"tracks": [' + b" " * 100_000 + b"]}"
    members = {
        "a.json": GOOD,
        "YourLibrary.json": library,
        "Playlist1.json": b"{}",
        "StreamingHistory_audiobook_0.json": b'[{"x": 1}]',
    }
    pipeline.write("my_spotify_data.zip", zipped(members))
    pipeline.write("Userdata.json", b'{"username": "jane.doe.1234"}')
    answer = pipeline.call("run", "--only", "silver.users")
    assert answer.code == 0
    assert "passed over: other files of a Spotify export, without plays: 4 files" in answer.text
    assert "Playlist1" not in answer.text
    assert "jane.doe" not in repr(pipeline.rows("ops.ingestion_state"))
    assert len([row for row in pipeline.rows("ops.ingestion_state") if row["status"] == "ignored"]) == 4


def test_a_broken_file_that_is_replaced_by_a_good_one_is_read(pipeline: Pipeline) -> None:
    pipeline.write("history.json", GOOD[:-40])
    assert pipeline.run("--only", "silver.users").code == 1
    pipeline.write("history.json", GOOD)
    answer = pipeline.run("--only", "silver.users")
    assert (answer.code, answer.document["problems"]) == (0, [])
    assert pipeline.rows("silver.users", "kept") == [{"kept": 6}]


def test_files_with_hostile_names_are_told_harmlessly(pipeline: Pipeline) -> None:
    pipeline.write("good.json", GOOD)
    pipeline.write("[red]x[/red]\x1b[31m\u202e.json", GOOD[:-40])
    answer = pipeline.call("run", "--only", "silver.quarantine")
    assert answer.code == 1
    assert "[red]x[/red]" in answer.text
    assert "\x1b" not in answer.text
    assert "\u202e" not in answer.text


def test_an_empty_landing_folder_without_the_demo_is_explained_and_no_failure(pipeline: Pipeline) -> None:
    told = pipeline.call("run", "--no-demo")
    assert told.code == 0
    assert "is empty" in told.out
    assert "my_spotify_data.zip" in told.out
    document = pipeline.run("--no-demo").document
    assert (document["is_empty"], document["demo"]) == (True, False)
    assert list(pipeline.root.parent.iterdir()) == [pipeline.landing, pipeline.root]


def test_a_landing_folder_with_nothing_usable_fails_and_says_why(pipeline: Pipeline) -> None:
    pipeline.write("half.json", GOOD[:-40])
    answer = pipeline.run("--only", "silver.users")
    assert answer.code == 1
    assert [p["path"] for p in answer.document["problems"]] == ["half.json"]


def test_plays_that_stand_in_no_list_of_objects_are_no_plays(pipeline: Pipeline) -> None:
    pipeline.write("odd.json", json.dumps([export_row("2024-01-01T10:00:00Z"), "noise", None, 7]))
    pipeline.build("--only", "silver.users")
    assert pipeline.rows("silver.users", "rows", "kept", "quarantined") == [{"rows": 4, "kept": 1, "quarantined": 3}]
