"""All tracks of the catalogue and all heard tracks, once each, with the best features available."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, row_count, table
from music.audio_features import FEATURE_COLUMNS, FEATURES, LADDER, STAND_IN
from music.catalogues import CATALOGUES
from music.feature_ladder import with_features
from music.names import album_key, artist_key, hashed, with_folded
from silver.credits import credited
from silver.recording_ids import tracks_of_recordings


def tracks_of_made_recordings(changed: DataFrame, heard_tracks: DataFrame) -> DataFrame:
    """The tracks that corrections make of the changed recordings: one row (track_id) each."""
    return _made(heard_tracks).join(F.broadcast(changed), on="recording_id", how="left_semi").select("track_id")


@table(
    "silver.tracks",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id, or local: + hash of folded artist and title"),
        column("recording_id", "string", "recording that it is, of silver.recordings", nullable=False),
        column("representative_id", "string", "track_id that represents the recording", nullable=False),
        column("track_name", "string", "title; from the catalogue where it has the track"),
        column("artist_name", "string", "first credited artist"),
        column("artist_key", "string", "hash of the folded first artist"),
        column("artists", "array<string>", "all credited artists, in order"),
        column("artist_keys", "array<string>", "their keys, each once", nullable=False),
        column("album_name", "string", "album"),
        column("album_key", "string", "hash of folded first artist and album"),
        column("genres", "array<string>", "genres in the catalogue, sorted; else the artist's main genre; else empty"),
        column("popularity", "int", "popularity in the catalogue, 0-100"),
        column("duration_ms", "bigint", "length, ms"),
        column("explicit", "boolean", "explicit lyrics, from the catalogue"),
        *FEATURE_COLUMNS,
        column("feature_source", "string", "rung of the feature ladder; null without features", one_of=LADDER),
        column("matched_track_id", "string", "catalogue track that the features were taken from"),
        column(
            "catalogue_source",
            "string",
            "first catalogue that has matched_track_id; what it does not tell is from the next one that does",
            one_of=CATALOGUES,
        ),
        column("in_catalogue", "boolean", "the catalogue contains this id", nullable=False),
    ],
    rules=[row_count(0.5)],
    touches={"recordings": [(tracks_of_recordings, "recording_ids"), (tracks_of_made_recordings, "heard_tracks")]},
)
def tracks(
    heard_tracks: DataFrame,
    catalogue: DataFrame,
    catalogue_names: DataFrame,
    catalogue_artists: DataFrame,
    track_features: DataFrame,
    track_features_synthetic: DataFrame,
    recording_ids: DataFrame,
    recordings: DataFrame,
    names: DataFrame,
) -> DataFrame:
    """One row per track in the catalogue or with a kept play."""
    named = _named(heard_tracks, catalogue, names).join(_ids(recording_ids, recordings, heard_tracks), on="track_id", how="inner")
    # The ladder goes by the id whose features a track has, which differs from its own where a correction made it.
    renamed = named.withColumnsRenamed({"track_id": "own_id", "features_id": "track_id"})
    found = with_features(renamed, catalogue, catalogue_names, catalogue_artists, track_features)
    laddered = found.drop("track_id").withColumnRenamed("own_id", "track_id")
    stand_ins = [F.col(name).alias(f"synthetic_{name}") for name in FEATURES]
    synthetic = track_features_synthetic.select("track_id", F.lit(True).alias("is_synthetic"), *stand_ins)
    joined = laddered.join(synthetic, on="track_id", how="left")
    use_synthetic = F.col("feature_source").isNull() & F.col("is_synthetic")
    return joined.select(
        *["track_id", "recording_id", "representative_id"],
        *["track_name", "artist_name", "artist_key", "artists", "artist_keys", "album_name", "album_key"],
        *["genres", "popularity", "duration_ms", "explicit"],
        *[F.when(use_synthetic, F.col(f"synthetic_{name}")).otherwise(F.col(name)).alias(name) for name in FEATURES],
        F.when(use_synthetic, STAND_IN).otherwise(F.col("feature_source")).alias("feature_source"),
        *["matched_track_id", "catalogue_source", "in_catalogue"],
    )


def _made(heard_tracks: DataFrame) -> DataFrame:
    """One row (track_id, recording_id) per track that corrections make."""
    of_names = F.coalesce("name_key", hashed(F.col("track_id"))).alias("recording_id")
    return heard_tracks.where("features_id <> track_id").select("track_id", of_names)


def _ids(recording_ids: DataFrame, recordings: DataFrame, heard_tracks: DataFrame) -> DataFrame:
    """One row (track_id, recording_id, representative_id) per track. One that corrections make may stand for its recording."""
    represented = recordings.select("recording_id", F.col("track_id").alias("representative_id"))
    made = _made(heard_tracks)
    known = recording_ids.select("track_id", "recording_id").join(represented, on="recording_id", how="inner")
    own = F.coalesce("representative_id", "track_id").alias("representative_id")
    return known.unionByName(made.join(represented, on="recording_id", how="left").select("track_id", "recording_id", own))


def _named(heard_tracks: DataFrame, catalogue: DataFrame, names: DataFrame) -> DataFrame:
    """One row per track of either input; names come from the catalogue if it has the track."""
    # Synthetic listeners say nothing of catalogue tracks: what a real listener sees does not depend on them.
    is_told = F.col("by_real") | F.col("is_listed").isNull()
    told = ("track_name", "artist_name", "further_artists", "album_name", "name_key", "features_id")
    heard = heard_tracks.select("track_id", "by_real", *[F.col(name).alias(f"heard_{name}") for name in told])
    listed = catalogue.select(
        "track_id", "track_name", "artists", "album_name", "popularity", "explicit", F.lit(True).alias("is_listed")
    )
    joined = listed.join(heard, on="track_id", how="full").withColumns(
        {f"heard_{name}": F.when(is_told, F.col(f"heard_{name}")) for name in told}
    )
    credit = F.concat(F.array("heard_artist_name"), F.coalesce("heard_further_artists", F.array().cast("array<string>")))
    heard_artist = F.when(F.col("heard_artist_name").isNotNull(), credit).otherwise(F.array().cast("array<string>"))
    artists = F.when(F.size("artists") > 0, F.col("artists")).otherwise(heard_artist)
    first = F.get(artists, F.lit(0))
    tracks = joined.select(
        "track_id",
        F.coalesce("track_name", "heard_track_name").alias("track_name"),
        first.alias("artist_name"),
        F.col("heard_name_key").alias("name_key"),
        F.coalesce("heard_features_id", "track_id").alias("features_id"),
        artists.alias("artists"),
        F.coalesce("album_name", "heard_album_name").alias("album_name"),
        *["popularity", "explicit"],
        F.coalesce("is_listed", F.lit(False)).alias("in_catalogue"),
    )
    folded = with_folded(tracks, names, {"artist_name": {"artist": "folded"}, "album_name": {"album": "folded"}})
    keys = {"artist_key": artist_key(F.col("artist")), "album_key": album_key(F.col("artist"), F.col("album"))}
    credits = credited(tracks, names).groupBy("track_id").agg(F.array_sort(F.collect_list("artist_key")).alias("artist_keys"))
    keyed = folded.withColumns(keys).drop("artist", "album").join(credits, on="track_id", how="left")
    return keyed.withColumn("artist_keys", F.coalesce("artist_keys", F.array().cast("array<string>")))
