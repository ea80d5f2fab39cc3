"""All kept plays with the track's features, mood and session, in the listener's time zone."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from bronze.listener_settings import UNKNOWN
from lakehouse.declare import column, foreign_key, table
from music.audio_features import FEATURE_COLUMNS, FEATURES, LADDER, MEASURED
from music.local_time import TIME_COLUMNS, time_columns
from music.moods import MOODS, mood_category
from music.names import hashed
from silver.corrected import FURTHER
from silver.counted import counted
from silver.parsing import LISTEN_MS
from silver.shown_names import SHOWN, with_shown_names


def listeners_of(changed: DataFrame, plays: DataFrame) -> DataFrame:
    """The listeners who heard one of the changed tracks: one row (user_id) each."""
    heard = counted(plays).select("user_id", "track_id")
    return heard.join(F.broadcast(changed), on="track_id", how="left_semi").select("user_id").distinct()


@table(
    "silver.listening_with_features",
    key=["user_id", "play_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("play_id", "string", "hash of the row of the play that was seen first; stable across exports"),
        column("play_number", "bigint", "1 for the listener's first play, 2 for the next, by start and play_id", nullable=False),
        column("track_id", "string", "id that represents the recording: a song with several ids is counted once", nullable=False),
        column("played_track_id", "string", "id that was played, as in silver.plays", nullable=False),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("track_name", "string", "title of the recording in most of the listener's plays; ties go to the latest"),
        column("artist_name", "string", "artist, chosen with the title, in the spelling of most of the listener's plays"),
        column("artist_key", "string", "hash of the folded artist name; null without a name"),
        column(
            "further_artists", "array<string>", "artists after the first, where a correction splits the credit", nullable=False
        ),
        column("further_artist_keys", "array<string>", "their keys, in the same order", nullable=False),
        column("album_name", "string", "as the play's source or a correction has it"),
        column("album_key", "string", "hash of folded artist and album names; null without a name"),
        column("played_at", "timestamp", "start, UTC", nullable=False),
        column("ended_at", "timestamp", "end, UTC; equals the start where the length is unknown", nullable=False),
        *TIME_COLUMNS,
        column("ms_played", "bigint", "ms listened; null where the source has no value"),
        column("duration_ms", "bigint", "length of the track, ms; null where the catalogue has no value"),
        column("is_short", "boolean", "shorter than 30 s", nullable=False),
        column("is_listen", "boolean", "30 s or longer, or of unknown length (scrobbles)", nullable=False),
        column(
            "is_skip",
            "boolean",
            "the listener skipped the track before its end (skipped flag, or reason_end fwdbtn)",
            nullable=False,
        ),
        column("tells_skip", "boolean", "the source reports skips; scrobbles do not", nullable=False),
        column("shuffle", "boolean", "shuffle was on"),
        column("reason_start", "string", "why playback started, as the source has it"),
        column("reason_end", "string", "why playback ended, as the source has it"),
        column("platform", "string", "device or client, as the source has it"),
        column("session_id", "string", "hash of listener and session start", nullable=False),
        column("genres", "array<string>", "genres of the track in the catalogue, sorted; empty if unknown"),
        *[c.unchecked() for c in FEATURE_COLUMNS],
        column("feature_source", "string", "rung of the feature ladder; null without features", one_of=LADDER),
        column("is_measured", "boolean", "features are measured (api, kaggle_id, kaggle_name)", nullable=False),
        column("mood_category", "string", "mood quadrant by valence and energy; null without features", one_of=MOODS),
        column("source_kind", "string", "kind of the record that was kept", nullable=False),
        column("sources", "array<string>", "kinds of the sources that contain this play, sorted", nullable=False),
    ],
    rules=[foreign_key("track_id", "silver.tracks", "track_id")],
    touches={"tracks": (listeners_of, "plays")},
)
def listening_with_features(
    plays: DataFrame, tracks: DataFrame, listener_settings: DataFrame, *, session_gap_minutes: int
) -> DataFrame:
    """One row per kept play of a listener that no correction leaves out."""
    kept = counted(plays)
    ids = ["track_id", "recording_id", "representative_id"]
    any_names = [F.col(name).alias(f"any_{name}") for name in SHOWN]
    told = tracks.select(*ids, *any_names, "duration_ms", "genres", *FEATURES, "feature_source")
    is_unknown = F.coalesce(F.col("timezone_source") == UNKNOWN, F.lit(False))
    zones = listener_settings.select("user_id", "timezone", is_unknown.alias("lacks_timezone"))
    named = with_shown_names(kept.join(told, on="track_id", how="left"))
    joined = named.join(F.broadcast(zones), on="user_id", how="left")
    joined = joined.withColumn("local_time", F.from_utc_timestamp("played_at", F.coalesce("timezone", F.lit("UTC"))))
    is_short = F.coalesce(F.col("ms_played") < LISTEN_MS, F.lit(False))
    is_skip = F.coalesce(F.col("skipped"), F.lit(False)) | F.coalesce(F.col("reason_end") == "fwdbtn", F.lit(False))
    # Of the kept plays alone: what was joined to them would else be joined twice.
    sessions = sessions_of(kept, session_gap_minutes)
    return joined.join(sessions, on=["user_id", "play_id"], how="inner").select(
        *["user_id", "play_id", "play_number"],
        F.col("representative_id").alias("track_id"),
        "played_track_id",
        *["recording_id", "track_name", "artist_name", "artist_key", *FURTHER, "album_name", "album_key"],
        *["played_at", "ended_at"],
        *[value.alias(name) for name, value in time_columns(F.col("local_time"), F.col("lacks_timezone")).items()],
        *["ms_played", "duration_ms"],
        is_short.alias("is_short"),
        (~is_short).alias("is_listen"),
        is_skip.alias("is_skip"),
        (F.col("skipped").isNotNull() | F.col("reason_end").isNotNull()).alias("tells_skip"),
        *["shuffle", "reason_start", "reason_end", "platform", "session_id"],
        F.coalesce("genres", F.array().cast("array<string>")).alias("genres"),
        *FEATURES,
        "feature_source",
        F.coalesce(F.col("feature_source").isin(*MEASURED), F.lit(False)).alias("is_measured"),
        mood_category(F.col("valence"), F.col("energy")).alias("mood_category"),
        *["source_kind", "sources"],
    )


def sessions_of(plays: DataFrame, gap_minutes: int) -> DataFrame:
    """One row (user_id, play_id, play_number, session_id) per play.

    A listener's session ends when nothing plays for more than `gap_minutes`.
    """
    in_order = Window.partitionBy("user_id").orderBy("played_at", "play_id")
    quiet_since = F.max("ended_at").over(in_order.rowsBetween(Window.unboundedPreceding, -1))
    gap = F.unix_micros("played_at") - F.unix_micros(quiet_since)
    is_start = F.coalesce(gap > F.lit(gap_minutes * 60_000_000), F.lit(True))
    started = plays.select(
        *["user_id", "play_id", "played_at"],
        F.row_number().over(in_order).alias("play_number"),
        F.when(is_start, F.unix_micros("played_at")).alias("start"),
    )
    so_far = in_order.rowsBetween(Window.unboundedPreceding, 0)
    session_id = hashed(F.col("user_id"), F.max("start").over(so_far)).alias("session_id")
    return started.select("user_id", "play_id", "play_number", session_id)
