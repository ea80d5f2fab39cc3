"""What a listener's corrections make of the kept plays: other names, another time, or no part in statistics."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from music.corrections import ALBUM, ARTIST, EXCLUDE, MOVE, OWNED_BY_ALL, PLAY, RECORDING
from music.names import album_key, artist_key, with_folded
from silver.correction_lines import match_key
from silver.parsing import local_track_id

FORMS = {
    "track_name": {"title": "plain_title"},
    "artist_name": {"artist": "folded"},
    "album_name": {"album": "folded"},
}
FURTHER = ("further_artists", "further_artist_keys")
LINE = ("action", "to_artist", "further_artists", "to_title", "to_album", "to_played_at")


def listeners_of_owners(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The listeners whose plays the lines of the changed owners may correct: one row (user_id) each."""
    owners = F.broadcast(changed.withColumnRenamed("owner", "user_id"))
    everyone = F.broadcast(changed.where(F.col("owner") == OWNED_BY_ALL))
    listeners = rows.select("user_id").distinct()
    own = listeners.join(owners, on="user_id", how="left_semi")
    return own.unionByName(listeners.crossJoin(everyone).select("user_id")).distinct()


def lines_in_use(lines: DataFrame) -> DataFrame:
    """The lines that can be used."""
    return lines.where(F.col("problem").isNull())


def corrected(plays: DataFrame, lines: DataFrame, names: DataFrame) -> DataFrame:
    """One row per play that a line changes: `row_id` and, each null where it stays, what the play becomes.

    `line` is the line that names or excludes it, `moved_by` the one that moves it, both as file:number.
    `plays` (user_id, row_id, names, times) are kept plays. Of the lines that fit a play the first one counts, a listener's own
    before everybody's: one that changes names or leaves the play out, and one that moves it. What a line makes of a play is not
    looked up again, so lines do not chain.
    """
    used = lines_in_use(lines)
    matched = _matched(_folded(plays, used, names), used)
    is_move = F.col("action") == MOVE
    renamed = _first(matched.where(~is_move))
    moved = _first(matched.where(is_move)).select("row_id", "to_played_at", F.col("line").alias("moved_by"))
    joined = renamed.drop("to_played_at").join(moved, on="row_id", how="full")
    return _renamed(joined, names)


def _folded(plays: DataFrame, lines: DataFrame, names: DataFrame) -> DataFrame:
    """The plays of listeners with lines, with folded names."""
    owners = lines.select(F.col("owner").alias("user_id")).distinct()
    is_for_all = not lines.where(F.col("owner") == OWNED_BY_ALL).isEmpty()
    concerned = plays if is_for_all else plays.join(F.broadcast(owners), on="user_id", how="left_semi")
    return with_folded(concerned, names, FORMS)


def _matched(plays: DataFrame, lines: DataFrame) -> DataFrame:
    """One row per play and line that fits it."""
    second = F.floor(F.unix_micros("played_at") / F.lit(1_000_000)).cast("bigint")
    keys = F.array(
        match_key(ARTIST, F.col("artist")),
        match_key(ALBUM, F.col("artist"), F.col("album")),
        match_key(RECORDING, F.col("artist"), F.col("title")),
        match_key(PLAY, second),
        match_key("any"),
    )
    conditions = lines.select(
        *["owner", "place", "match_key", "not_before", "before", *LINE],
        F.concat_ws(":", "file_name", F.col("line").cast("string")).alias("line"),
        *[F.col(name).alias(f"line_{name}") for name in ("artist", "title", "album")],
    )
    # By owner too: lines of others are many, and none of them fits.
    owned = plays.withColumn("owner", F.explode(F.array(F.col("user_id"), F.lit(OWNED_BY_ALL))))
    keyed = owned.withColumn("match_key", F.explode(keys))
    joined = keyed.join(F.broadcast(conditions), on=["owner", "match_key"], how="inner")
    fits = F.lit(True)
    for name in ("artist", "title", "album"):
        fits &= F.col(f"line_{name}").isNull() | F.col(f"line_{name}").eqNullSafe(F.col(name))
    fits &= F.coalesce(F.col("played_at") >= F.col("not_before"), F.lit(True))
    fits &= F.coalesce(F.col("played_at") < F.col("before"), F.lit(True))
    return joined.where(fits)


def _first(matched: DataFrame) -> DataFrame:
    """One row per play: the line that is tried first."""
    in_order = Window.partitionBy("row_id").orderBy((F.col("owner") == OWNED_BY_ALL).cast("int"), "place")
    return matched.withColumn("nth", F.row_number().over(in_order)).where("nth = 1").drop("nth")


def _renamed(rows: DataFrame, names: DataFrame) -> DataFrame:
    """The rows with their new names, and the keys that follow from them."""
    is_excluded = F.coalesce(F.col("action") == EXCLUDE, F.lit(False))
    is_named = F.col("action").isNotNull() & ~is_excluded
    told = rows.withColumns(
        {
            "is_excluded": is_excluded,
            "artist_name": F.when(is_named, F.coalesce("to_artist", "artist_name")),
            "track_name": F.when(is_named, F.coalesce("to_title", "track_name")),
            "album_name": F.when(is_named, F.coalesce("to_album", "album_name")),
            "further_artists": F.when(is_named & (F.size("further_artists") > 0), F.col("further_artists")),
        }
    ).withColumnsRenamed({"artist": "artist_before", "title": "title_before"})
    folded = with_folded(told.drop("album"), names, FORMS).join(_further_keys(told, names), on="row_id", how="left")
    is_other = ~(F.col("artist").eqNullSafe(F.col("artist_before")) & F.col("title").eqNullSafe(F.col("title_before")))
    # Its own id where it is another recording now: the id that was played belongs to the one it was.
    track_id = F.when(is_named & is_other, local_track_id(F.col("artist"), F.col("title")))
    columns: Sequence[Column | str] = (
        *("row_id", "is_excluded", "track_name", "artist_name", "album_name", *FURTHER),
        F.when(is_named, artist_key(F.col("artist"))).alias("artist_key"),
        F.when(is_named, album_key(F.col("artist"), F.col("album"))).alias("album_key"),
        track_id.alias("track_id"),
        F.col("to_played_at").alias("played_at"),
        *("line", "moved_by"),
    )
    return folded.select(*columns)


def _further_keys(rows: DataFrame, names: DataFrame) -> DataFrame:
    """One row (row_id, further_artist_keys) per row with further artists: their keys, in the same order."""
    artists = rows.select("row_id", F.posexplode("further_artists").alias("place", "name"))
    folded = with_folded(artists, names, {"name": {"folded": "folded"}})
    key = F.struct("place", artist_key(F.col("folded")).alias("key"))
    gathered = folded.groupBy("row_id").agg(F.array_sort(F.collect_list(key)).alias("keys"))
    return gathered.select("row_id", F.transform("keys", lambda one: one["key"]).alias("further_artist_keys"))
