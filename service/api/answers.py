"""What the API answers: one class per kind of answer, from which both the JSON and its OpenAPI description are made.

Names of fields and their meaning are those of the tables. Times are UTC, dates those of the listener's time zone.
"""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from service.api.queries import ListName, PeriodType


class _Object(BaseModel):
    # What a table holds that is no JSON (NaN, infinities) becomes null.
    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="null", json_schema_serialization_defaults_required=True
    )


class Answer(_Object):
    """What every answer says."""

    listener: str = Field(description="whose figures these are")
    snapshot: dict[str, int | None] = Field(description="the Delta version of each table that was read; null if it is not built")


class Period(_Object):
    """A calendar period."""

    type: PeriodType
    start: dt.date | None = Field(description="first date; null if the listener has no plays")
    end: dt.date | None = Field(description="first date after it; null for all_time")


class PlayingNow(_Object):
    """What a player says it plays at this moment."""

    track_name: str | None
    artist_name: str | None
    album_name: str | None
    client: str | None = Field(description="the player, as it names itself")


class Play(_Object):
    """A play of silver.listening_with_features."""

    played_at: dt.datetime = Field(description="start")
    track_id: str
    recording_id: str
    track_name: str | None
    artist_name: str | None
    album_name: str | None
    ms_played: int | None = Field(description="ms listened; null where the source has no value")
    is_skip: bool
    mood_category: str | None
    source_kind: str


class Now(Answer):
    """What is played now, and what was played last."""

    playing_now: PlayingNow | None
    last_plays: list[Play] = Field(description="latest first, as of the last build")


class Stats(Answer):
    """The figures of a period."""

    period: Period
    plays: int = Field(description="all plays, short ones included")
    listens: int = Field(description="plays of 30 s or more")
    minutes: float
    skips: int
    active_days: int = Field(description="dates with a play")
    unique_tracks: int = Field(description="tracks with a listen")
    unique_artists: int = Field(description="artists with a listen")
    new_tracks: int = Field(description="tracks with their first listen ever in the period")
    new_artists: int = Field(description="artists with their first listen ever in the period")
    busiest_date: dt.date | None = Field(description="date with most minutes; ties go to the earliest")


class _Ranked(_Object):
    rank: int
    listen_count: int = Field(description="plays of 30 s or more in the period")
    play_count: int = Field(description="plays in the period, short ones included")
    minutes: float
    share_of_listens: float = Field(description="share (0-1) of the period's listens")
    is_new: bool = Field(description="played for the first time in this period")


class RankedArtist(_Ranked):
    """A row of gold.top_artists."""

    artist_key: str
    artist_name: str | None


class RankedTrack(_Ranked):
    """A row of gold.top_tracks."""

    track_id: str
    recording_id: str
    track_name: str | None
    artist_name: str | None


class RankedGenre(_Ranked):
    """A row of gold.top_genres."""

    genre: str


class _Listed(Answer):
    total: int = Field(description="items there are in all")
    limit: int
    offset: int


class _Chart(_Listed):
    period: Period


class TopArtists(_Chart):
    """The artists with most listens of a period."""

    items: list[RankedArtist]


class TopTracks(_Chart):
    """The tracks with most listens of a period."""

    items: list[RankedTrack]


class TopGenres(_Chart):
    """The genres with most listens of a period."""

    items: list[RankedGenre]


class Recommendation(_Object):
    """A row of gold.user_recommendations."""

    rank: int
    track_id: str
    recording_id: str
    track_name: str | None
    primary_artist: str | None
    track_genre: str | None
    score: float
    source: str = Field(description="source that contributes most to the score")
    reason: str = Field(description="why it is recommended, in a sentence with figures")
    generated_at: dt.datetime | None = Field(description="end of the listener's last day with a play")


class Recommendations(_Listed):
    """What to play."""

    items: list[Recommendation]
    list: ListName


class Year(_Object):
    """A row of gold.year_in_music."""

    year: int
    plays: int
    listens: int
    minutes: float
    minutes_change: float | None = Field(description="against the year before; null if that year has no plays")
    active_days: int
    skip_rate: float | None
    unique_tracks: int
    unique_artists: int
    unique_genres: int
    new_artists: int
    top_artist: str | None
    top_artist_listens: int | None
    top_track: str | None
    top_track_artist: str | None
    top_track_listens: int | None
    top_genre: str | None
    top_genre_listens: int | None
    busiest_date: dt.date
    busiest_date_minutes: float
    busiest_hour: int = Field(description="0-23, in the listener's time zone; UTC if it is unknown")
    longest_streak_days: int
    top_mood: str | None
    top_mood_share: float | None
    measured_share: float | None = Field(description="share (0-1) of listens with measured audio features")


class YearInMusic(Answer):
    """What a year was like."""

    years: list[int] = Field(description="calendar years with a play, ascending")
    year: Year
