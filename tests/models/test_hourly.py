"""The coming week's hours: what is known before a week, quantiles where most hours are silent, planted habits, coverage."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features
import silver.users  # noqa: F401
from features.hourly_history import anchors, listened_hours, weekly_features
from gold.predictive.energy_forecasts import energy_forecasts
from lakehouse.declare import Fitted, Model
from lakehouse.storage.artifacts import store
from models.hours.hourly_listening import hourly_listening
from models.hours.hourly_quantiles import ENERGY, MINUTES, bins_of
from tests.frames import UTC, collect, play
from tests.models.listens import listening, users

TABLE = "gold.energy_forecasts"
MINUTE = 60_000


def habit(weeks: int, seed: int = 1, user: str = "me") -> list[dict[str, Any]]:
    """Every Monday at 8 half an hour, every day at 20 on two days of three some 20 minutes; energetic in the morning."""
    draw = np.random.default_rng(seed)
    rows = []
    for day in range(weeks * 7):
        date = dt.datetime(2023, 1, 2, tzinfo=UTC) + dt.timedelta(days=day)
        if date.isoweekday() == 1:
            rows.append((date.replace(hour=8, minute=3), 30.0, 0.9))
        if draw.random() < 2 / 3 or day == weeks * 7 - 1:
            rows.append((date.replace(hour=20, minute=10), float(draw.gamma(4, 5)), float(draw.uniform(0.2, 0.6))))
    return [
        play(
            i,
            at.replace(tzinfo=None).isoformat(sep=" "),
            user_id=user,
            play_id=f"{user}-{i:05d}",
            ms_played=int(minutes * MINUTE),
            energy=energy,
        )
        for i, (at, minutes, energy) in enumerate(rows)
    ]


def features(spark: SparkSession, plays: list[dict[str, Any]], back: int) -> dict[int, dict[str, Any]]:
    """Features of the week that begins `back` weeks before as_of, by hour of it."""
    frame = listening(spark, plays)
    anchored = anchors(frame, users(spark, plays))
    origins = spark.createDataFrame([("me", back, anchored.collect()[0].weeks)], "user_id string, back int, weeks double")
    return {row["cell"]: row for row in weekly_features(listened_hours(frame, anchored), origins).toArrow().to_pylist()}


def knows_more(spark: SparkSession, plays: list[dict[str, Any]], changed: list[dict[str, Any]], back: int) -> set[str]:
    """Features of any hour that differ between two histories, but for the last bits of sums."""
    one, other = features(spark, plays, back), features(spark, changed, back)
    return {name for cell in one for name, value in one[cell].items() if other[cell][name] != pytest.approx(value)}


def restless(weeks: int) -> list[dict[str, Any]]:
    """By day every third hour or so has its music, at random."""
    draw = np.random.default_rng(4)
    hours = [h for h in range(weeks * 168) if h % 24 >= 6 and draw.random() < 0.35]
    start = dt.datetime(2023, 1, 2)
    return [
        play(
            i,
            (start + dt.timedelta(hours=h)).isoformat(sep=" "),
            play_id=f"p{i:05d}",
            ms_played=int(draw.gamma(2, 8) * MINUTE) + MINUTE,
            energy=float(draw.beta(4, 3)),
        )
        for i, h in enumerate(hours)
    ]


def test_hours_are_counted_back_from_the_end_of_the_last_day(spark: SparkSession) -> None:
    plays = [
        play(1, "2024-01-03 23:59:59", ms_played=MINUTE),
        play(2, "2024-01-03 23:00:00", ms_played=2 * MINUTE),
        play(3, "2023-12-27 23:30:00", ms_played=3 * MINUTE, is_measured=False),
        play(4, "2024-01-03 00:00:00", ms_played=None),
    ]
    frame = listening(spark, plays)
    anchored = anchors(frame, users(spark, plays))
    told = anchored.collect()[0]
    assert told.as_of.replace(tzinfo=None) == dt.datetime(2024, 1, 4)
    rows = {row.slot: row for row in listened_hours(frame, anchored).collect()}
    assert {slot: (row.week, row.cell, row.minutes) for slot, row in rows.items()} == {
        -1: (0, 167, 3.0),
        -169: (1, 167, 3.0),
        -24: (0, 144, 0.0),
    }
    assert (rows[-1].energy_listens, rows[-169].energy_listens) == (2.0, 0.0), "only measured listens tell energy"


def test_features_by_hand(spark: SparkSession) -> None:
    """Before Monday 2024-01-15, in the first hour of each of three weeks: 1, 10 and 20 minutes."""
    plays = [
        play(1, "2023-12-25 00:00:00", ms_played=MINUTE, energy=0.2, is_listen=False),
        play(2, "2024-01-01 00:10:00", ms_played=10 * MINUTE, energy=0.4),
        play(3, "2024-01-08 00:20:00", ms_played=20 * MINUTE, energy=0.8),
        play(4, "2024-01-14 12:00:00", ms_played=MINUTE, is_measured=False),
    ]
    first = features(spark, plays, 0)[0]
    assert first["all_hour"] == pytest.approx(31 / 3)
    kept = 0.5**0.25
    assert first["month_hour"] == pytest.approx((20 + 10 * kept + kept**2) / (1 + kept + kept**2))
    assert first["all_hour_of_day"] == pytest.approx(31 / 3 / 7)
    assert first["all_level"] == pytest.approx(32 / 3 / 168)
    assert (first["last_week_minutes"], first["last_week_energy"]) == (20.0, 0.8)
    assert first["all_hour_energy"] == pytest.approx((1.2 + 20 * 0.6) / 22)
    assert first["all_smooth"] == pytest.approx((3 * 31 / 3 + 0) / 4)


def test_nothing_after_the_origin_is_known(spark: SparkSession) -> None:
    plays = habit(6)
    end = dt.datetime(2023, 2, 6, tzinfo=UTC)
    changed = [p | {"ms_played": 1, "energy": 0.0, "is_listen": True} if p["played_at"] >= end else p for p in plays]
    assert knows_more(spark, plays, changed, 1) == set()
    assert knows_more(spark, plays, changed, 0) >= {"all_hour", "year_energy"}, "the test sees a change where there is one"


def test_where_nothing_is_usual_the_interval_leaves_its_share_above() -> None:
    """Of 100 hours 90 are silent and ten have 1 to 10 minutes: 95% lie at or below 5."""
    came = np.concatenate([np.zeros(90), np.arange(1.0, 11.0)])
    row = bins_of(MINUTES, np.ones(100), came, np.ones(100, dtype=bool))[0]
    assert (row["low_95"], row["high_95"], row["low_80"], row["high_80"], row["listening_share"]) == (0, 5, 0, 0, 0.1)
    busy = bins_of(MINUTES, np.ones(100), np.arange(1.0, 101.0), np.ones(100, dtype=bool))[0]
    assert (busy["low_95"], busy["high_95"], busy["low_80"], busy["high_80"]) == (3, 98, 10, 90)
    energy = bins_of(ENERGY, np.full(100, 0.5), np.arange(100) / 100, np.ones(100, dtype=bool))
    assert len(energy) == 1
    assert (energy[0]["low_95"], energy[0]["high_95"]) == (pytest.approx(-0.48), pytest.approx(0.47))


@pytest.fixture(scope="module")
def fitted(spark: SparkSession) -> Fitted:
    plays = habit(120)
    return hourly_listening(listening(spark, plays), users(spark, plays))


def forecasts(
    spark: SparkSession, folder: Path, fitted: Fitted, plays: list[dict[str, Any]], timezone: str = "UTC"
) -> list[dict[str, Any]]:
    if not folder.exists():
        store(fitted, folder)
    model = Model("hourly_listening-1", "hourly_listening", folder, spark)
    return collect(TABLE, energy_forecasts(listening(spark, plays), users(spark, plays, timezone), model))


def test_intervals_cover_what_they_promise(spark: SparkSession) -> None:
    plays = restless(60)
    fitted = hourly_listening(listening(spark, plays), users(spark, plays))
    found = {(row["split"], row["metric"]): row for row in fitted.metrics}
    for target, n in (("minutes", 1800), ("energy", 400)):
        row = found["test", f"{target} coverage of the 95% interval"]
        assert row["n"] >= n
        assert 0.93 <= row["value"] <= 0.97
    assert found["test", "minutes rmse"]["value"] < found["test", "minutes rmse: seasonal naive (168 h)"]["value"]


def test_who_listens_rarely_is_not_expected_to_repeat_last_week(spark: SparkSession, tmp_path: Path) -> None:
    """Listening in one hour of 200 at random: all quantiles are 0 and say nothing, so the squared error decides."""
    draw = np.random.default_rng(7)
    start = dt.datetime(2023, 1, 2)
    hours = [hour for hour in range(60 * 168) if draw.random() < 1 / 200]
    plays = [
        play(i, (start + dt.timedelta(hours=h)).isoformat(sep=" "), play_id=f"p{i:05d}", ms_played=30 * MINUTE)
        for i, h in enumerate(hours)
    ]
    fitted = hourly_listening(listening(spark, plays), users(spark, plays))
    found = {(row["split"], row["metric"]): row["value"] for row in fitted.metrics}
    tied = {found["validation", f"minutes pinball loss: {name}"] for name in ("seasonal naive (168 h)", "hour-of-week mean")}
    assert len(tied) == 1, "the losses tie"
    assert fitted.parameters["published"]["real minutes"] != "seasonal naive (168 h)"
    future = [row["expected_minutes"] for row in forecasts(spark, tmp_path / "m", fitted, plays) if row["is_future"]]
    assert max(future) < 5, "no hour of last week is promised again"


def test_a_measure_that_does_not_speak_for_the_published_model_says_so(spark: SparkSession) -> None:
    plays = restless(60)
    found = hourly_listening(listening(spark, plays), users(spark, plays))
    judged = [row for row in found.metrics if row["skill_low"] is not None]
    doubted = [row for row in judged if row["skill_low"] <= 0]
    assert doubted
    assert all(row["note"] for row in doubted)
    published = {f"real {target}": found.parameters["published"][f"real {target}"] for target in ("minutes", "energy")}
    assert [row for row in judged if row not in doubted and published[f"real {row['metric'].split()[0]}"] == "ridge regression"]
    for row in judged:
        is_ridge = published[f"real {row['metric'].split()[0]}"] == "ridge regression"
        assert (row["note"] or "").startswith("published as its baseline") is not is_ridge
        assert row["note"] is None or row["baseline"] in row["note"]


def test_habits_are_forecast_and_the_past_stands_beside(spark: SparkSession, tmp_path: Path, fitted: Fitted) -> None:
    plays = habit(120)
    rows = forecasts(spark, tmp_path / "m", fitted, plays)
    future = {(row["day_of_week"], row["hour_of_day"]): row for row in rows if row["is_future"]}
    assert (len(future), len(rows)) == (168, 5 * 168)
    assert future[1, 8]["expected_minutes"] > 15
    assert future[3, 4]["expected_minutes"] < 1
    assert future[1, 8]["predicted_energy"] > future[1, 20]["predicted_energy"] + 0.1
    assert future[1, 20]["listening_probability"] > 0.5 > future[3, 4]["listening_probability"]
    past = [row for row in rows if not row["is_future"]]
    assert {row["fit"] for row in past} == {"evaluation"}
    assert {row["fit"] for row in future.values()} == {"refit"}
    since = min(row["forecast_hour"] for row in past)
    assert sum(row["actual_minutes"] for row in past) == pytest.approx(
        sum(p["ms_played"] for p in plays if p["played_at"].replace(tzinfo=None) >= since) / MINUTE
    )
    later = forecasts(spark, tmp_path / "m", fitted, habit(121))
    assert {row["fit"] for row in later if row["origin"] >= max(row["origin"] for row in rows)} == {"refit"}


def test_other_listeners_change_nothing(spark: SparkSession, fitted: Fitted) -> None:
    plays = habit(120)
    both = [*habit(60, 3, "synthetic:000001"), *plays][::-1]
    again = hourly_listening(listening(spark, both), users(spark, both))
    real = {(m["split"], m["metric"]): m["value"] for m in again.metrics if m["population"] == "real"}
    assert real == pytest.approx({(m["split"], m["metric"]): m["value"] for m in fitted.metrics})


def test_a_change_of_clocks_neither_repeats_nor_loses_an_hour(spark: SparkSession, tmp_path: Path, fitted: Fitted) -> None:
    plays = [
        play(i, f"2024-03-{day:02d} 18:00:00", local_time=dt.datetime(2024, 3, day, 19, tzinfo=UTC))
        for i, day in enumerate((1, 20, 28))
    ]
    rows = forecasts(spark, tmp_path / "m", fitted, plays, "Europe/Berlin")
    future = sorted(row["forecast_hour"] for row in rows if row["is_future"])
    assert len(set(future)) == 168
    assert future[0] == dt.datetime(2024, 3, 28, 23), "midnight in Berlin"
    assert future[-1] - future[0] == dt.timedelta(hours=167)
    assert sum(row["hour_of_day"] == 2 for row in rows if row["is_future"]) == 6, "Sunday the 31st has no 2 o'clock"
    assert sum(row["actual_minutes"] or 0 for row in rows) == pytest.approx(6.0), "of the two in the weeks before"


@pytest.mark.parametrize("count", [0, 1, 2])
def test_little_or_nothing_to_learn_from(spark: SparkSession, tmp_path: Path, count: int) -> None:
    plays = [play(i, f"2024-01-0{i + 1} 10:00:00") for i in range(count)]
    fitted = hourly_listening(listening(spark, plays), users(spark, plays))
    assert fitted.metrics == []
    rows = forecasts(spark, tmp_path / "m", fitted, plays)
    assert len(rows) == (168 if count else 0)
    assert {row["published_minutes"] for row in rows} <= {"hour-of-week mean"}
    assert all(row["predicted_energy"] is None for row in rows), "no energy is made up"


def test_one_quiet_listen_does_not_make_an_hour_quiet(spark: SparkSession, tmp_path: Path) -> None:
    """Too little to judge by: 70 listens of energy 0.7 and one of 0, on a Tuesday at nine."""
    evenings = [dt.datetime(2024, 1, 1, 20) + dt.timedelta(days=day) for day in range(70)]
    days = [*((at, 0.7) for at in evenings), (dt.datetime(2024, 1, 9, 9), 0.0)]
    plays = [
        play(i, at.isoformat(sep=" "), play_id=f"p{i:02d}", energy=energy, ms_played=3 * MINUTE)
        for i, (at, energy) in enumerate(sorted(days))
    ]
    fitted = hourly_listening(listening(spark, plays), users(spark, plays))
    assert fitted.parameters["published"]["real energy"] == "hour-of-week mean, drawn to the listener's own"
    rows = forecasts(spark, tmp_path / "m", fitted, plays)
    future = {(r["day_of_week"], r["hour_of_day"]): r["predicted_energy"] for r in rows if r["is_future"]}
    own = 70 * 0.7 / 71
    assert future[2, 9] == pytest.approx((0.0 + 20 * own) / 21)
    assert future[3, 4] == pytest.approx(own), "never listened then: what is usual"
