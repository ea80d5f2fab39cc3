"""What was each of a listener's years like: how much, what was on top, what was new, and which day, hour and mood stood out?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.descriptive.figures import (
    as_minutes,
    listen_count,
    ms_total,
    no_more,
    number_of,
    play_count,
    skip_told_count,
    with_labels,
    with_streak,
)
from lakehouse.declare import column, satisfies, table
from music.listening import MOST_CREDITS, by_artist, measured_listens, measured_share, mood_not_synthetic
from music.moods import MOODS
from music.statistics import ratio

YEAR = ("user_id", "year")
KINDS = {"track": "track_id", "artist": "artist_key", "mood": "mood"}


@table(
    "gold.year_in_music",
    key=["user_id", "year"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("year", "int", "calendar year of the start", between=(1970, 2200)),
        column("plays", "bigint", "all plays, short ones included", nullable=False, at_least=1),
        column("listens", "bigint", "plays of 30 s or more", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column("minutes_change", "double", "minutes minus those of the year before; null if that year has no plays"),
        column("active_days", "bigint", "dates with a play", nullable=False, between=(1, 366)),
        column("skips_told", "bigint", "plays whose source reports skips"),
        column(
            "skip_rate",
            "double",
            "share (0-1) of plays that were skipped, among plays whose source reports skips; null without such plays",
            between=(0, 1),
        ),
        column("unique_tracks", "bigint", "tracks with a listen; a song under several ids is one track", nullable=False),
        column("unique_artists", "bigint", "artists with a listen", nullable=False),
        column("unique_genres", "bigint", "genres of the tracks with a listen", nullable=False),
        column("new_artists", "bigint", "artists with their first listen in this year", nullable=False),
        column(
            "top_artist", "string", "artist with most listens; ties go to most ms, then lowest key; as named on the latest play"
        ),
        column("top_artist_listens", "bigint", "its listens", at_least=1),
        column("top_track", "string", "top track, chosen and named in the same way"),
        column("top_track_artist", "string", "artist of the top track, as named on its latest play"),
        column("top_track_listens", "bigint", "its listens", at_least=1),
        column("top_genre", "string", "top genre, chosen in the same way; a listen counts for each genre of its track"),
        column("top_genre_listens", "bigint", "its listens", at_least=1),
        column("busiest_date", "date", "date with most ms; ties go to most listens, then the earliest", nullable=False),
        column("busiest_date_minutes", "double", "minutes listened on that date", nullable=False),
        column(
            "busiest_hour",
            "int",
            "hour, 0-23 (UTC if the time zone is unknown), with most listens; ties go to most ms, then the earliest",
            nullable=False,
            between=(0, 23),
        ),
        column("longest_streak_days", "int", "longest run of consecutive dates of the year with a listen", nullable=False),
        column(
            "top_mood",
            "string",
            "mood_category with most listens; ties go to most ms, then the name; never from synthetic features",
            one_of=MOODS,
        ),
        column("top_mood_share", "double", "its share (0-1) of the listens with a known mood", between=(0, 1)),
        column(
            "measured_share",
            "double",
            "share (0-1) of listens with measured features; null without listens",
            between=(0, 1),
        ),
    ],
    rules=[
        *[no_more(part, "plays") for part in ("listens", "active_days")],
        no_more("unique_tracks", "listens"),
        no_more("new_artists", "unique_artists"),
        satisfies("the busiest date is of the year", ["busiest_date", "year"], lambda: F.year("busiest_date") == F.col("year")),
        satisfies(
            "no date holds more than the year",
            ["busiest_date_minutes", "minutes"],
            lambda: F.col("busiest_date_minutes") <= F.col("minutes") + 1e-6,
        ),
        no_more("longest_streak_days", "active_days"),
    ],
)
def year_in_music(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and calendar year with a play.

    It is computed from two small summaries of the plays: by date and hour (amounts, busiest, streak) and by track (tops,
    variety).
    """
    plays = listening_with_features.withColumn("year", F.year("date"))
    joined = _amounts(plays).join(_tops(plays), on=list(YEAR), how="inner")
    return joined.select(
        *YEAR,
        "plays",
        "listens",
        as_minutes(F.col("ms")).alias("minutes"),
        _minutes_change().alias("minutes_change"),
        "active_days",
        "skips_told",
        ratio(F.col("skips"), F.col("skips_told")).alias("skip_rate"),
        "unique_tracks",
        "unique_artists",
        "unique_genres",
        "new_artists",
        "top_artist",
        "top_artist_listens",
        F.col("track_name").alias("top_track"),
        F.col("artist_name").alias("top_track_artist"),
        "top_track_listens",
        F.col("genre").alias("top_genre"),
        "top_genre_listens",
        "busiest_date",
        as_minutes(F.col("busiest_ms")).alias("busiest_date_minutes"),
        "busiest_hour",
        "longest_streak_days",
        F.col("mood").alias("top_mood"),
        ratio(F.col("top_mood_listens"), F.col("mood_listens")).alias("top_mood_share"),
        measured_share(F.col("measured"), F.col("listens")).alias("measured_share"),
    )


def _amounts(plays: DataFrame) -> DataFrame:
    """One row per listener and year, computed by hour and by day."""
    hours = plays.groupBy(*YEAR, "date", "hour_of_day").agg(
        play_count().alias("plays"),
        listen_count().alias("listens"),
        ms_total().alias("ms"),
        F.count_if(F.col("is_skip")).alias("skips"),
        skip_told_count().alias("skips_told"),
        measured_listens().alias("measured"),
    )
    sums = [F.sum(name).alias(name) for name in ("plays", "listens", "ms", "skips", "skips_told", "measured")]
    days = with_streak(hours.groupBy(*YEAR, "date").agg(*sums), YEAR)
    years = days.groupBy(*YEAR).agg(
        *sums,
        play_count().alias("active_days"),
        F.max("streak_days").alias("longest_streak_days"),
        F.max("ms").alias("busiest_ms"),
        F.max_by("date", F.struct("ms", "listens", -F.unix_date("date"))).alias("busiest_date"),
    )
    by_hour = hours.groupBy(*YEAR, "hour_of_day").agg(F.sum("listens").alias("listens"), F.sum("ms").alias("ms"))
    busiest = F.max_by("hour_of_day", F.struct("listens", "ms", -F.col("hour_of_day"))).alias("busiest_hour")
    return years.join(by_hour.groupBy(*YEAR).agg(busiest), on=list(YEAR), how="inner")


def _tops(plays: DataFrame) -> DataFrame:
    """One row per listener and year: the number of distinct ids of each kind, and the one with the most listens."""
    always = Window.partitionBy("user_id", "kind", "id")
    is_listened = F.col("listens") > 0
    is_new_artist = (F.col("kind") == "artist") & is_listened & (F.col("year") == F.col("first_year"))
    tops = (
        _things(plays)
        .withColumns(
            {"first_year": F.min(F.when(is_listened, F.col("year"))).over(always), "latest": F.max("last_play").over(always)}
        )
        .groupBy(*YEAR)
        .agg(
            *[number_of(kind).alias(f"unique_{kind}s") for kind in ("track", "artist", "genre")],
            F.count_if(is_new_artist).alias("new_artists"),
            *[_top(kind, "id").alias(kind) for kind in ("genre", "mood")],
            *[_top(kind, "latest").alias(f"{kind}_latest") for kind in ("track", "artist")],
            *[F.max(_listens(kind)).alias(f"top_{kind}_listens") for kind in (*KINDS, "genre")],
            F.sum(_listens("mood")).alias("mood_listens"),
        )
    )
    labels = by_artist(plays)
    with_artist = with_labels(tops, labels, ["artist_name"], "artist_latest").withColumnRenamed("artist_name", "top_artist")
    return with_labels(with_artist, labels, ["track_name", "artist_name"], "track_latest")


def _things(plays: DataFrame) -> DataFrame:
    """One row per listener, year, kind and id, computed from one row per track and combination of labels."""
    tracks = (
        plays.withColumn("mood", mood_not_synthetic())
        .groupBy(*YEAR, "track_id", "artist_key", "further_artist_keys", "mood", "genres")
        .agg(listen_count().alias("listens"), ms_total().alias("ms"), F.max("play_number").alias("last_play"))
    )
    genres = F.array_distinct(F.coalesce(F.col("genres"), F.array().cast("array<string>")))
    single = F.array(*[_thing(kind, F.col(name)) for kind, name in KINDS.items()])
    further = F.transform("further_artist_keys", lambda key, place: _thing("artist", key, place + F.lit(1)))
    things = F.explode(F.concat(single, further, F.transform(genres, lambda genre: _thing("genre", genre))))
    return (
        tracks.select(*YEAR, "listens", "ms", "last_play", things.alias("thing"))
        .select(
            *YEAR, "listens", "ms", "thing.*", (F.col("last_play") * MOST_CREDITS + F.col("thing")["place"]).alias("last_play")
        )
        .where("id IS NOT NULL")
        .groupBy(*YEAR, "kind", "id")
        .agg(F.sum("listens").alias("listens"), F.sum("ms").alias("ms"), F.max("last_play").alias("last_play"))
    )


def _thing(kind: str, key: Column, place: Column | None = None) -> Column:
    """A kind and id; `place` counts the artists of a credit, as in by_artist."""
    return F.struct(F.lit(kind).alias("kind"), key.alias("id"), (F.lit(0) if place is None else place).alias("place"))


def _listens(kind: str) -> Column:
    return F.when((F.col("kind") == kind) & (F.col("listens") > 0), F.col("listens"))


def _top(kind: str, name: str) -> Column:
    """Aggregate: a column of the kind's most heard id; null when none was listened to."""
    fewest_first = F.struct(-F.col("listens"), -F.col("ms"), F.col("id"))
    return F.min_by(name, F.when(_listens(kind).isNotNull(), fewest_first))


def _minutes_change() -> Column:
    years = Window.partitionBy("user_id").orderBy("year")
    follows = F.lag("year").over(years) == F.col("year") - F.lit(1)
    return F.when(follows, as_minutes(F.col("ms") - F.lag("ms").over(years)))
