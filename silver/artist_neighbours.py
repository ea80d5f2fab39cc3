"""Which artists are close to each other, by what the sources of similar artists say together?"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.ranking import ranking

NEIGHBOURS = 10
"""Artists per artist: what stands further down says little, and each listener's 40 favourites are joined to them."""


@table(
    "silver.artist_neighbours",
    key=["artist_key", "neighbour_key"],
    scope="entity",
    schema=[
        column("artist_key", "string", "hash of the folded artist name"),
        column("neighbour_key", "string", "hash of the folded name of the similar artist"),
        column("score", "double", "mean of the sources' scaled scores, 0-1", nullable=False, between=(0, 1)),
        column("sources", "bigint", "number of sources that name the pair", nullable=False, at_least=1),
    ],
)
def artist_neighbours(similar_artists: DataFrame, *, recommend_similar_artists: bool) -> DataFrame:
    """One row per artist and similar artist, the 10 closest of each artist; empty unless recommendations use them."""
    used = similar_artists.where(F.lit(recommend_similar_artists) & (F.col("scaled_score") > 0))
    pairs = used.groupBy("artist_key", F.col("similar_artist_key").alias("neighbour_key")).agg(
        ranking(F.avg("scaled_score")).alias("score"), F.count(F.lit(1)).alias("sources")
    )
    order = Window.partitionBy("artist_key").orderBy(F.desc("score"), "neighbour_key")
    return pairs.withColumn("place", F.row_number().over(order)).where(F.col("place") <= NEIGHBOURS).drop("place")
