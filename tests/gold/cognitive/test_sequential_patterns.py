"""Patterns in sessions: support, confidence and lift by hand, against brute force, real shuffles and MLlib."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from pyspark.sql import SparkSession

import silver.listening_with_features  # noqa: F401
from gold.cognitive.sequential_patterns import sequential_patterns
from lakehouse.engine.java import java_problem
from lakehouse.settings import PROJECT_ROOT
from tests.frames import collect, frame, play

TABLE = "gold.sequential_patterns"
MOODS = {"H": "Happy_Energetic", "S": "Sad_Calm", "N": "Neutral"}
Sessions = list[str]


def plays_of(sessions: Sessions, user: str = "me") -> list[dict[str, Any]]:
    """A listen a minute per letter, a session an hour; every mood has an artist of its own."""
    return [
        play(
            0,
            f"2024-{1 + number // 480:02d}-{1 + number // 20 % 24:02d} {number % 20:02d}:{place:02d}:00",
            user_id=user,
            play_id=f"{number:04d}-{place:02d}",
            session_id=f"s{number}",
            mood_category=MOODS[letter],
            artist_key=f"key {letter}",
            artist_name=f"Artist {letter}",
        )
        for number, session in enumerate(sessions)
        for place, letter in enumerate(session)
    ]


def run(spark: SparkSession, plays: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    rows = collect(TABLE, sequential_patterns(frame(spark, "silver.listening_with_features", plays)))
    return {(row["pattern_type"], row["pattern"]): row for row in rows}


def supports(sessions: Sessions, most: int = 20) -> Counter[str]:
    """Sessions that hold each pattern of two and three letters, by brute force."""
    found: Counter[str] = Counter()
    for session in sessions:
        cut = session[:most]
        found.update({"".join(p) for length in (2, 3) for p in itertools.combinations(cut, length)})
    return found


def some_sessions(seed: int, number: int = 60) -> Sessions:
    draw = random.Random(seed)  # noqa: S311
    return ["".join(draw.choices("HSN", (3, 2, 1), k=draw.randint(1, 8))) for _ in range(number)]


def test_support_confidence_and_lift_by_hand(spark: SparkSession) -> None:
    """Ten sessions HS and two of H: H S is held by 10 of 12; by chance, with shares 12/22 and 10/22, by 10 * 0.248."""
    got = run(spark, plays_of(["HS"] * 10 + ["H"] * 2))
    assert set(got) == {("mood", "Happy_Energetic > Sad_Calm"), ("artist", "Artist H > Artist S")}
    row = got["mood", "Happy_Energetic > Sad_Calm"]
    assert (row["occurrence_count"], row["sessions"], row["length"], row["rank"]) == (10, 12, 2, 1)
    assert row["support"] == pytest.approx(10 / 12)
    assert row["confidence"] == pytest.approx(10 / 12), "12 sessions hold H"
    assert row["expected_count"] == pytest.approx(10 * 12 / 22 * 10 / 22)
    assert row["lift"] == pytest.approx(4.0333, abs=1e-4)
    assert (row["is_significant"], row["reverse_count"]) == (True, None)
    assert row["items"] == ["Happy_Energetic", "Sad_Calm"]
    assert got["artist", "Artist H > Artist S"]["items"] == ["key H", "key S"]


def test_supports_are_those_of_brute_force_in_any_order_of_rows(spark: SparkSession) -> None:
    sessions = [*some_sessions(1), "HSN" * 12]
    plays = plays_of(sessions)
    got = run(spark, random.Random(3).sample(plays, len(plays)))  # noqa: S311
    wanted = {pattern: n for pattern, n in supports(sessions).items() if n >= 5}
    for kind, name in (("mood", MOODS), ("artist", {letter: f"Artist {letter}" for letter in MOODS})):
        found = {pattern: row["occurrence_count"] for (k, pattern), row in got.items() if k == kind}
        assert found == {" > ".join(name[letter] for letter in pattern): n for pattern, n in wanted.items()}
    assert got == run(spark, plays)


def test_chance_is_the_mean_over_shuffles(spark: SparkSession) -> None:
    sessions = some_sessions(4, 200)
    got = run(spark, plays_of(sessions))
    draw, letters, rounds = random.Random(7), list("".join(sessions)), 150  # noqa: S311
    totals: Counter[str] = Counter()
    for _ in range(rounds):
        draw.shuffle(letters)
        rest = iter(letters)
        totals.update(supports(["".join(itertools.islice(rest, len(session))) for session in sessions]))
    for pattern in ("HS", "SH", "HH", "HSH", "HHH", "HSN"):
        row = got["mood", " > ".join(MOODS[letter] for letter in pattern)]
        assert row["expected_count"] == pytest.approx(totals[pattern] / rounds, rel=0.04), pattern
        assert not row["is_significant"]


def test_one_play_nothing_and_unknown_moods(spark: SparkSession) -> None:
    assert run(spark, []) == {}
    assert run(spark, plays_of(["H"])) == {}
    unknown = [row | {"mood_category": None, "artist_key": None} for row in plays_of(["HS"] * 6)]
    assert run(spark, unknown) == {}


MLLIB = """
import json, sys
from pyspark.ml.fpm import PrefixSpan
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
sessions = json.loads(sys.stdin.read())
rows = spark.createDataFrame([([[letter] for letter in session],) for session in sessions], "sequence array<array<string>>")
found = PrefixSpan(minSupport=5 / len(sessions), maxPatternLength=3).findFrequentSequentialPatterns(rows)
print(json.dumps({"".join(i for [i] in row.sequence): row.freq for row in found.collect() if len(row.sequence) > 1}))
spark.stop()
"""


@pytest.mark.spark
def test_supports_are_those_of_mllib(spark: SparkSession) -> None:
    if problem := java_problem():
        pytest.skip(problem)
    sessions = some_sessions(9)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SPARK_")}
    done = subprocess.run(
        [sys.executable, "-c", MLLIB],
        input=json.dumps(sessions),
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT_ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    wanted = json.loads(done.stdout.strip().splitlines()[-1])
    got = {p: row["occurrence_count"] for (kind, p), row in run(spark, plays_of(sessions)).items() if kind == "mood"}
    assert got == {" > ".join(MOODS[letter] for letter in pattern): n for pattern, n in wanted.items()}
