"""All bronze rows and what became of them: kept, duplicate, quarantined or set aside, and why."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import listeners_of_files
from bronze.source_facts import SOURCE_FACTS, SourceFacts
from lakehouse.declare import column, satisfies, table
from silver.corrected import FURTHER, corrected, lines_in_use, listeners_of_owners
from silver.duplicates import followed
from silver.merged_rows import merged, with_late_reports
from silver.parsing import DAY_MS

DISPOSITIONS = ("kept", "duplicate", "quarantined", "set_aside")


@table(
    "silver.plays",
    key=["file_hash", "row_number"],
    scope="user",
    schema=[
        column("user_id", "string", "listener", nullable=False),
        column("file_hash", "string", "file of the bronze row"),
        column("row_number", "bigint", "position of the bronze row in its file", at_least=1),
        column("disposition", "string", "kept, duplicate, quarantined or set_aside", nullable=False, one_of=DISPOSITIONS),
        column("reason", "string", "why the row is not kept"),
        column("reason_value", "string", "value that caused the quarantine"),
        column("duplicate_of", "string", "row that contains the same play, as the start of file_hash:row_number"),
        column("play_id", "string", "id of a kept play: hash of the content of the row of the play that was seen first"),
        column("source", "string", "format of the file", nullable=False),
        column("source_kind", "string", "kind of source, such as export or scrobble", nullable=False),
        column("sources", "array<string>", "kinds of the sources that contain a kept play, sorted"),
        column(
            "is_excluded", "boolean", "a kept play that its listener's corrections leave out of every statistic", nullable=False
        ),
        column("corrected_by", "string", "lines of corrections that changed a kept play, as file:line; null where none did"),
        column("played_at", "timestamp", "start, UTC; null where it cannot be determined"),
        column("ended_at", "timestamp", "end, UTC; equals the start where the length is unknown; null where that is unknown too"),
        column(
            "is_reported_late",
            "boolean",
            "the source gives one second as the end of several listens, as for offline plays reported later: the time is wrong",
            nullable=False,
        ),
        column("ms_played", "bigint", "ms listened"),
        column("track_id", "string", "Spotify id, or local: + hash of folded artist and title; local where a correction made it"),
        column("played_track_id", "string", "id of the track as the source has it"),
        column("track_name", "string", "as the source or a correction has it"),
        column("artist_name", "string", "as the source or a correction has it"),
        column("artist_key", "string", "hash of the folded artist name; null without a name"),
        column(
            "further_artists", "array<string>", "artists after the first, where a correction splits the credit", nullable=False
        ),
        column("further_artist_keys", "array<string>", "their keys, in the same order", nullable=False),
        column("album_name", "string", "as the source or a correction has it"),
        column("album_key", "string", "hash of folded artist and album names; null without a name"),
        column("platform", "string", "device or client"),
        column("conn_country", "string", "ISO 3166 country of the connection"),
        column("reason_start", "string", "why playback started"),
        column("reason_end", "string", "why playback ended"),
        column("shuffle", "boolean", "shuffle was on"),
        column("skipped", "boolean", "the source reports that the track was skipped"),
        column("offline", "boolean", "played offline"),
        column("incognito_mode", "boolean", "played in a private session"),
    ],
    rules=[
        satisfies(
            "kept plays are complete",
            ["disposition", "play_id", "played_at", "ended_at", "track_id"],
            lambda: (
                (F.col("disposition") != "kept")
                | (F.col("play_id").isNotNull() & F.col("played_at").isNotNull() & F.col("track_id").isNotNull())
            ),
        ),
        satisfies(
            "what is not kept has a reason",
            ["disposition", "reason"],
            lambda: (F.col("disposition") == "kept") == F.col("reason").isNull(),
        ),
        satisfies(
            "duplicates name the row they repeat",
            ["disposition", "duplicate_of"],
            lambda: (F.col("disposition") == "duplicate") == F.col("duplicate_of").isNotNull(),
        ),
        satisfies(
            "kept plays last 0 ms to 24 h",
            ["disposition", "ms_played"],
            lambda: (F.col("disposition") != "kept") | F.coalesce(F.col("ms_played"), F.lit(0)).between(0, DAY_MS),
        ),
        satisfies("plays have a time of their own", ["is_reported_late"], lambda: ~F.col("is_reported_late"), "WARN"),
    ],
    touches={
        "typed_history": (listeners_of_files, "typed_history"),
        "correction_lines": (listeners_of_owners, "typed_history"),
    },
)
def plays(
    typed_history: DataFrame,
    repeated_rows: DataFrame,
    repeated_plays: DataFrame,
    correction_lines: DataFrame,
    names: DataFrame,
    *,
    source_facts: Sequence[SourceFacts] = SOURCE_FACTS,
) -> DataFrame:
    """One row per row of bronze.listening_history.

    A kept row has the id of the row of its play that was seen first, and its empty fields are filled from the other rows. Then
    its listener's corrections apply: duplicates are found by what the sources say.
    """
    columns = ["row_id", "keeper", "reason"]
    of_source = repeated_rows.select(*columns)
    # The row that a play of a poorer source repeats may repeat another one, which may repeat a row of a richer source.
    of_richer = followed(repeated_plays.select(*columns), of_source)
    of_richer = followed(of_richer, of_richer)
    repeats = (
        followed(of_source, of_richer)
        .unionByName(of_richer)
        .withColumnsRenamed({"keeper": "duplicate_of", "reason": "duplicate_reason"})
    )
    rows = merged(typed_history.join(repeats, on="row_id", how="left"), source_facts)
    disposition = (
        F.when(F.col("set_aside").isNotNull(), "set_aside")
        .when(F.col("problem").isNotNull(), "quarantined")
        .when(F.col("duplicate_of").isNotNull(), "duplicate")
        .otherwise("kept")
    )
    is_kept = F.col("disposition") == "kept"
    judged = rows.withColumns({"disposition": disposition, "played_track_id": F.coalesce("spotify_id", "track_id")})
    told = judged.drop("track_id")
    return with_late_reports(_corrected(told, correction_lines, names), source_facts).select(
        *["user_id", "file_hash", "row_number", "disposition"],
        F.coalesce("set_aside", "problem", "duplicate_reason").alias("reason"),
        F.when(F.col("disposition") == "quarantined", F.col("problem_value")).alias("reason_value"),
        F.when(F.col("disposition") == "duplicate", F.col("duplicate_of")).alias("duplicate_of"),
        F.when(is_kept, F.col("first_play_id")).alias("play_id"),
        *["source", "source_kind"],
        F.when(is_kept, F.col("kinds")).alias("sources"),
        *["is_excluded", "corrected_by", "played_at", "ended_at", "is_reported_late", "ms_played"],
        *["track_id", "played_track_id", "track_name", "artist_name", "artist_key", *FURTHER, "album_name", "album_key"],
        *["platform", "conn_country", "reason_start", "reason_end", "shuffle", "skipped", "offline", "incognito_mode"],
    )


NAMES = ("track_name", "artist_name", "artist_key", "album_name", "album_key")


def _corrected(rows: DataFrame, lines: DataFrame, names: DataFrame) -> DataFrame:
    """The rows, the kept ones as corrections have them, with `track_id`, `is_excluded`, `corrected_by` and `further_artists`."""
    nothing = F.array().cast("array<string>")
    if lines_in_use(lines).isEmpty():
        # Most people correct nothing, and need not wait for it.
        told = {"track_id": F.col("played_track_id"), "is_excluded": F.lit(False), "corrected_by": F.lit(None).cast("string")}
        return rows.withColumns(told | dict.fromkeys(FURTHER, nothing))
    columns = ["user_id", "row_id", "track_name", "artist_name", "album_name", "played_at"]
    changes = corrected(rows.where(F.col("disposition") == "kept").select(*columns), lines, names)
    renamed = {name: f"new_{name}" for name in (*NAMES, "played_at", "track_id")}
    joined = rows.join(changes.withColumnsRenamed(renamed), on="row_id", how="left")
    length = F.unix_micros("ended_at") - F.unix_micros("played_at")
    return joined.withColumns(
        {
            **{name: F.coalesce(f"new_{name}", name) for name in (*NAMES, "played_at")},
            "ended_at": F.coalesce(F.timestamp_micros(F.unix_micros("new_played_at") + length), "ended_at"),
            "track_id": F.coalesce("new_track_id", "played_track_id"),
            "corrected_by": F.nullif(F.concat_ws(" ", "line", "moved_by"), F.lit("")),
            "is_excluded": F.coalesce("is_excluded", F.lit(False)),
            **{name: F.coalesce(name, nothing) for name in FURTHER},
        }
    )
