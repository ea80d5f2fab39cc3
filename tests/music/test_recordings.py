"""Which spellings of a title are one recording, and which are another."""

from __future__ import annotations

import time

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from music.recordings import recording

ONE = [
    ("Runaway Horses - Abridged", "Runaway Horses (feat. Phoebe Bridgers) - Abridged"),
    ("Juke Jam", "Juke Jam [feat. Justin Bieber & Towkio]"),
    ("La Llevo Al Cielo", "La Llevo Al Cielo (Ft. Ñengo Flow)"),
    ("Rockabilly Rhythm", "Rockabilly Rhythm - Bonus Track"),
    ("Kesariya", 'Kesariya (From "Brahmastra")'),
    ("Kesariya", "Kesariya - From “Brahmastra”"),
    ("In Summer", 'In Summer - From "Frozen"/Soundtrack Version'),
    ("Hot Stuff", "Hot Stuff - Single Version"),
    ("Hot Stuff", "HOT STUFF (Album Version) "),
    ("Yesterday", "Yesterday - Remastered 2009"),
    ("Yesterday", "Yesterday (2015 Remaster)"),
    ("Yesterday", "Yesterday - 2004 Digital Remaster"),
    ("Yesterday", "Yesterday - Mono / 2009 Remastered Version"),
    ("Yesterday", "Yesterday - Single Version / Remastered"),
    ("Yesterday", "Yesterday (2022 - Remaster)"),
    ("Yesterday", "Yesterday - Remasterizado en 2001"),
    ("Gloria - Live", "Gloria - Live; 2004 Remaster"),
    ("Here Comes The Sun - 2019 Mix", "Here Comes The Sun - Remastered 2009"),
    ("People Are Strange", "People Are Strange - New Stereo Mix"),
    ("She's A Rainbow", "She's A Rainbow - Full Version"),
    ("Good Luck - PS1 Remix", "Good Luck (feat. Pia Mia) - PS1 Remix"),
]
APART = [
    "- Live",
    "- Live; 2004 Remaster",
    "- Remix",
    "(Acoustic)",
    "- Instrumental",
    "- Mix",
    "- 12 Inch Mix",
    "- Radio Edit",
    "(Taylor's Version)",
]


def keys(spark: SparkSession, titles: list[str]) -> list[str]:
    rows = spark.createDataFrame([(number, title) for number, title in enumerate(titles)], "number int, title string")
    found = rows.select("number", recording(F.lit("Someone"), F.col("title"), F.lit("id")).alias("recording"))
    return [row["recording"] for row in sorted(found.collect(), key=lambda row: row["number"])]


def test_ways_of_release_features_and_films_are_no_other_recording(spark: SparkSession) -> None:
    found = keys(spark, [title for pair in ONE for title in pair])
    differing = [pair for pair, first, second in zip(ONE, found[::2], found[1::2], strict=True) if first != second]
    assert differing == []


@pytest.mark.parametrize("mark", APART)
def test_other_cuts_stay_apart(spark: SparkSession, mark: str) -> None:
    plain, other = keys(spark, ["Song", f"Song {mark}"])
    assert plain != other


def test_a_title_that_is_nothing_but_marks_is_itself(spark: SparkSession) -> None:
    assert keys(spark, ["(feat. Nobody)"]) == ["id"]
    assert len(set(keys(spark, ["Stereo", "Mono", "Bonus Track", "Remastered"]))) == 4


def test_a_title_made_to_backtrack_does_not(spark: SparkSession) -> None:
    started = time.monotonic()
    keys(spark, ["Song" + " - mono remaster" * 200 + " x", "(feat. " * 2000])
    assert time.monotonic() - started < 20
