"""What is known before a listen starts: the features that the next listen's valence is predicted from."""

from __future__ import annotations

import math
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from music.statistics import ratio

LAGS = 30
SLOW, FAST = 0.1, 0.3
"""Weights of the newest listen in the two exponentially weighted means."""
FOLLOWED = {"artist": "artist_key", "track": "track_id", "album": "album_key"}
CARRIED = ("energy", "danceability", "acousticness", "instrumentalness", "loudness", "tempo", "mode")
PRIOR_SESSION, PRIOR_HOUR, PRIOR_FOLLOWER = 3, 20, 5
"""Listens that the listener's own mean weighs in means over few listens."""

BASELINES = {
    "listener's mean": "mean_so_far",
    "mean by hour of week": "hour_of_week_mean",
    "last listen": "valence_1",
    "exponentially weighted mean": "slow_mean",
}
FEATURES = (
    *[f"valence_{lag}" for lag in range(1, 6)],
    *["slow_mean", "fast_mean", "mean_of_20", "mean_of_100", "mean_of_500", "mean_so_far"],
    *["session_mean", "session_listens", "is_same_session", "last_in_session", "minutes_since"],
    *["hour_of_week_mean", "hour_of_day_mean", "hour_sine", "hour_cosine", "is_weekend_number"],
    *["artist_mean_so_far", "after_artist_mean", "after_track_mean", "after_album_mean"],
    *[f"last_{name}" for name in CARRIED],
)


def with_history(listening_with_features: DataFrame) -> DataFrame:
    """One row per measured listen, with what its listener's earlier measured listens and the clock tell (FEATURES).

    Nothing of the listen itself but its start, and nothing later, is in a feature: `session_mean` is of the session so
    far, `after_artist_mean` of the listens that followed the artist now just heard. Estimated features are not used.
    """
    measured = listening_with_features.where("is_listen AND is_measured AND valence IS NOT NULL").select(
        *["user_id", "play_id", "play_number", "played_at", "ended_at", "session_id", "track_id", "artist_key", "album_key"],
        *["hour_of_day", "day_of_week", "is_weekend", "valence", *CARRIED],
    )
    # What is many columns comes last: the windows before would sort and cut it with each of their rows.
    return _in_order(_among_like(_followed(measured))).select(
        *["user_id", "play_id", "play_number", "played_at", "session_id", "hour_of_day", "day_of_week"],
        *["valence", "energy", "tempo"],
        *FEATURES,
    )


def _followed(measured: DataFrame) -> DataFrame:
    """Add the listener's recent means, and whose artist, track and album came just before."""
    in_order = Window.partitionBy("user_id").orderBy("play_number")
    means = {f"mean_of_{n}": F.avg("valence").over(in_order.rowsBetween(-n, -1)) for n in (100, 500)}
    last = {f"last_{key}": F.lag(key).over(in_order) for key in FOLLOWED.values()}
    return measured.withColumns({**means, **last}).drop("track_id", "album_key")


def _among_like(listens: DataFrame) -> DataFrame:
    """Add what earlier listens of the session and the hour tell, and those that followed the same artist, track and album."""
    return listens.withColumns(
        {
            "session_listens": F.log1p(_number_before("session_id")),
            "session_mean": _shrunk(["session_id"], PRIOR_SESSION, "mean_of_100"),
            "hour_of_week_mean": _shrunk(["day_of_week", "hour_of_day"], PRIOR_HOUR),
            "hour_of_day_mean": _shrunk(["hour_of_day"], PRIOR_HOUR),
            **{f"after_{name}_mean": _shrunk([f"last_{key}"], PRIOR_FOLLOWER) for name, key in FOLLOWED.items()},
            "artist_so_far": F.avg("valence").over(_before(["artist_key"], up_to=0)),
        }
    ).drop("artist_key", "mean_of_500", *[f"last_{key}" for key in FOLLOWED.values()])


def _in_order(listens: DataFrame) -> DataFrame:
    """Add what the last listens tell, and the clock."""
    in_order = Window.partitionBy("user_id").orderBy("play_number")
    before = listens.withColumns(
        {
            **{f"valence_{lag}": F.lag("valence", lag).over(in_order) for lag in range(1, LAGS + 1)},
            **{f"mean_of_{n}": F.avg("valence").over(in_order.rowsBetween(-n, -1)) for n in (20, 500)},
            "mean_so_far": F.avg("valence").over(in_order.rowsBetween(Window.unboundedPreceding, -1)),
            "listens_before": _number_before(),
            "artist_mean_so_far": F.lag("artist_so_far").over(in_order),
            **{f"last_{name}": F.lag(name).over(in_order) for name in (*CARRIED, "session_id", "ended_at")},
        }
    )
    angle = F.col("hour_of_day").cast("double") * F.lit(2 * math.pi / 24)
    is_same = F.coalesce((F.col("last_session_id") == F.col("session_id")).cast("double"), F.lit(0.0))
    seconds = (F.unix_micros("played_at") - F.unix_micros("last_ended_at")) / F.lit(1e6)
    return before.withColumns(
        {
            "slow_mean": _weighted(SLOW),
            "fast_mean": _weighted(FAST),
            **{f"last_{name}": F.col(f"last_{name}").cast("double") for name in CARRIED},
            "is_same_session": is_same,
            "last_in_session": (F.col("valence_1") - F.col("mean_of_100")) * is_same,
            "minutes_since": F.log1p(F.greatest(seconds, F.lit(0.0)) / F.lit(60.0)),
            "hour_sine": F.sin(angle),
            "hour_cosine": F.cos(angle),
            "is_weekend_number": F.col("is_weekend").cast("double"),
        }
    )


def _before(keys: list[str], up_to: int = -1) -> WindowSpec:
    """The listener's earlier listens of the same keys."""
    return Window.partitionBy("user_id", *keys).orderBy("play_number").rowsBetween(Window.unboundedPreceding, up_to)


def _number_before(*keys: str) -> Column:
    """How many earlier listens of the same keys there are; counted by place, which costs the engines less than a count."""
    return (F.row_number().over(Window.partitionBy("user_id", *keys).orderBy("play_number")) - F.lit(1)).cast("double")


def _shrunk(keys: list[str], prior: int, towards: str = "mean_of_500") -> Column:
    """Mean valence of earlier listens of the same keys, drawn to a wider mean by `prior` listens of it."""
    total, n = F.coalesce(F.sum("valence").over(_before(keys)), F.lit(0.0)), _number_before(*keys)
    return (total + F.lit(float(prior)) * F.col(towards)) / (n + F.lit(float(prior)))


def _weighted(share: float) -> Column:
    """Exponentially weighted mean of the last LAGS valences, the newest weighing `share`; null without any."""
    kept = 1 - share
    terms = [F.coalesce(F.col(f"valence_{i}"), F.lit(0.0)) * F.lit(share * kept ** (i - 1)) for i in range(1, LAGS + 1)]
    number = F.least(F.col("listens_before"), F.lit(float(LAGS)))
    return ratio(reduce(lambda total, term: total + term, terms), F.lit(1.0) - F.pow(F.lit(kept), number))
