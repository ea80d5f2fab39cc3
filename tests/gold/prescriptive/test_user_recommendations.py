"""The rules every list keeps, and whether each reason is true of the plays."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.declare import Model
from tests.frames import key_of, recording_of
from tests.gold.prescriptive.recommended import (
    CATALOGUE,
    FACTORS,
    NEIGHBOURS,
    SIMILAR,
    heard,
    models_in,
    numbered,
    plays,
    recommend,
)

TRACKS = {row["track_id"]: row for row in CATALOGUE}
Lists = dict[tuple[str, str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> dict[str, Model]:
    return models_in(Path(tmp_path_factory.mktemp("artifacts")), spark)


@pytest.fixture(scope="module")
def everything(spark: SparkSession, models: dict[str, Model]) -> list[dict[str, Any]]:
    return recommend(spark, models)


def by_list(rows: list[dict[str, Any]]) -> Lists:
    found: Lists = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["rank"]):
        found[row["user_id"], row["list"]].append(row)
    return found


def recording(row: dict[str, Any]) -> str:
    return recording_of(row["primary_artist"], row["track_name"].replace(" - Remastered 2011", ""))


def test_every_listener_gets_full_lists_even_with_ten_plays_or_none(everything: list[dict[str, Any]]) -> None:
    lists = by_list(everything)
    for user in ("me", "ten", "none", "synthetic:1"):
        assert len(lists[user, "discover"]) == 50, user
        assert len(lists[user, "daily_mix"]) == 50, user
    assert ("none", "rediscover") not in lists
    assert {row["source"] for row in lists["none", "discover"]} == {"popular"}
    assert {row["generated_at"] for row in lists["none", "discover"]} == {None}


def test_lists_keep_their_rules(everything: list[dict[str, Any]]) -> None:
    played = {(row["user_id"], recording_of(row["artist_name"], row["track_name"])) for row in plays()}
    assert {name for _, name in by_list(everything)} == {"discover", "daily_mix", "rediscover"}
    for (user, name), rows in by_list(everything).items():
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert max(Counter(row["primary_artist"] for row in rows).values()) <= 2
        assert max(Counter(recording(row) for row in rows).values()) == 1
        known = [(user, recording(row)) in played for row in rows]
        assert known == [row["source"] == "heard" for row in rows]
        if name == "discover":
            assert not any(known)
        if name == "rediscover":
            assert all(known)
    assert len({row["recommendation_id"] for row in everything}) == len(everything)


def test_rediscover_is_loved_willingly_and_quiet_for_sixty_days(spark: SparkSession, models: dict[str, Model]) -> None:
    rows = [heard("me", 4, day) for day in (0, 1, 2)]
    rows += [heard("me", 8, day) for day in (0, 1, 141)]
    rows += [heard("me", 12, day) for day in (0, 1, 139)]
    rows += [heard("me", 16, day) for day in (0, 1)]
    rows += [heard("me", 20, day, is_skip=day > 2) for day in (0, 1, 2, 3, 4, 5)]
    rows += [heard("me", 24, 200)]
    lists = by_list(recommend(spark, models, numbered(rows)))
    # As of the end of day 200: day 141 began 59 days and some hours before, day 139 more than 60.
    assert {row["track_id"] for row in lists["me", "rediscover"]} == {"t004", "t012"}


def test_the_mix_is_of_ten_tracks_seven_known_ones(spark: SparkSession, models: dict[str, Model]) -> None:
    rows = [heard("me", number, day) for number in range(80) for day in (0, 3)]
    mix = by_list(recommend(spark, models, numbered(rows)))["me", "daily_mix"]
    assert sum(row["source"] == "heard" for row in mix) == 35
    for first in (0, 10, 20):
        assert 6 <= sum(row["source"] == "heard" for row in mix[first : first + 10]) <= 8


def test_dislikes_and_explicit_tracks_are_left_out(
    spark: SparkSession, models: dict[str, Model], everything: list[dict[str, Any]]
) -> None:
    unwanted = tuple((row["user_id"], row["track_id"]) for row in everything if row["user_id"] == "me" and row["rank"] <= 10)
    left = recommend(spark, models, dislikes=(*unwanted, ("stranger", "t000")))
    assert not {(row["user_id"], row["track_id"]) for row in left} & set(unwanted)
    assert len(by_list(left)["stranger", "discover"]) == 50, "a listener only a dislikes file tells of"
    assert any(TRACKS[row["track_id"]]["explicit"] for row in everything)
    clean = recommend(spark, models, exclude_explicit=True)
    assert not any(TRACKS[row["track_id"]]["explicit"] for row in clean)


def test_real_listeners_never_get_what_synthetic_ones_say_and_do_not_change_with_them(
    spark: SparkSession, models: dict[str, Model], everything: list[dict[str, Any]]
) -> None:
    mine = [row for row in everything if row["user_id"] == "me"]
    assert not {"t191", "t163"} & {row["track_id"] for row in mine if row["source"] in ("listeners", "collaborative")}
    assert any(row["source"] == "collaborative" for row in mine)
    alone = recommend(spark, models, [row for row in plays() if row["user_id"] == "me"], listeners=("me",))
    assert alone == mine


def test_without_java_the_lists_are_as_long(spark: SparkSession, models: dict[str, Model]) -> None:
    rows = recommend(spark, models, java=False)
    assert not any(row["source"] == "collaborative" for row in rows)
    assert {len(found) for (_, name), found in by_list(rows).items() if name == "discover"} == {50}


def test_order_of_plays_changes_nothing(spark: SparkSession, models: dict[str, Model], everything: list[dict[str, Any]]) -> None:
    rows = plays()
    random.Random(4).shuffle(rows)  # noqa: S311
    again = recommend(spark, models, rows)
    assert [row | {"score": 0} for row in again] == [row | {"score": 0} for row in everything]
    assert [row["score"] for row in again] == pytest.approx([row["score"] for row in everything])


def test_every_reason_is_true(everything: list[dict[str, Any]]) -> None:
    listens: dict[str, Counter[str]] = defaultdict(Counter)
    for row in plays():
        if row["is_listen"]:
            name, artist = recording_of(row["artist_name"], row["track_name"]), row["artist_key"]
            listens[row["user_id"]].update([f"r:{name}", f"a:{artist}", "all", *[f"g:{genre}" for genre in row["genres"]]])
    similar = {(row["track_id"], row["similar_track_id"]) for row in SIMILAR}
    by_recording = {recording(row | {"primary_artist": row["artists"][0]}): row["track_id"] for row in CATALOGUE[:200]}
    sources = Counter(row["source"] for row in everything)
    assert set(sources) == {"content", "listeners", "collaborative", "artist", "genre", "popular", "heard"}
    for row in everything:
        check(row, listens[row["user_id"]], similar, by_recording)


def check(row: dict[str, Any], listens: Counter[str], similar: set[tuple[str, str]], by_recording: dict[str, str]) -> None:
    """Every figure of a row's reason, worked out again from plays, catalogue and models."""
    source, text, seed, track_id = row["source"], row["reason"], row["seed"], row["track_id"]
    population = "synthetic" if row["user_id"].startswith("synthetic:") else "real"
    count = row["seed_count"]
    told = {1: "once", 2: "twice"}.get(count, f"{count} times")
    if source == "heard":
        assert count == listens[f"r:{recording(row)}"]
        last = max(p["played_at"] for p in plays() if p["user_id"] == row["user_id"] and p["track_id"] == track_id)
        assert f"{last:%Y-%m-%d}" in text
    elif source in ("content", "listeners"):
        assert count == listens[f"r:{seed}"] > 0
        named = TRACKS[by_recording[seed]]
        assert f"“{named['track_name']}” by {named['artists'][0]}" in text
        if source == "content":
            assert (by_recording[seed], track_id) in similar
        else:
            pairs = {(n["population"], n["track_id"], n["neighbour_id"]): n["together"] for n in NEIGHBOURS}
            assert row["support"] == pairs[population, by_recording[seed], track_id]
            assert f"{row['support']} listeners" in text
    elif source == "artist":
        assert seed == key_of(row["primary_artist"])
        assert count == listens[f"a:{seed}"] > 0
        assert f"By {row['primary_artist']}," in text
    elif source == "genre":
        assert seed in TRACKS[track_id]["genres"]
        assert count == listens[f"g:{seed}"] > 0
        assert row["support"] == TRACKS[track_id]["popularity"]
        assert f"({row['support']} of 100) in {seed}, the genre of {count} of your {listens['all']} listens" in text
    elif source == "collaborative":
        factors = {(f["population"], f["user_id"], f["track_id"]): f for f in FACTORS}
        found = factors[population, row["user_id"], track_id]
        assert f"among {found['of_listeners']} listeners; {found['listeners']} of them" in text
    else:
        assert row["support"] == TRACKS[track_id]["popularity"]
        assert f"{row['support']} of 100" in text
    if source in ("heard", "content", "listeners", "artist"):
        assert told in text


NEAR = (
    ("Artist 4", "Artist 33", 1.0),
    ("Artist 4", "Artist 8", 0.9),
    ("Artist 7", "Artist 33", 0.1),
    ("Artist 2", "Artist 34", 1.0),
)


def test_artists_like_favourite_ones_are_a_source_behind_a_setting(
    spark: SparkSession, models: dict[str, Model], everything: list[dict[str, Any]]
) -> None:
    assert not any(row["source"] == "similar_artist" for row in everything)
    rows = recommend(spark, models, near=NEAR)
    found = [row for row in rows if row["source"] == "similar_artist"]
    # Artist 8 was heard already, synthetic listeners hear nothing of it, and two tracks of an artist are the most.
    assert {(row["user_id"], row["list"]) for row in found} <= {("me", "discover"), ("me", "daily_mix")}
    assert {row["track_id"] for row in found if row["list"] == "discover"} == {"t073", "t193"}
    assert {row["seed"] for row in found} == {key_of("Artist 4")}
    listens = sum(row["artist_name"] == "Artist 4" and row["user_id"] == "me" for row in plays())
    assert {row["reason"] for row in found} == {f"By an artist like Artist 4, to whom you listened {listens} times"}
    others = [row for row in rows if row["user_id"] != "me"]
    assert others == [row for row in everything if row["user_id"] != "me"]
