"""corrections.csv from the landing folder to the charts: what each line changes, whose rows are rebuilt, and taking it back."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.declare import REGISTRY
from tests.end_to_end.pipeline import Pipeline, export_row

HEADER = "action,kind,from_artist,from_title,from_album,to_artist,to_title,to_album,played_at,until,note\n"
SONGS = (
    ("Beatls", "Help", 3),
    ("The Beatles", "Help", 5),
    ("The Beatles", "Yesterday", 2),
    ("Ann & Bob", "Duet", 4),
    ("Noise", "Rain", 6),
)
ONLY = ("--only", "gold.top_artists", "--only", "gold.top_tracks", "--only", "gold.daily_listening")


def plays(platform: str) -> list[dict[str, Any]]:
    """Every song as often as SONGS says, one play an hour from 2024-01-01T00:00:00Z, each of 200 s."""
    titles = [(artist, title) for artist, title, count in SONGS for _ in range(count)]
    return [
        export_row(
            f"2024-01-01T{hour:02d}:03:20Z" if hour < 24 else f"2024-01-02T{hour - 24:02d}:03:20Z",
            1000 + [song[:2] for song in SONGS].index((artist, title)),
            ms_played=200_000,
            platform=platform,
            master_metadata_track_name=title,
            master_metadata_album_artist_name=artist,
            master_metadata_album_album_name="Album",
        )
        for hour, (artist, title) in enumerate(titles)
    ]


def chart(pipeline: Pipeline, table: str, *names: str, user: str = "ann") -> dict[Any, int]:
    """Listens of all time by name."""
    rows = [row for row in pipeline.rows(table, user_id=user) if row["period_type"] == "all_time"]
    return {tuple(row[name] for name in names) if len(names) > 1 else row[names[0]]: row["listen_count"] for row in rows}


def artists(pipeline: Pipeline, user: str = "ann") -> dict[str, int]:
    return chart(pipeline, "gold.top_artists", "artist_name", user=user)


def tracks(pipeline: Pipeline) -> dict[tuple[str, str], int]:
    return chart(pipeline, "gold.top_tracks", "artist_name", "track_name")


@pytest.fixture
def built(pipeline: Pipeline) -> Pipeline:
    """Ann and Bob heard the same, on other devices."""
    for name in ("ann", "bob"):
        pipeline.write(f"listeners/{name}/Streaming_History_Audio_2024_0.json", plays(f"{name}'s"))
    pipeline.build(*ONLY)
    for name in ("ann", "bob"):
        assert artists(pipeline, name) == {"Beatls": 3, "The Beatles": 7, "Ann & Bob": 4, "Noise": 6}
    return pipeline


def correct(pipeline: Pipeline, *lines: str, place: str = "listeners/ann") -> None:
    pipeline.write(f"{place}/corrections.csv", HEADER + "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("line", "by_artist", "by_track"),
    [
        (
            "merge,artist,beatls,,,The Beatles,,,,,",
            {"The Beatles": 10, "Ann & Bob": 4, "Noise": 6},
            {("The Beatles", "Help"): 8, ("The Beatles", "Yesterday"): 2, ("Ann & Bob", "Duet"): 4, ("Noise", "Rain"): 6},
        ),
        (
            "rename,recording,The Beatles,yesterday,,,Help,,,,",
            {"Beatls": 3, "The Beatles": 7, "Ann & Bob": 4, "Noise": 6},
            {("Beatls", "Help"): 3, ("The Beatles", "Help"): 7, ("Ann & Bob", "Duet"): 4, ("Noise", "Rain"): 6},
        ),
        (
            "split,artist,Ann & Bob,,,Ann; Bob,,,,,",
            {"Beatls": 3, "The Beatles": 7, "Ann": 4, "Bob": 4, "Noise": 6},
            {
                ("Beatls", "Help"): 3,
                ("The Beatles", "Help"): 5,
                ("The Beatles", "Yesterday"): 2,
                ("Ann", "Duet"): 4,
                ("Noise", "Rain"): 6,
            },
        ),
        (
            "exclude,artist,noise,,,,,,,,",
            {"Beatls": 3, "The Beatles": 7, "Ann & Bob": 4},
            {("Beatls", "Help"): 3, ("The Beatles", "Help"): 5, ("The Beatles", "Yesterday"): 2, ("Ann & Bob", "Duet"): 4},
        ),
        (
            "exclude,play,,,,,,,2024-01-01T00:00:00Z,2024-01-01T03:00:00Z,",
            {"The Beatles": 7, "Ann & Bob": 4, "Noise": 6},
            {("The Beatles", "Help"): 5, ("The Beatles", "Yesterday"): 2, ("Ann & Bob", "Duet"): 4, ("Noise", "Rain"): 6},
        ),
    ],
)
def test_a_line_changes_the_charts_of_its_listener_alone_and_goes_without_a_trace(
    built: Pipeline, line: str, by_artist: dict[str, int], by_track: dict[tuple[str, str], int]
) -> None:
    before, of_bob = built.content(), artists(built, "bob")
    tracks_before = tracks(built)
    correct(built, line)
    report = built.build(*ONLY)
    assert artists(built) == by_artist
    assert tracks(built) == by_track
    assert artists(built, "bob") == of_bob
    keys = {o["table"]: o["keys"] for o in report.document["outcomes"] if REGISTRY[o["table"]].scope == "user"}
    assert {table: count for table, count in keys.items() if count != 1 and table.startswith("gold.")} == {}
    kept = [row for row in built.rows("silver.plays", user_id="ann") if row["disposition"] == "kept"]
    assert len(kept) == sum(song[2] for song in SONGS), "nothing is lost"

    correct(built)
    built.build(*ONLY)
    assert tracks(built) == tracks_before
    lists = ("bronze.corrections", "silver.correction_lines", "silver.names", "ops.")
    after = built.content()
    assert {name: rows for name, rows in after.items() if not name.startswith(lists)} == {
        name: rows for name, rows in before.items() if not name.startswith(lists)
    }


def test_a_moved_play_counts_where_it_belongs(built: Pipeline) -> None:
    correct(built, "move,play,,,,,,,2024-01-01T00:00:00Z,2023-05-05T10:00:00Z,")
    built.build(*ONLY)
    dates = {str(row["date"]): row["plays"] for row in built.rows("gold.daily_listening", user_id="ann")}
    assert dates["2023-05-05"] == 1
    assert sum(dates.values()) == 20


def test_everybody_s_lines_are_weaker_than_a_listener_s_own_and_a_vanished_file_keeps_its_lines(built: Pipeline) -> None:
    correct(built, "merge,artist,Beatls,,,The Beatles,,,,,", place="_everyone")
    correct(built, "rename,artist,Beatls,,,Beetles,,,,,")
    built.build(*ONLY)
    assert artists(built)["Beetles"] == 3
    assert artists(built, "bob")["The Beatles"] == 10
    (built.landing / "_everyone" / "corrections.csv").unlink()
    built.build(*ONLY)
    assert artists(built, "bob")["The Beatles"] == 10
    built.write("_everyone/corrections.csv", "")
    built.build(*ONLY)
    assert artists(built, "bob")["Beatls"] == 3, "emptied"


def test_a_history_for_everybody_is_reported_and_not_read(built: Pipeline) -> None:
    built.write("_everyone/more.json", plays("nobody's"))
    answer = built.call("run", *ONLY)
    assert "_everyone/more.json" in answer.text
    assert len(built.rows("silver.plays")) == 40


def test_a_line_that_cannot_be_used_is_named_with_its_remedy_until_it_is_mended(built: Pipeline) -> None:
    correct(built, "mrege,artist,Beatls,,,The Beatles,,,,,", "merge,artist,Beatls,,,The Beatles,,,,,")
    for _ in range(2):
        answer = built.call("run", *ONLY)
        assert answer.code == 1
        assert "line 2: unknown_action, the action is one of merge, rename" in " ".join(answer.text.split())
        assert artists(built)["The Beatles"] == 10, "the other line counts"
    correct(built, "merge,artist,Beatls,,,The Beatles,,,,,")
    assert built.call("run", *ONLY).code == 0


def test_a_line_with_a_cell_too_many_and_an_empty_one_spoil_no_other(built: Pipeline) -> None:
    lines = ["split;artist;Ann & Bob;;;Ann; Bob", "", "merge;artist;Beatls;;;The Beatles;;;;;;;"]
    text = "\n".join([HEADER.strip().replace(",", ";").replace("from_artist", "From Artist"), *lines])
    built.write("listeners/ann/corrections.csv", text.replace("Ann; Bob", "Ann; Bob;;;;;my note"))
    answer = built.call("run", *ONLY)
    assert answer.code == 1
    assert "line 2: surplus_cells, it has more cells than the header: put quotes" in " ".join(answer.text.split())
    assert artists(built) == {"The Beatles": 10, "Ann & Bob": 4, "Noise": 6}
    corrected = {row["corrected_by"] for row in built.rows("silver.plays", user_id="ann")}
    assert corrected == {None, "listeners/ann/corrections.csv:4"}, "as the message counts"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            "action,from_artist,to_artist\nmerge,Beatls,The Beatles\n",
            "it has no column kind: the header is action,kind,from_artist",
        ),
        (
            HEADER + 'merge,artist,"Beatls,,,The Beatles,,,,,\n',
            "a cell that begins in line 2 or later does not end: close its quote",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_what_is_wrong_with_it(built: Pipeline, text: str, remedy: str) -> None:
    built.write("listeners/ann/corrections.csv", text)
    for answer in (built.call("run", *ONLY), built.call("corrections", "check", "--landing", str(built.landing))):
        assert answer.code == 1
        assert remedy in " ".join(answer.text.split())
    assert artists(built)["Beatls"] == 3


def test_a_file_that_is_gone_is_named_while_its_lines_are_in_force(built: Pipeline) -> None:
    lines = HEADER + "merge,artist,Beatls,,,The Beatles,,,,,\n"
    built.write("listeners/ann/my corrections (1).csv", lines)
    built.build(*ONLY)
    (built.landing / "listeners/ann/my corrections (1).csv").unlink()
    answer = built.call("run", *ONLY)
    assert answer.code == 0
    said = "my corrections (1).csv: the file is gone and a line of it is still in force; to take them back, put a file"
    assert said in " ".join(answer.text.split())
    built.write("listeners/ann/my corrections (1).csv", HEADER)
    assert "is gone" not in built.call("run", *ONLY).text
    assert artists(built)["Beatls"] == 3


def test_check_counts_what_lines_would_change_before_and_after_they_do(built: Pipeline) -> None:
    correct(built, "merge,artist,Beatls,,,The Beatles,,,,,", "rename,artist,Beatls,,,Other,,,,,", "exclude,artist,Nobody,,,,,,,,")
    for _ in range(2):
        answer = built.call("corrections", "check", "--landing", str(built.landing), "--json")
        assert [(line["number"], line["plays"]) for line in answer.document["lines"]] == [(2, 3), (3, 0), (4, 0)]
        assert answer.code == 0
        built.build(*ONLY)
    correct(built, "merge,artist,Beatls,,,,,,,,")
    answer = built.call("corrections", "check", "--landing", str(built.landing))
    assert answer.code == 1
    assert "lacks_to" in answer.text


def test_a_suggestion_is_a_line_that_works(built: Pipeline) -> None:
    answer = built.call("corrections", "suggest", "--user", "ann")
    lines = answer.out.splitlines()
    assert lines[0] + "\n" == HEADER
    assert lines[1].startswith("merge,artist,Beatls,,,The Beatles,,,")
    built.write("listeners/ann/corrections.csv", answer.out)
    built.build(*ONLY)
    assert artists(built)["The Beatles"] == 10
