"""Converts a source's text to typed values, and gives the reason if a row cannot be a play."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.source_facts import SourceFacts
from music.names import hashed
from silver.source_columns import is_declared, is_of_kind, is_of_source

# Spotify went online in October 2008 and Last.fm's scrobbles begin in 2005; the design takes 2006 as the first year.
FIRST_MOMENT = "2006-01-01 00:00:00"
DAY_MS = 24 * 3_600_000
# A listener's clock may run ahead of ours by this much before its plays count as from the future.
CLOCK_SKEW = "interval 1 hour"
TS_FORMS = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|\+00:00)?$"
# With an offset from UTC, or the word: date, hour and minute, second, offset.
ZONED_FORM = r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)? ?(UTC|[+-](?:0\d|1[0-4]):?[0-5]\d)$"
# What scrobblers write besides: `03 Jan 2020 14:05`, `03 Jan 2020, 14:05` (Last.fm) and Unix seconds.
DATED_FORM = r"^(\d\d) ([A-Z][a-z][a-z]) (\d{4}),? (\d\d:\d\d(?::\d\d)?)$"
UNIX_FORM = r"^\d{1,10}(\.\d{1,6})?$"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TO_MINUTE = r"[T ]\d\d:\d\d(Z| ?UTC|[+-]\d\d:?\d\d)?$"
# What Spotify writes as a reason that it does not know; a later export writes `none` for a reason that an earlier one had.
UNKNOWN_REASONS = ("none", "unknown", "")
NUMBER = r"^-?\d{1,15}(\.\d{1,9})?$"
LISTEN_MS = 30_000
LOCAL_PREFIX = "local:"
# A URI, a link (some carry the language of the page) or a bare id.
SPOTIFY_TRACK = r"^(?:spotify:track:|https?://open\.spotify\.com/(?:intl-[A-Za-z-]{2,10}/)?track/)?([0-9A-Za-z]{22})(?:\?.*)?$"


def parse_timestamp(text: Column) -> Column:
    """UTC timestamp of `2024-01-31T10:20:30Z`, `2024-01-31 10:20:30` or `2024-01-31 10:20`, also with an offset (`+02:00`,
    `+0200`) or ` UTC` behind; null for anything else."""
    full = F.when(F.length(text) == len("2024-01-31 10:20"), F.concat(text, F.lit(":00"))).otherwise(text)
    plain = F.when(text.rlike(TS_FORMS), full.try_cast("timestamp"))
    date, minute, second, zone = (F.regexp_extract(text, ZONED_FORM, group) for group in (1, 2, 3, 4))
    offset = F.when(zone == "UTC", "Z").otherwise(F.concat(F.substring(zone, 1, 3), F.lit(":"), F.substring(zone, -2, 2)))
    seconds = F.when(second == "", ":00").otherwise(second)
    zoned = F.concat(date, F.lit("T"), minute, seconds, offset).try_cast("timestamp")
    return F.when(text.rlike(ZONED_FORM), zoned).otherwise(plain)


def parse_scrobble_timestamp(text: Column) -> Column:
    """UTC timestamp of anything that parse_timestamp accepts, of `03 Jan 2020 14:05`, `03 Jan 2020, 14:05:59` and of Unix
    seconds (at most ten digits, with or without a fraction); null for anything else.

    Not used for Spotify's files, where a bare number is a damaged `ts`."""
    numbers = [F.lit(part) for number, name in enumerate(MONTHS, start=1) for part in (name, f"{number:02d}")]
    day, name, year, time = (F.regexp_extract(text, DATED_FORM, group) for group in (1, 2, 3, 4))
    month = F.element_at(F.create_map(*numbers), name)
    dated = parse_timestamp(F.concat(year, F.lit("-"), month, F.lit("-"), day, F.lit(" "), time))
    micros = (text.try_cast("decimal(16,6)") * 1_000_000).cast("bigint")
    return F.when(text.rlike(UNIX_FORM), F.timestamp_micros(micros)).otherwise(F.coalesce(parse_timestamp(text), dated))


def parse_whole(text: Column) -> Column:
    """A number as bigint, `3185`, `3185.0` or, rounded half away from zero, `3184.5`; null for anything else."""
    return F.when(text.rlike(NUMBER), F.round(text.try_cast("double")).try_cast("bigint"))


def possible_length(ms: Column) -> Column:
    """The length of a track; null for one that is shorter than a listen or longer than a day, as clients may write anything."""
    return F.when(ms.between(LISTEN_MS, DAY_MS), ms)


def parse_boolean(text: Column) -> Column:
    """true, false, TRUE, 1, ...; null for anything else."""
    return F.lower(F.trim(text)).try_cast("boolean")


def spotify_id(uri: Column) -> Column:
    """The 22-character track id of a URI, a link or a bare id; null for local files and anything else."""
    return F.nullif(F.regexp_extract(uri, SPOTIFY_TRACK, 1), F.lit(""))


def local_track_id(artist: Column, title: Column) -> Column:
    """Id of a track known by name only: `local:` + hash of folded artist and title."""
    return F.concat(F.lit(LOCAL_PREFIX), hashed(artist, title, length=22))


def reported_reason(text: Column) -> Column:
    """The reason why playback started or ended; null where the source does not know it."""
    reason = F.trim(text)
    return F.when(~F.lower(reason).isin(*UNKNOWN_REASONS), reason)


def is_blank(text: Column) -> Column:
    """Whether there is no text, or nothing but blanks."""
    return F.nullif(F.trim(text), F.lit("")).isNull()


def parsed(listening_history: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row per bronze row, with typed values, `set_aside` (podcast, audiobook or null) and `problem` (reason or null).

    The rows have, besides, the folded names `track_folded` and `artist_folded`.
    """
    ts, is_scrobbler_ts = F.trim("ts"), is_of_source(facts, lambda one: one.has_scrobbler_ts)
    typed = listening_history.select(
        "*",
        F.when(is_scrobbler_ts, parse_scrobble_timestamp(ts)).otherwise(parse_timestamp(ts)).alias("at"),
        parse_whole(F.trim("ms_played")).alias("ms"),
        possible_length(parse_whole(F.trim("track_ms"))).alias("track_length"),
        ts.rlike(TO_MINUTE).alias("is_to_minute"),
        spotify_id(F.trim("track_uri")).alias("spotify_id"),
    )
    is_ts_end = is_of_kind(facts, lambda kind: kind.ts == "end")
    shift = F.coalesce(F.when(F.col("ms").between(0, DAY_MS), F.col("ms")), F.lit(0)) * 1000
    micros = F.unix_micros("at")
    named = F.col("track_folded").isNotNull() | F.col("artist_folded").isNotNull()
    return typed.select(
        "*",
        F.when(is_ts_end, F.timestamp_micros(micros - shift)).otherwise(F.col("at")).alias("start"),
        F.when(is_ts_end, F.col("at")).otherwise(F.timestamp_micros(micros + shift)).alias("end"),
        F.when(
            named | F.col("spotify_id").isNotNull(),
            F.coalesce("spotify_id", local_track_id(F.col("artist_folded"), F.col("track_folded"))),
        ).alias("track"),
        set_aside().alias("set_aside"),
        problem(facts).alias("problem"),
    )


def set_aside() -> Column:
    """podcast or audiobook, for a row that is one and names no track; else null."""

    def any_of(*names: str) -> Column:
        return F.coalesce(*[F.nullif(F.trim(name), F.lit("")) for name in names]).isNotNull()

    is_track = F.col("spotify_id").isNotNull() | F.col("track_folded").isNotNull()
    audiobook = any_of("audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title")
    podcast = any_of("episode_name", "episode_show_name", "episode_uri")
    return F.when(is_track, F.lit(None).cast("string")).when(audiobook, "audiobook").when(podcast, "podcast")


def problem(facts: Sequence[SourceFacts]) -> Column:
    """Struct (reason, value) for a row that cannot be a play; null for one that can.

    A row whose source and kind are not declared cannot be a play, because the meaning of its time is unknown.
    """

    def because(reason: str, *values: str) -> Column:
        value = F.concat_ws(" / ", *[F.col(v) for v in values]) if len(values) != 1 else F.col(values[0])
        return F.struct(F.lit(reason).alias("reason"), value.alias("value"))

    is_timed = is_of_kind(facts, lambda kind: kind.ts == "end")
    # A time that was wrong when it came is no less wrong when a later run reads it.
    received = F.coalesce(parse_timestamp(F.col("received_at")), F.col("_ingested_at"))
    no_identity = F.col("track_folded").isNull() & F.col("artist_folded").isNull() & F.col("spotify_id").isNull()
    return (
        F.when(~is_declared(facts), because("undeclared_source", "source", "source_kind"))
        .when(is_blank(F.col("ts")), because("missing_ts", "ts"))
        .when(F.col("at").isNull(), because("unparseable_ts", "ts"))
        .when(F.col("at") > received + F.expr(CLOCK_SKEW), because("ts_in_future", "ts"))
        .when(F.col("at") < F.lit(FIRST_MOMENT).cast("timestamp"), because("ts_before_2006", "ts"))
        .when(is_blank(F.col("ms_played")) & is_timed, because("missing_ms_played", "ms_played"))
        .when(~is_blank(F.col("ms_played")) & F.col("ms").isNull(), because("unparseable_ms_played", "ms_played"))
        .when(F.col("ms") < 0, because("negative_ms_played", "ms_played"))
        .when(F.col("ms") > DAY_MS, because("ms_played_over_24h", "ms_played"))
        .when(no_identity & is_blank(F.col("track_uri")), because("no_names_and_no_uri", "track_uri"))
        .when(no_identity, because("no_names_and_unknown_uri", "track_uri"))
    )
