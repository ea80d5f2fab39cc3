"""What should a listener play: new tracks, loved ones not heard for long, or a daily mix of both, each with a reason?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from features import candidates as sources
from gold.prescriptive.recommendations.recommendation_reasons import reason, with_seed_names
from lakehouse.declare import Model, column, satisfies, table, unique
from music.names import hashed
from music.populations import REAL, population_by_id
from music.ranking import ranking
from music.small_groups import in_small_groups

LISTS = ("discover", "rediscover", "daily_mix")
SOURCES = (*sources.SOURCES, "heard")
LENGTH = 50
PER_ARTIST = 2
QUIET_DAYS = 60
LOVED_LISTENS = 3
MOST_SKIPPED = 0.5
"""A listener who skips every second play of a track does not love it."""
FAMILIAR_OF_TEN = 7
CHOSEN = (
    "user_id",
    "track_id",
    "track_name",
    "track_genre",
    "primary_artist",
    "artist_key",
    "recording",
    "kind",
    "source",
    "score",
)
SEED_COLUMNS = ("seed", "seed_count", "support", "support_of", "last_played_at")


def listeners_of_artists(changed: DataFrame, heard_recordings: DataFrame) -> DataFrame:
    """The listeners who heard one of the changed artists: one row (user_id) each."""
    return heard_recordings.join(F.broadcast(changed), on="artist_key", how="left_semi").select("user_id").distinct()


@table(
    "gold.user_recommendations",
    key=["recommendation_id"],
    scope="user",
    schema=[
        column("recommendation_id", "string", "hash of listener, list and track"),
        column("user_id", "string", "listener", nullable=False),
        column(
            "list",
            "string",
            "discover: never heard; rediscover: loved but not heard for 60 days; daily_mix: both",
            nullable=False,
            one_of=LISTS,
        ),
        column("rank", "int", "1 = first; ties go to the lowest track_id", nullable=False, between=(1, LENGTH)),
        column("track_id", "string", "track", nullable=False),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("track_name", "string", "title"),
        column("track_genre", "string", "first genre in the catalogue; null if unknown"),
        column("primary_artist", "string", "first credited artist"),
        column(
            "score",
            "double",
            "score of the track; in daily_mix, heard and new tracks are scored separately and their ranks alternate",
            nullable=False,
        ),
        column("source", "string", "source that contributes most to the score", nullable=False, one_of=SOURCES),
        column("reason", "string", "reason for the recommendation, in a sentence with figures", nullable=False),
        column("seed", "string", "recording, artist key or genre named in the reason; null without one"),
        column("seed_count", "bigint", "the listener's listens (30 s or more) of the seed, or of the track itself", at_least=1),
        column("support", "bigint", "number of listeners of the track, or its popularity (0-100); see the reason", at_least=0),
        column("generated_at", "timestamp", "end of the listener's last day with a play, UTC; null without plays"),
        column("model_id", "string", "model that provides the weights of the sources", nullable=False),
    ],
    rules=[
        unique("user_id", "list", "rank"),
        unique("user_id", "list", "track_id"),
        satisfies(
            "only what was heard comes back",
            ["list", "source"],
            lambda: (F.col("list") == "daily_mix") | ((F.col("list") == "rediscover") == (F.col("source") == "heard")),
        ),
    ],
    touches={"artist_neighbours": (listeners_of_artists, "heard_recordings")},
)
def user_recommendations(
    heard_recordings: DataFrame,
    catalogue_recordings: DataFrame,
    listener_settings: DataFrame,
    dislikes: DataFrame,
    similar_tracks: DataFrame,
    artist_neighbours: DataFrame,
    recommendation_weights: Model,
    item_neighbours: Model,
    collaborative: Model | None,
    *,
    exclude_explicit: bool,
    recommend_similar_artists: bool,
) -> DataFrame:
    """One row per listener, list and rank: up to 50 tracks, at most 2 per artist, each recording under one id.

    Candidates are the catalogue's similar tracks, tracks of listeners with similar taste (neighbours and factors of the
    population), tracks of favourite artists and genres, of artists like favourite ones if the settings say so, and popular
    tracks; each source is scaled to 0-1 per listener and
    weighted as the model found best. Tracks to rediscover come from the listener's own plays: at least three willing
    listens and few skips, ordered by listens; for the daily mix by activation. Disliked tracks are in no list. Only
    catalogue tracks are recommended as new.
    """
    is_shown = ~F.col("explicit") if exclude_explicit else F.lit(True)
    listed, heard = catalogue_recordings.where(is_shown), _with_population(heard_recordings)
    as_of = heard_recordings.groupBy("user_id").agg(F.max("as_of").alias("as_of"))
    listeners = _with_population(listener_settings.select("user_id").unionByName(dislikes.select("user_id")).distinct())
    near = artist_neighbours if recommend_similar_artists else None
    new = _new(heard, listeners, listed, dislikes, similar_tracks, near, item_neighbours, collaborative)
    weighed = _weighed(new, recommendation_weights.parameters["weights"])
    own = heard.where(is_shown).join(dislikes.select("user_id", "track_id"), on=["user_id", "track_id"], how="left_anti")
    candidates = [_named(weighed, listed), _own(own, "loved"), _own(own, "familiar")]
    lists = _ranked(_placed(reduce(DataFrame.unionByName, candidates)))
    dated = with_seed_names(lists, heard, with_artists=near is not None).join(as_of, on="user_id", how="left")
    return dated.select(
        hashed(F.col("user_id"), F.col("list"), F.col("track_id")).alias("recommendation_id"),
        *["user_id", "list", "rank", "track_id"],
        F.col("recording").alias("recording_id"),
        *["track_name", "track_genre", "primary_artist", "score", "source"],
        reason().alias("reason"),
        *["seed", "seed_count", "support"],
        F.col("as_of").alias("generated_at"),
        F.lit(recommendation_weights.id).alias("model_id"),
    )


def _with_population(rows: DataFrame) -> DataFrame:
    return rows.withColumn("population", population_by_id())


def _new(
    heard: DataFrame,
    listeners: DataFrame,
    listed: DataFrame,
    dislikes: DataFrame,
    similar_tracks: DataFrame,
    artist_neighbours: DataFrame | None,
    item_neighbours: Model,
    collaborative: Model | None,
) -> DataFrame:
    """Candidates of every source that the listener has not heard under any id and does not dislike."""
    seeds = sources.favourites(heard)
    candidates = [
        sources.similar_to_favourites(seeds, similar_tracks),
        sources.listened_by_the_same(seeds, item_neighbours.frame("neighbours")),
        sources.of_favourite_artists(heard, listed),
        sources.of_favourite_genres(heard, listed),
        sources.popular_tracks(listeners, listed),
    ]
    if artist_neighbours is not None:
        people = heard.where(F.col("population") == REAL)
        candidates.append(sources.of_similar_artists(people, listed, artist_neighbours))
    if collaborative is not None:
        candidates.append(sources.of_a_like_taste(listeners, collaborative.frame("candidates")))
    recordings = listed.select("track_id", "recording")
    together = reduce(DataFrame.unionByName, candidates).join(recordings, on="track_id", how="inner")
    ids = heard.select("user_id", F.explode("track_ids").alias("track_id")).unionByName(dislikes.select("user_id", "track_id"))
    unheard = together.join(heard.select("user_id", "recording"), on=["user_id", "recording"], how="left_anti")
    return sources.strongest(unheard.join(ids, on=["user_id", "track_id"], how="left_anti").drop("recording"))


def _weighed(new: DataFrame, weights: Mapping[str, Mapping[str, float]]) -> DataFrame:
    """One row per listener and track: the weighted sum of its sources' scaled scores, and the seed of the strongest one."""
    best = F.max("score").over(Window.partitionBy("user_id", "source"))
    weight = F.lit(0.0)
    for population, of_sources in sorted(weights.items()):
        for source, value in sorted(of_sources.items()):
            here = (F.col("population") == population) & (F.col("source") == source)
            weight = F.when(here, F.lit(float(value))).otherwise(weight)
    scaled = _with_population(new).withColumn(
        "part", weight * F.greatest(F.col("score") / F.nullif(best, F.lit(0.0)), F.lit(0.0))
    )
    # A list a track, not a window: cutting rows into windows of two or three costs four times as much.
    first = F.struct((-F.col("part")).alias("_order"), "source", "seed", "seed_count", "support", "support_of")
    of_track = scaled.groupBy("user_id", "track_id").agg(
        ranking(F.sum("part")).alias("score"), F.sort_array(F.collect_list(first)).alias("parts")
    )
    return of_track.withColumn("most", F.get("parts", F.lit(0))).select("user_id", "track_id", "score", "most.*").drop("_order")


def _named(weighed: DataFrame, listed: DataFrame) -> DataFrame:
    names = listed.select("track_id", "track_name", "track_genre", "primary_artist", "artist_key", "recording")
    new = weighed.join(names, on="track_id", how="inner").withColumn("last_played_at", F.lit(None).cast("timestamp"))
    return new.withColumn("kind", F.lit("new")).select(*CHOSEN, *SEED_COLUMNS)


def _own(heard: DataFrame, kind: str) -> DataFrame:
    """Own recordings: `loved` ones not heard for QUIET_DAYS before as_of, or `familiar` ones by activation."""
    finished = F.lit(1.0) - F.col("skips") / F.col("plays")
    if kind == "loved":
        quiet = F.unix_micros("as_of") - F.unix_micros("last_played_at") >= F.lit(QUIET_DAYS * 86_400_000_000)
        chosen = heard.where(quiet & (F.col("willing") >= LOVED_LISTENS) & (finished > MOST_SKIPPED))
        score = F.log1p(F.col("willing").cast("double")) * finished
    else:
        chosen, score = heard.where("willing > 0"), F.col("activation") * finished
    seeds = {
        "track_genre": F.get("genres", F.lit(0)),
        "primary_artist": F.col("artist_name"),
        "kind": F.lit(kind),
        "source": F.lit("heard"),
        "score": score,
        "seed": F.lit(None).cast("string"),
        "seed_count": F.col("listens"),
        "support": F.lit(None).cast("bigint"),
        "support_of": F.lit(None).cast("bigint"),
    }
    return chosen.withColumns(seeds).select(*CHOSEN, *SEED_COLUMNS)


def _placed(candidates: DataFrame) -> DataFrame:
    """The first LENGTH of each kind by score, `place` from 1: one id per recording, at most PER_ARTIST tracks per artist."""
    once = _first(candidates, ["user_id", "kind", "recording"], 1)
    few = _first(once.withColumn("artist", F.coalesce("artist_key", "recording")), ["user_id", "kind", "artist"], PER_ARTIST)
    order = Window.partitionBy("user_id", "kind").orderBy(F.desc("score"), "track_id")
    return few.withColumn("place", F.row_number().over(order)).where(F.col("place") <= LENGTH)


def _first(candidates: DataFrame, within: list[str], most: int) -> DataFrame:
    kept = [name for name in (*CHOSEN, *SEED_COLUMNS) if name not in within]
    return in_small_groups(candidates, within, [-F.col("score"), F.col("track_id")], kept, most).drop("place")


def _ranked(placed: DataFrame) -> DataFrame:
    """The list of each kind, and the mix: seven familiar and three new tracks in ten; each kind fills in for the other."""
    share = FAMILIAR_OF_TEN / 10
    place, is_new = F.col("place").cast("double"), F.col("kind") == "new"
    mixed = F.when(is_new, (place - F.lit(0.5)) / F.lit(1 - share)).otherwise(place / F.lit(share))
    lists = F.split(F.when(is_new, "discover,daily_mix").when(F.col("kind") == "loved", "rediscover").otherwise("daily_mix"), ",")
    spread = placed.withColumn("list", F.explode(lists)).withColumn(
        "at", F.when(F.col("list") == "daily_mix", mixed).otherwise(place)
    )
    of_artist = Window.partitionBy("user_id", "list", "artist").orderBy("at", "track_id")
    few = spread.withColumn("_place", F.row_number().over(of_artist)).where(F.col("_place") <= PER_ARTIST)
    order = Window.partitionBy("user_id", "list").orderBy("at", "track_id")
    return few.withColumn("rank", F.row_number().over(order)).where(F.col("rank") <= LENGTH)
