"""The dislikes in force, entry by entry: who dislikes what, and which tracks match."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.names import artist_key, name_key, with_folded
from silver.files_in_force import in_force
from silver.parsing import spotify_id

DISPOSITIONS = ("kept", "unmatched", "quarantined")
KINDS = ("track", "artist")
LOCAL_ID = r"^local:[0-9a-f]{22}$"
ENTRY = ("user_id", "file_name", "row_number")
FORMS = {"artist": {"artist_folded": "folded"}, "track_name": {"title_plain": "plain_title"}}


@table(
    "silver.dislike_entries",
    key=["user_id", "file_name", "row_number"],
    scope="user",
    schema=[
        column("user_id", "string", "listener that the file belongs to"),
        column("file_name", "string", "path in the landing folder; the last known path if the file is gone"),
        column("row_number", "bigint", "position of the row in its file, from 1"),
        column("file_hash", "string", "SHA-256 of the file's content", nullable=False),
        column(
            "disposition",
            "string",
            "kept, unmatched (no track or artist with that name) or quarantined",
            nullable=False,
            one_of=DISPOSITIONS,
        ),
        column(
            "reason",
            "string",
            "unknown_track, unknown_artist, not_a_track_id, title_without_artist or empty_row; null for kept entries",
        ),
        column("kind", "string", "track, or artist for all tracks by that artist; null for quarantined entries", one_of=KINDS),
        column("told", "string", "entry as the file has it: the id, or artist and title"),
        column("track_ids", "array<string>", "ids of the matching tracks, sorted; empty unless kept", nullable=False),
    ],
    rules=[
        satisfies(
            "what is not kept has a reason",
            ["disposition", "reason"],
            lambda: (F.col("disposition") == "kept") == F.col("reason").isNull(),
        ),
        satisfies(
            "kept is what means a track",
            ["disposition", "track_ids"],
            lambda: (F.col("disposition") == "kept") == (F.size("track_ids") > 0),
        ),
        satisfies("every entry means a track", ["disposition"], lambda: F.col("disposition") == "kept", "WARN"),
    ],
)
def dislike_entries(dislike_rows: DataFrame, ingestion_state: DataFrame, tracks: DataFrame, names: DataFrame) -> DataFrame:
    """One row per row of a dislikes file in force.

    A recording has several ids, so an entry matches all tracks with the same folded title and any of the credited
    artists. An artist without a title matches every track that credits the artist. An id without a track matches itself.
    """
    rows = dislike_rows.select("file_hash", "row_number", "track_id", "artist", F.col("track").alias("track_name"))
    entries = _parsed(
        with_folded(rows.join(F.broadcast(in_force(ingestion_state, "dislike_rows")), on="file_hash", how="inner"), names, FORMS)
    )
    credits = with_folded(tracks.select("track_id", "track_name", F.explode("artists").alias("artist")), names, FORMS)
    keys = credits.select("track_id", F.explode(F.array(_name_key(), _artist_key())).alias("wanted")).where("wanted IS NOT NULL")
    meant = F.broadcast(_wanted(entries, credits)).join(keys, on="wanted", how="inner")
    found = meant.groupBy(*ENTRY).agg(F.collect_set("track_id").alias("found"))
    none = F.array().cast("array<string>")
    own = F.when(F.col("id").isNotNull(), F.array("id")).otherwise(none)
    matched = entries.join(F.broadcast(found), on=list(ENTRY), how="left").withColumn(
        "track_ids", F.array_sort(F.array_union(own, F.coalesce("found", none)))
    )
    is_matched = F.size("track_ids") > 0
    unknown = F.when(~is_matched, F.concat(F.lit("unknown_"), F.col("kind")))
    return matched.select(
        *[*ENTRY, "file_hash"],
        F.when(F.col("problem").isNotNull(), "quarantined").when(is_matched, "kept").otherwise("unmatched").alias("disposition"),
        F.coalesce("problem", unknown).alias("reason"),
        *["kind", "told", "track_ids"],
    )


def _parsed(rows: DataFrame) -> DataFrame:
    """The entries with `id` (of a track, null without one), `kind`, `problem` and `told`."""
    given = F.nullif(F.trim("track_id"), F.lit(""))
    typed = rows.select(
        *[*ENTRY, "file_hash", "artist", "track_name", *FORMS["artist"], *FORMS["track_name"]],
        given.alias("given"),
        F.coalesce(spotify_id(given), F.when(given.rlike(LOCAL_ID), given)).alias("id"),
        F.col("artist_folded").isNotNull().alias("has_artist"),
        F.col("title_plain").isNotNull().alias("has_title"),
    )
    names = F.nullif(F.concat_ws(" - ", F.trim("artist"), F.when(F.col("has_title"), F.trim("track_name"))), F.lit(""))
    is_by_name = F.col("id").isNull() & F.col("has_artist")
    kind = F.when(F.col("id").isNotNull() | (is_by_name & F.col("has_title")), "track").when(is_by_name, "artist")
    problem = F.when(F.col("given").isNotNull(), "not_a_track_id").when(F.col("has_title"), "title_without_artist")
    return typed.select(
        *[*ENTRY, "file_hash", "artist_folded", "title_plain", "id"],
        kind.alias("kind"),
        F.when(kind.isNull(), problem.otherwise("empty_row")).alias("problem"),
        F.when(is_by_name, names).otherwise(F.coalesce("given", names)).alias("told"),
    )


def _wanted(entries: DataFrame, credits: DataFrame) -> DataFrame:
    """One row (an entry's key, wanted) per entry that names tracks: `wanted` is the hash of the names to match."""
    by_id = entries.where("id IS NOT NULL").select(*ENTRY, F.col("id").alias("track_id"))
    named = credits.select("track_id", _name_key().alias("wanted"))
    of_ids = F.broadcast(by_id).join(named, on="track_id", how="inner").select(*ENTRY, "wanted")
    wanted = F.when(F.col("kind") == "artist", _artist_key()).otherwise(_name_key())
    by_name = entries.where("id IS NULL AND kind IS NOT NULL").select(*ENTRY, wanted.alias("wanted"))
    return of_ids.unionByName(by_name).where("wanted IS NOT NULL")


def _name_key() -> Column:
    return name_key(F.col("artist_folded"), F.col("title_plain"))


def _artist_key() -> Column:
    return artist_key(F.col("artist_folded"))
