"""Where recommendations of tracks that a listener has never heard come from: a few hundred candidates a listener and source."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from music.ranking import ranking

SOURCES = ("content", "listeners", "collaborative", "artist", "similar_artist", "genre", "popular")
SEEDS = 60
FAVOURITE_ARTISTS = 40
TRACKS_AN_ARTIST = 30
NEW_AN_ARTIST = 4
TRACKS_A_NEIGHBOUR = 3
FAVOURITE_GENRES = 5
TRACKS_A_GENRE = 80
POPULAR = 300
A_SOURCE = 150
"""Candidates that a listener gets of one source, once what they have heard is left out."""

CANDIDATE = ("user_id", "track_id", "source", "score", "seed", "seed_count", "support", "support_of")
"""`seed`: the recording, artist or genre it comes from; `seed_count`: the listener's listens of that; `support`: how many
listeners, or the popularity; `support_of`: of how many listeners, or of how many listens of the listener."""


def favourites(heard: DataFrame) -> DataFrame:
    """One row per listener and seed: the SEEDS recordings of most affinity, numbered by `place` from 1."""
    willing = heard.where("willing > 0")
    order = Window.partitionBy("user_id").orderBy(F.desc("affinity"), "recording")
    return willing.withColumn("place", F.row_number().over(order)).where(F.col("place") <= SEEDS)


def similar_to_favourites(seeds: DataFrame, similar_tracks: DataFrame) -> DataFrame:
    """Tracks that are like favourites in sound, genre and artist."""
    pairs = similar_tracks.select(F.col("track_id").alias("catalogue_id"), F.col("similar_track_id").alias("candidate"), "score")
    return _from_seeds(seeds, pairs, "catalogue_id", "content")


def listened_by_the_same(seeds: DataFrame, neighbours: DataFrame) -> DataFrame:
    """Tracks that the listeners of favourites listen to: from the seeds' population only."""
    pairs = neighbours.where("kind = 'listeners'").select(
        "population", F.col("track_id").alias("catalogue_id"), F.col("neighbour_id").alias("candidate"), "score", "together"
    )
    found = _from_seeds(
        seeds.withColumn("catalogue_id", F.col("track_id")), pairs, "catalogue_id", "listeners", ["population"]
    ).drop("support")
    known = pairs.select(
        "population",
        F.col("catalogue_id").alias("seed_track"),
        F.col("candidate").alias("track_id"),
        F.col("together").alias("support"),
    )
    told = seeds.select("user_id", "population", F.col("recording").alias("seed"), F.col("track_id").alias("seed_track"))
    joined = found.join(told, on=["user_id", "seed"], how="inner").join(
        known, on=["population", "seed_track", "track_id"], how="inner"
    )
    return joined.select(*CANDIDATE)


def of_a_like_taste(listeners: DataFrame, candidates: DataFrame) -> DataFrame:
    """Tracks near the listener among the factors of their population."""
    mine = candidates.join(listeners.select("user_id", "population"), on=["user_id", "population"], how="left_semi")
    return mine.select(
        "user_id",
        "track_id",
        F.lit("collaborative").alias("source"),
        "score",
        F.lit(None).cast("string").alias("seed"),
        F.lit(None).cast("bigint").alias("seed_count"),
        F.col("listeners").cast("bigint").alias("support"),
        F.col("of_listeners").cast("bigint").alias("support_of"),
    )


def of_favourite_artists(heard: DataFrame, listed: DataFrame) -> DataFrame:
    """The most popular tracks of the artists that the listener listens to most; told with all listens of the artist."""
    tracks = _best(listed.where("is_first"), ["artist_key"], ["popularity"], "track_id", TRACKS_AN_ARTIST)
    found = _favourite_artists(heard).join(tracks.select("artist_key", "track_id", "popularity"), on="artist_key", how="inner")
    score = F.col("affinity") * (F.lit(50.0) + F.col("popularity"))
    return _candidates(found, "artist", score, seed=F.col("artist_key"), seed_count=F.col("seed_count"))


def of_similar_artists(heard: DataFrame, listed: DataFrame, artist_neighbours: DataFrame) -> DataFrame:
    """The most popular tracks of artists like favourite ones, whom the listener has not heard; told with the favourite."""
    mine = _favourite_artists(heard).join(F.broadcast(artist_neighbours), on="artist_key", how="inner")
    known = heard.select("user_id", F.col("artist_key").alias("neighbour_key")).distinct()
    unheard = mine.join(known, on=["user_id", "neighbour_key"], how="left_anti")
    parts = unheard.withColumn("part", F.col("affinity") * F.col("score"))
    strongest_part = F.struct(ranking(F.col("part")).alias("part"), "artist_key")
    close = parts.groupBy("user_id", "neighbour_key").agg(
        _total("part").alias("pull"), F.max_by(F.struct("artist_key", "seed_count"), strongest_part).alias("seed")
    )
    tracks = _best(listed.where("is_first"), ["artist_key"], ["popularity"], "track_id", TRACKS_A_NEIGHBOUR).select(
        F.col("artist_key").alias("neighbour_key"), "track_id", "popularity"
    )
    found = close.join(tracks, on="neighbour_key", how="inner")
    score = F.col("pull") * (F.lit(50.0) + F.col("popularity"))
    return _candidates(found, "similar_artist", score, seed=F.col("seed.artist_key"), seed_count=F.col("seed.seed_count"))


def of_favourite_genres(heard: DataFrame, listed: DataFrame) -> DataFrame:
    """The most popular tracks of the genres that the listener listens to most; told with the genre's share of all listens."""
    spread = heard.select("user_id", "affinity", "listens", F.explode("genres").alias("genre"))
    genres = spread.groupBy("user_id", "genre").agg(_total("affinity").alias("affinity"), F.sum("listens").alias("seed_count"))
    genres = genres.where("affinity > 0")
    totals = heard.groupBy("user_id").agg(F.sum("listens").alias("support_of"))
    mine = _best(genres, ["user_id"], ["affinity"], "genre", FAVOURITE_GENRES).join(totals, on="user_id", how="inner")
    listed_genres = listed.where("is_first").select("track_id", "popularity", F.explode("genres").alias("genre"))
    tracks = _best(listed_genres, ["genre"], ["popularity"], "track_id", TRACKS_A_GENRE)
    found = mine.join(F.broadcast(tracks), on="genre", how="inner")
    # A track of two favourite genres is told with the one that says more for it.
    scored = found.withColumn("score", F.col("affinity") * (F.lit(1.0) + F.col("popularity")))
    once = _best(scored, ["user_id", "track_id"], ["score"], "genre", 1)
    return _candidates(
        once, "genre", F.col("score"), seed=F.col("genre"), seed_count=F.col("seed_count"), support=F.col("popularity"),
        support_of=F.col("support_of"),
    )  # fmt: skip


def popular_tracks(listeners: DataFrame, listed: DataFrame) -> DataFrame:
    """The catalogue's most popular tracks, for everybody: what a new listener gets."""
    top = listed.where("is_first").orderBy(F.desc("popularity"), "track_id").limit(POPULAR).select("track_id", "popularity")
    found = listeners.select("user_id").crossJoin(F.broadcast(top))
    return _candidates(found, "popular", F.col("popularity").cast("double"), support=F.col("popularity"))


def _favourite_artists(heard: DataFrame) -> DataFrame:
    """One row per listener and artist: the FAVOURITE_ARTISTS of most affinity, with all listens of the artist as `seed_count`."""
    artists = (
        heard.where("artist_key IS NOT NULL")
        .groupBy("user_id", "artist_key")
        .agg(_total("affinity").alias("affinity"), F.sum("listens").alias("seed_count"))
        .where("affinity > 0")
    )
    return _best(artists, ["user_id"], ["affinity"], "artist_key", FAVOURITE_ARTISTS)


def _from_seeds(seeds: DataFrame, pairs: DataFrame, key: str, source: str, also: Sequence[str] = ()) -> DataFrame:
    """Candidates by the summed affinity x score over the listener's seeds; told with the seed that adds most."""
    mine = seeds.select("user_id", "place", "affinity", key, *also)
    found = mine.join(pairs, on=[key, *also], how="inner").withColumn("part", F.col("affinity") * F.col("score"))
    # Part and place in one number: the greatest tells the seed, without a maximum of structs, which is several times as slow.
    packed = F.floor(F.col("part") * F.lit(1e6)).cast("bigint") * F.lit(1000) + (F.lit(999) - F.col("place"))
    summed = found.groupBy("user_id", "candidate").agg(_total("part").alias("score"), F.max(packed).alias("packed"))
    placed = summed.withColumn("place", (F.lit(999) - F.pmod("packed", F.lit(1000))).cast("int"))
    told = seeds.select("user_id", "place", F.col("recording").alias("seed"), F.col("listens").alias("seed_count"))
    joined = placed.join(told, on=["user_id", "place"], how="inner").withColumn("track_id", F.col("candidate"))
    return _candidates(joined, source, F.col("score"), seed=F.col("seed"), seed_count=F.col("seed_count"))


def strongest(unheard: DataFrame) -> DataFrame:
    """At most A_SOURCE candidates of each source and listener, of one artist's by that artist NEW_AN_ARTIST."""
    is_of_artist = F.col("source") == "artist"
    of_artist = Window.partitionBy("user_id", F.when(is_of_artist, F.col("seed"))).orderBy(F.desc("score"), "track_id")
    few = unheard.withColumn("_place", F.row_number().over(of_artist))
    few = few.where(~is_of_artist | (F.col("_place") <= NEW_AN_ARTIST)).drop("_place")
    return _best(few, ["user_id", "source"], ["score"], "track_id", A_SOURCE)


def _total(name: str) -> Column:
    """A sum that does not depend on the order of its parts, so that ties are the same ties each time."""
    return ranking(F.sum(name))


def _best(rows: DataFrame, within: Sequence[str], by: Sequence[str], tie_break: str, most: int) -> DataFrame:
    order = Window.partitionBy(*within).orderBy(*[F.desc(name) for name in by], tie_break)
    return rows.withColumn("_place", F.row_number().over(order)).where(F.col("_place") <= most).drop("_place")


def _candidates(
    found: DataFrame,
    source: str,
    score: Column,
    *,
    seed: Column | None = None,
    seed_count: Column | None = None,
    support: Column | None = None,
    support_of: Column | None = None,
) -> DataFrame:
    none = F.lit(None)
    return found.select(
        "user_id",
        "track_id",
        F.lit(source).alias("source"),
        ranking(score.cast("double")).alias("score"),
        (none if seed is None else seed).cast("string").alias("seed"),
        (none if seed_count is None else seed_count).cast("bigint").alias("seed_count"),
        # The sum leaves a column's comment behind, over which the embedded engine stumbles when it makes structs of a union.
        (none if support is None else support + F.lit(0)).cast("bigint").alias("support"),
        (none if support_of is None else support_of).cast("bigint").alias("support_of"),
    )
