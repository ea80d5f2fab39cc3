"""The history with typed values, the reason why a row cannot be a play, and the hashes that identify duplicates."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.source_facts import SOURCE_FACTS, SourceFacts
from lakehouse.declare import column, table
from music.names import album_key, artist_key, hashed, name_key, shown, with_folded
from silver.duplicates import content_hash
from silver.local_files import with_names_of_local_files
from silver.parsing import parse_boolean, parsed, reported_reason

FOLDED = {
    "track_name": {
        "track_folded": "folded",
        "track_plain": "plain_title",
        "is_track_placeholder": "is_placeholder",
    },
    "artist_name": {
        "artist_folded": "folded",
        "artist_lead": "lead_artist",
        "is_artist_placeholder": "is_placeholder",
    },
    "album_name": {"album_folded": "folded"},
}


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
        column("track_ms", "bigint", "length of the track in ms, where the source tells a possible one"),
        column("is_to_minute", "boolean", "the source gives the time to the minute"),
        column("track_id", "string", "Spotify id, or local: + hash of folded artist and title"),
        column("spotify_id", "string", "Spotify id where the source has one"),
        column(
            "play_id",
            "string",
            "hash of the row's content, so it is the same in every export; null for rows that cannot be plays",
        ),
        column("track_name", "string", "as the source has it"),
        column("artist_name", "string", "as the source has it, without blanks around it; null if blank"),
        column("artist_key", "string", "hash of the folded artist name; null without a name"),
        column("album_name", "string", "as the source has it"),
        column("album_key", "string", "hash of folded artist and album names; null without a name"),
        column("name_key", "string", "hash of folded artist and plain title; null if either is missing or a placeholder"),
        column("lead_key", "string", "hash of the artist who is credited first and plain title; null if either is missing"),
        column("title_key", "string", "hash of the plain title; null if it is missing or a placeholder"),
        column("platform", "string", "device or client"),
        column("conn_country", "string", "ISO 3166 country of the connection"),
        column("reason_start", "string", "why playback started; null where the source does not know it"),
        column("reason_end", "string", "why playback ended; null where the source does not know it"),
        column("shuffle", "boolean", "shuffle was on"),
        column("skipped", "boolean", "the source reports that the track was skipped"),
        column("offline", "boolean", "played offline"),
        column("incognito_mode", "boolean", "played in a private session"),
        column("content", "string", "hash of all source fields that bronze keeps", nullable=False),
        column("_ingested_at", "timestamp", "start of the run that brought the row, UTC", nullable=False),
    ],
)
def typed_history(
    listening_history: DataFrame, names: DataFrame, *, source_facts: Sequence[SourceFacts] = SOURCE_FACTS
) -> DataFrame:
    """One row per row of bronze.listening_history."""
    # Padded, so that the order of ids is the order of rows; 64 bits of the file's hash tell any two files apart.
    row_id = F.concat_ws(":", F.substring("file_hash", 1, 16), F.lpad(F.col("row_number").cast("string"), 12, "0"))
    is_play = F.col("set_aside").isNull() & F.col("problem").isNull()
    artist, album, title = F.col("artist_folded"), F.col("album_folded"), F.col("track_plain")
    is_title = title.isNotNull() & ~F.col("is_track_placeholder")
    is_named = is_title & ~F.col("is_artist_placeholder")
    return (
        parsed(with_folded(with_names_of_local_files(listening_history), names, FOLDED), source_facts)
        .withColumn("content", content_hash())
        .select(
            *["user_id", "file_hash", "row_number"],
            row_id.alias("row_id"),
            *["source", "source_kind", "set_aside"],
            F.col("problem")["reason"].alias("problem"),
            F.col("problem")["value"].alias("problem_value"),
            F.col("start").alias("played_at"),
            F.col("end").alias("ended_at"),
            F.col("ms").alias("ms_played"),
            F.col("track_length").alias("track_ms"),
            "is_to_minute",
            F.col("track").alias("track_id"),
            "spotify_id",
            F.when(is_play, hashed(F.col("user_id"), F.col("source"), F.col("content"))).alias("play_id"),
            shown(F.col("track_name")).alias("track_name"),
            shown(F.col("artist_name")).alias("artist_name"),
            artist_key(artist).alias("artist_key"),
            shown(F.col("album_name")).alias("album_name"),
            album_key(artist, album).alias("album_key"),
            F.when(is_named, name_key(artist, title)).alias("name_key"),
            name_key(F.col("artist_lead"), title).alias("lead_key"),
            F.when(is_title, hashed(title)).alias("title_key"),
            *["platform", "conn_country"],
            *[reported_reason(F.col(name)).alias(name) for name in ("reason_start", "reason_end")],
            *[parse_boolean(F.col(name)).alias(name) for name in ("shuffle", "skipped", "offline", "incognito_mode")],
            "content",
            "_ingested_at",
        )
    )
