"""Every name of the history, the catalogue, the dislikes and the corrections, folded once: what keys are made of."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music import recordings
from music.names import SEPARATOR, fold, shown
from silver.local_files import with_names_of_local_files

NAMED = ("track_name", "artist_name", "album_name")
CORRECTED = ("from_artist", "from_title", "from_album", "to_artist", "to_title", "to_album")


def names_in_files(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The names in the changed files, and how these are shown: one row (name) each."""
    in_files = rows.join(F.broadcast(changed), on="file_hash", how="left_semi")
    return _as_shown_too(_spelled(with_names_of_local_files(in_files), *NAMED))


@table(
    "silver.names",
    key=["name"],
    scope="entity",
    schema=[
        column("name", "string", "artist, title or album, as a source spells it"),
        column(
            "folded",
            "string",
            "without case, kinds of blanks and quotes, and , . ' \" ! ?; null if blank, as it is if it says nothing (none, nan)",
        ),
        column("plain_title", "string", "as a title: also without marks of remasters, edits, featured artists and films"),
        column("lead_artist", "string", "as a credit: the artist who is named first"),
        column("is_placeholder", "boolean", "stands for a name that nobody knew, such as Unknown Artist", nullable=False),
    ],
    touches={"listening_history": (names_in_files, "listening_history")},
    is_lookup=True,
)
def names(listening_history: DataFrame, catalogue: DataFrame, dislike_rows: DataFrame, corrections: DataFrame) -> DataFrame:
    """One row per distinct spelling of a name."""
    listed = catalogue.select("track_name", "album_name", F.explode("artists").alias("artist_name"))
    disliked = dislike_rows.select(F.col("artist").alias("artist_name"), F.col("track").alias("track_name"))
    spelled = (
        _spelled(with_names_of_local_files(listening_history), *NAMED)
        .unionByName(_spelled(listed, *NAMED))
        .unionByName(_spelled(disliked, "artist_name", "track_name"))
        .unionByName(_spelled(corrections, *CORRECTED))
        # Several artists in one cell, as a line that splits a credit has them.
        .unionByName(corrections.select(F.explode(F.split("to_artist", ";")).alias("name")).distinct())
    )
    parts = _as_shown_too(spelled).select("name", F.split(_folded(F.col("name")), SEPARATOR).alias("parts"))
    told = [F.nullif(F.get("parts", F.lit(place)), F.lit("")).alias(name) for place, name in enumerate(_FORMS)]
    return parts.select("name", *told, (F.get("parts", F.lit(len(_FORMS))) == "1").alias("is_placeholder"))


_FORMS = ("folded", "plain_title", "lead_artist")


def _spelled(rows: DataFrame, *columns: str) -> DataFrame:
    """One row (name) per distinct value of the columns."""
    return rows.select(F.explode(F.array(*columns)).alias("name")).where("name IS NOT NULL").distinct()


def _as_shown_too(spelled: DataFrame) -> DataFrame:
    """The names and the names without blanks around them: tables that show a name look it up too."""
    both = spelled.select(F.explode(F.array(F.col("name"), shown(F.col("name")))).alias("name"))
    return both.where("name IS NOT NULL").distinct()


def _folded(name: Column) -> Column:
    """The forms of a name, joined: the project's one function in Python, because no engine folds Unicode in full."""
    return F.udf(_forms, "string", useArrow=False)(name)


def _forms(name: str) -> str:
    folded = fold(name) or ""
    own = recordings.own_form(name, folded)
    # Most names have no mark and one artist, and need not be folded again.
    parts = (recordings.without_marks(name), recordings.first_credit(name))
    plain, lead = (folded if part is name else fold(part) or folded for part in parts)
    return SEPARATOR.join([own, plain, lead, "1" if recordings.is_placeholder(folded) else "0"])
