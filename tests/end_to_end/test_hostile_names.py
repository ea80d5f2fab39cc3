"""Names that break careless software: stored exactly, shown harmlessly."""

from __future__ import annotations

import pytest

from tests.end_to_end.pipeline import Pipeline, export_row
from tests.landing_files import HOSTILE_NAMES

NAMES = {
    **HOSTILE_NAMES,
    "markup of the console": "[bold red]x[/bold red] [link=file:///]y",
    "escape": "\x1b]0;owned\x07\x1b[31m",
}

# Without blanks around them; nothing is left of a name of blanks.
SHOWN = [name.strip(" \t\n\u200b\u200e\u200f\u2060\ufeff") or None for name in NAMES.values()]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("hostile"))
    rows = [
        export_row(
            f"2024-01-{number:02d}T10:00:00Z",
            number,
            master_metadata_track_name=name,
            master_metadata_album_artist_name=name,
            master_metadata_album_album_name=name,
        )
        for number, name in enumerate(NAMES.values(), start=1)
    ]
    pipeline.write("history.json", rows)
    pipeline.build("--only", "gold.top_tracks", "--only", "silver.albums", "--only", "silver.artists")
    return pipeline


def test_names_are_stored_exactly(hostile: Pipeline) -> None:
    for table, names in {"bronze.listening_history": list(NAMES.values()), "silver.listening_with_features": SHOWN}.items():
        found = hostile.rows(table, "track_name", "artist_name", "album_name")
        assert sorted(map(str, (row["track_name"] for row in found))) == sorted(map(str, names)), table
        assert all(row["track_name"] == row["artist_name"] == row["album_name"] for row in found), table


def test_names_reach_the_charts(hostile: Pipeline) -> None:
    charted = {row["track_name"] for row in hostile.rows("gold.top_tracks", "track_name", period_type="all_time")}
    assert {"<script>alert('x')</script>", "ä" * 50_000, "Robert'); DROP TABLE plays;--"} <= charted


def test_show_prints_no_control_or_direction_characters_and_no_markup_is_obeyed(
    hostile: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    answer = hostile.call("show", "silver.tracks", "--limit", "100")
    assert answer.code == 0
    assert not [c for c in answer.out if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e\u202c\u200e\u2066"]
    assert "[bold red]x[/bold red]" in answer.out
    assert len(answer.out) < 100_000


def test_show_as_json_gives_the_names_exactly(hostile: Pipeline) -> None:
    answer = hostile.call("show", "silver.listening_with_features", "--limit", "100", "--json")
    assert sorted(map(str, (row["track_name"] for row in answer.document))) == sorted(map(str, SHOWN))


@pytest.mark.parametrize("user", ["O'Brien; DROP", "[red]x", "日本 🎧", 'say "x"'])
def test_a_listener_may_have_such_a_name(pipeline: Pipeline, user: str) -> None:
    pipeline.write("history.json", [export_row("2024-01-01T10:00:00Z")])
    pipeline.build("--user", user, "--only", "silver.users")
    pipeline.write(f"listeners/{user}/more.json", [export_row("2024-01-02T10:00:00Z")])
    pipeline.build("--user", user, "--only", "silver.users")
    assert pipeline.rows("silver.users", "user_id", "kept") == [{"user_id": user, "kept": 2}]
    assert user in pipeline.call("show", "silver.users", "--user", user).out
