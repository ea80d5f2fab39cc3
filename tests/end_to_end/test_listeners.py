"""Several listeners in one lakehouse: what is new of one leaves the others' rows as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.pipeline import Pipeline, assert_same_content, days, export_row, kaggle_csv

CATALOGUE = kaggle_csv(*[{"track_id": f"{n:022d}", "track_name": f"Track {n}", "valence": n / 10} for n in range(1, 5)])
PER_LISTENER = (
    "bronze.listener_settings",
    "silver.plays",
    "silver.listening_with_features",
    "silver.sessions",
    "silver.users",
    "gold.top_artists",
    "gold.daily_listening",
    "gold.listening_patterns_by_time",
    "gold.user_metrics",
    "gold.year_in_music",
)


def land(pipeline: Pipeline) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("listeners/ann/a.json", days(12))
    pipeline.write("listeners/bob/b.json", days(9, track=3))


def written_by(pipeline: Pipeline, user: str) -> dict[str, set[str]]:
    """Per table, the runs that wrote the listener's rows."""
    return {name: {row["_run_id"] for row in pipeline.rows(name, "_run_id", user_id=user)} for name in PER_LISTENER}


def rebuilt(pipeline: Pipeline, folder: Path, *options: str) -> Pipeline:
    """The same landing folder, built at once into a lakehouse of its own."""
    other = Pipeline(folder)
    other.landing = pipeline.landing
    other.build(*options)
    return other


def test_new_plays_of_one_listener_leave_the_other_alone_and_equal_a_full_rebuild(pipeline: Pipeline, tmp_path: Path) -> None:
    land(pipeline)
    first = pipeline.build().document["run_id"]
    pipeline.write("listeners/ann/later.json", days(5, month=2))
    second = pipeline.build().document["run_id"]
    assert set(map(frozenset, written_by(pipeline, "bob").values())) == {frozenset({first})}
    touched = written_by(pipeline, "ann")
    assert touched["gold.user_metrics"] == touched["silver.listening_with_features"] == {second}
    assert len(pipeline.rows("silver.listening_with_features", "play_id", user_id="ann")) == 34
    assert_same_content(pipeline.content(), rebuilt(pipeline, tmp_path / "whole").content())
    versions = pipeline.versions()
    assert pipeline.build().document["outcomes"] == []
    assert pipeline.versions() == versions


def test_a_time_zone_set_for_one_listener_moves_that_listener_s_hours_only(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(pipeline)
    only = ("--only", "gold.daily_listening", "--only", "silver.sessions", "--only", "silver.users")
    first = pipeline.build(*only).document["run_id"]
    names = ("silver.listening_with_features", "gold.daily_listening", "silver.sessions", "silver.users")
    monkeypatch.setenv("LAKEHOUSE_TIMEZONES", '{"ann": "Asia/Tokyo"}')
    pipeline.build(*only)
    for name in names:
        assert {row["_run_id"] for row in pipeline.rows(name, "_run_id", user_id="bob")} == {first}, name
    # 08:10 and 21:40 UTC are the ends of plays of 3 minutes: 08:07 and 21:37, in Tokyo 17 o'clock and 6 of the next day.
    hours = {user: {row["hour_of_day"] for row in pipeline.rows(names[0], user_id=user)} for user in ("ann", "bob")}
    assert hours == {"ann": {17, 6}, "bob": {8, 21}}
    dates = sorted(
        {row["date"].isoformat() for row in pipeline.rows("gold.daily_listening", "date", "plays", user_id="ann") if row["plays"]}
    )
    assert (dates[0], dates[-1]) == ("2024-01-01", "2024-01-13")
    assert {row["timezone"] for row in pipeline.rows("silver.users", user_id="ann")} == {"Asia/Tokyo"}
    assert_same_content(pipeline.content(), rebuilt(pipeline, tmp_path / "whole", *only).content())


def test_a_track_that_enters_the_catalogue_touches_those_who_heard_it_and_nobody_else(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("listeners/ann/a.json", [export_row("2024-01-01T10:00:00Z", 1)])
    pipeline.write("listeners/bob/b.json", [export_row("2024-01-01T10:00:00Z", 70)])
    only = ("--only", "gold.feature_source_coverage")
    first = pipeline.build(*only).document["run_id"]
    assert [r["feature_source"] for r in pipeline.rows("silver.listening_with_features", user_id="bob")] != ["kaggle_id"]
    pipeline.write("more.csv", kaggle_csv({"track_id": f"{70:022d}", "track_name": "Track 70", "artists": "Another"}))
    pipeline.build(*only)
    [bob] = pipeline.rows("silver.listening_with_features", user_id="bob")
    assert bob["feature_source"] == "kaggle_id"
    assert {row["_run_id"] for row in pipeline.rows("silver.listening_with_features", "_run_id", user_id="ann")} == {first}
    assert_same_content(pipeline.content(), rebuilt(pipeline, tmp_path / "whole", *only).content())
