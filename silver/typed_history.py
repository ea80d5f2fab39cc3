"""The history with typed values, the reason why a row cannot be a play, and the hashes that identify duplicates."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.source_facts import SOURCE_FACTS, SourceFacts
from lakehouse.declare import column, table
from music.names import album_key, artist_key, hashed, name_key
from silver.duplicates import content_hash, shared_hash
from silver.parsing import parse_boolean, parsed


@table(
    "silver.typed_history",
    key=["file_hash", "row_number"],
    scope="file",
    schema=[
        column("user_id", "string", "listener", nullable=False),
        column("file_hash", "string", "file of the bronze row"),
        column("row_number", "bigint", "position of the bronze row in its file"),
        column("row_id", "string", "file and row number combined; sorts in file order", nullable=False),
        column("source", "string", "format of the file", nullable=False),
        column("source_kind", "string", "kind of source, such as export or scrobble", nullable=False),
        column("set_aside", "string", "podcast or audiobook; null for rows that name a track"),
        column("problem", "string", "why the row cannot be a play; null for valid rows"),
        column("problem_value", "string", "offending value"),
        column("played_at", "timestamp", "start, UTC; null where it cannot be determined"),
        column("ended_at", "timestamp", "end, UTC; equals the start where the length is unknown; null where that is unknown too"),
        column("ms_played", "bigint", "ms listened"),
        column("track_id", "string", "Spotify id, or local: + hash of case-folded artist and title"),
        column("spotify_id", "string", "Spotify id where the source has one"),
        column(
            "play_id",
            "string",
            "hash of the row's content, so it is the same in every export; null for rows that cannot be plays",
        ),
        column("track_name", "string", "as the source has it"),
        column("artist_name", "string", "as the source has it"),
        column("artist_key", "string", "hash of the case-folded artist name; null without a name"),
        column("album_name", "string", "as the source has it"),
        column("album_key", "string", "hash of case-folded artist and album names; null without a name"),
        column("names", "string", "hash of case-folded artist and title; null if either is missing"),
        column("platform", "string", "device or client"),
        column("conn_country", "string", "ISO 3166 country of the connection"),
        column("reason_start", "string", "why playback started"),
        column("reason_end", "string", "why playback ended"),
        column("shuffle", "boolean", "shuffle was on"),
        column("skipped", "boolean", "the source reports that the track was skipped"),
        column("offline", "boolean", "played offline"),
        column("incognito_mode", "boolean", "played in a private session"),
        column("content", "string", "hash of all source fields that bronze keeps", nullable=False),
        column("shared", "string", "hash of the fields that all formats of a source kind share", nullable=False),
    ],
)
def typed_history(listening_history: DataFrame, *, source_facts: Sequence[SourceFacts] = SOURCE_FACTS) -> DataFrame:
    """One row per row of bronze.listening_history."""
    # Padded, so that the order of ids is the order of rows; 64 bits of the file's hash tell any two files apart.
    row_id = F.concat_ws(":", F.substring("file_hash", 1, 16), F.lpad(F.col("row_number").cast("string"), 12, "0"))
    is_play = F.col("set_aside").isNull() & F.col("problem").isNull()
    return (
        parsed(listening_history, source_facts)
        .withColumn("content", content_hash())
        .select(
            "user_id",
            "file_hash",
            "row_number",
            row_id.alias("row_id"),
            "source",
            "source_kind",
            "set_aside",
            F.col("problem")["reason"].alias("problem"),
            F.col("problem")["value"].alias("problem_value"),
            F.col("start").alias("played_at"),
            F.col("end").alias("ended_at"),
            F.col("ms").alias("ms_played"),
            F.col("track").alias("track_id"),
            "spotify_id",
            F.when(is_play, hashed(F.col("user_id"), F.col("source"), F.col("content"))).alias("play_id"),
            "track_name",
            "artist_name",
            artist_key(F.col("artist_name")).alias("artist_key"),
            "album_name",
            album_key(F.col("artist_name"), F.col("album_name")).alias("album_key"),
            name_key(F.col("artist_name"), F.col("track_name")).alias("names"),
            "platform",
            "conn_country",
            "reason_start",
            "reason_end",
            *[parse_boolean(F.col(name)).alias(name) for name in ("shuffle", "skipped", "offline", "incognito_mode")],
            "content",
            shared_hash().alias("shared"),
        )
    )
