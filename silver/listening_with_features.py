"""Every kept play with its track's features, its mood, its session and the listener's local time."""

from __future__ import annotations

from pyspark.sql import DataFrame

from lakehouse.rules import foreign_key, is_in
from lakehouse.table import column, table
from silver.features import FEATURE_COLUMNS, LADDER
from silver.local_time import PARTS_OF_DAY, TIME_COLUMNS
from silver.moods import MOODS


@table(
    "silver.listening_with_features",
    key=["user_id", "play_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("play_id", "string", "hash of listener, end, track and duration; stable across exports"),
        column("track_id", "string", "Spotify id, or local: + hash of case-folded artist and title", nullable=False),
        column("track_name", "string", "as the play's source wrote it"),
        column("artist_name", "string", "as the play's source wrote it"),
        column("artist_key", "string", "hash of the case-folded artist name; null without a name"),
        column("album_name", "string", "as the play's source wrote it"),
        column("album_key", "string", "hash of case-folded artist and album names; null without a name"),
        column("played_at", "timestamp", "start, UTC", nullable=False),
        column("ended_at", "timestamp", "end, UTC", nullable=False),
        *TIME_COLUMNS,
        column("ms_played", "bigint", "ms listened; null where the source does not say"),
        column("duration_ms", "bigint", "length of the track in ms, where the catalogue has it"),
        column("is_short", "boolean", "less than 30 s", nullable=False),
        column("is_listen", "boolean", "30 s or more, or a scrobble", nullable=False),
        column(
            "is_skip",
            "boolean",
            "the listener went on before the end (skipped flag, or reason_end fwdbtn)",
            nullable=False,
        ),
        column("shuffle", "boolean", "shuffle was on"),
        column("reason_start", "string", "why playback began, as the source wrote it"),
        column("reason_end", "string", "why playback ended, as the source wrote it"),
        column("platform", "string", "device or client, as the source wrote it"),
        column("session_id", "string", "hash of listener and session start", nullable=False),
        column("genres", "array<string>", "genres of the track in the catalogue, sorted; empty when unknown"),
        *FEATURE_COLUMNS,
        column("feature_source", "string", "rung of the feature ladder; null without features"),
        column("is_measured", "boolean", "features are measured (api, kaggle_id, kaggle_name)", nullable=False),
        column("mood_category", "string", "quadrant of valence and energy; null without features"),
        column("source_kind", "string", "kind of the record that was kept", nullable=False),
        column("sources", "array<string>", "kinds of source that hold this play, sorted", nullable=False),
    ],
    rules=[
        is_in("feature_source", LADDER),
        is_in("mood_category", MOODS),
        is_in("part_of_day", PARTS_OF_DAY),
        foreign_key("track_id", "silver.tracks", "track_id"),
    ],
)
def listening_with_features(plays: DataFrame, tracks: DataFrame, listener_settings: DataFrame) -> DataFrame:
    """One row per kept play of a listener."""
    raise NotImplementedError
