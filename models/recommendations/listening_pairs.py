"""What recommenders learn from: listens per listener and track in three windows of time, of a capped sample of listeners."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.populations import listeners_in
from music.ranking import ranking
from music.splits import LISTENS_BEFORE
from recommenders.expected import activation
from recommenders.interactions import Interactions, from_pairs
from recommenders.protocol import RECENT_DAYS, with_all_plays, with_recent

MOST_LISTENERS = 2_000
LEAST_LISTENERS = 20
"""With fewer listeners, nothing can be learned about which tracks go together."""
TRACKS_A_LISTENER = 200
"""A listener's most played tracks show what goes together; a heavy listener's other tracks cost most and show least."""
LISTENERS_A_TRACK = 3
DAY_SECONDS = 86_400
YEAR_SECONDS = 365 * DAY_SECONDS
LEAST_YEARS = 4


@dataclass(frozen=True)
class Listens:
    """One row per listener, track and window 0-2: `pairs` (user, item, window, plays, last), without skipped and short plays.

    `played`: the same for all plays (user, item, window, artist, played, returning_1, returning_2), where the last two are
    the activation of the plays over windows 1 and 2. `bounds`: the start of these windows. Times are seconds since 1970.
    """

    pairs: pd.DataFrame
    played: pd.DataFrame
    bounds: tuple[float, float]
    end: float

    @property
    def listeners(self) -> int:
        return int(self.pairs["user"].nunique())

    def before(self, window: int) -> pd.DataFrame:
        """Rows of the earlier windows."""
        rows: pd.DataFrame = self.pairs[self.pairs["window"] < window]
        return rows

    def within(self, window: int) -> pd.DataFrame:
        """Rows of a window."""
        rows: pd.DataFrame = self.pairs[self.pairs["window"] == window]
        return rows

    def known(self, window: int) -> Interactions:
        """The rows known when the window starts, for tracks that enough listeners know by then."""
        before = of_known_tracks(self.before(window))
        start = (self.bounds[0], self.bounds[1], self.end)[window - 1]
        data = with_recent(from_pairs(before), before[before["last"] >= start - RECENT_DAYS * DAY_SECONDS])
        everything = self.played[self.played["window"] < window]
        return with_all_plays(data, everything.rename(columns={f"returning_{window}": "returning"}))


def has_enough(users: DataFrame, population: str) -> bool:
    """Whether the population has enough listeners to learn from each other."""
    return listeners_in(users, population).limit(LEAST_LISTENERS).count() == LEAST_LISTENERS


def listens_of(listening_with_features: DataFrame, users: DataFrame, population: str) -> Listens:
    """The listens without skips, and all plays, of up to MOST_LISTENERS of a population, chosen by the hash of their ids.

    Windows 1 and 2 begin after LISTENS_BEFORE of the listens; with fewer than LEAST_LISTENERS listeners and more than
    LEAST_YEARS of listens, they begin two years and one year before the last listen.
    """
    chosen = listeners_in(users, population).select("user_id").orderBy(F.md5("user_id"), "user_id").limit(MOST_LISTENERS)
    at = F.unix_micros("played_at") / F.lit(1e6)
    plays = listening_with_features.join(F.broadcast(chosen), on="user_id", how="left_semi").select(
        "user_id", "track_id", "artist_key", at.alias("at"), F.expr("is_listen AND NOT is_skip").alias("counts")
    )
    first, second, end, start, listeners = (
        plays.where("counts")
        .agg(
            *[F.percentile("at", F.lit(share)) for share in LISTENS_BEFORE], F.max("at"), F.min("at"), F.count_distinct("user_id")
        )
        .toPandas()
        .to_numpy(dtype=float)[0]
    )
    # One listener's taste changes slowly: whole years are the better question where there are enough.
    if listeners < LEAST_LISTENERS and end - start > LEAST_YEARS * YEAR_SECONDS:
        first, second = end - 2 * YEAR_SECONDS, end - YEAR_SECONDS
    window = (F.col("at") >= F.lit(float(first))).cast("int") + (F.col("at") >= F.lit(float(second))).cast("int")
    counted = (
        plays.groupBy("user_id", "track_id", window.alias("window"))
        .agg(
            F.count_if("counts").cast("double").alias("plays"),
            F.max(F.when(F.col("counts"), F.col("at"))).alias("last"),
            F.max("artist_key").alias("artist"),
            F.count(F.lit(1)).cast("double").alias("played"),
            returning(first, second).alias("returning_1"),
            returning(second, end).alias("returning_2"),
        )
        .toPandas()
        .rename(columns={"user_id": "user", "track_id": "item"})
        .sort_values(["user", "item", "window"], ignore_index=True)
    )
    pairs = counted.loc[counted["plays"] > 0, ["user", "item", "window", "plays", "last"]].reset_index(drop=True)
    return Listens(pairs, counted.drop(columns=["plays", "last"]), (float(first), float(second)), float(end))


def returning(start: float, end: float) -> Column:
    """Aggregate: the activation from start to end (seconds since 1970) of the plays before start, ages in days."""
    age = (F.lit(float(start)) - F.col("at")) / F.lit(DAY_SECONDS)
    before = F.when(F.col("at") < F.lit(float(start)), activation(age, float(end - start) / DAY_SECONDS))
    return ranking(F.coalesce(F.sum(before), F.lit(0.0)))


def of_known_tracks(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rows of tracks that at least LISTENERS_A_TRACK listeners of the population heard; all rows if it has few listeners."""
    if pairs["user"].nunique() < LEAST_LISTENERS:
        return pairs
    heard = pairs.drop_duplicates(["user", "item"]).groupby("item")["user"].size()
    kept: pd.DataFrame = pairs[pairs["item"].isin(heard.index[heard >= LISTENERS_A_TRACK])]
    return kept


def most_played(data: Interactions, tracks: int = TRACKS_A_LISTENER) -> Interactions:
    """Only each listener's most played tracks; ties go to the lowest id."""
    matrix = data.matrix.tocsr()
    count = np.diff(matrix.indptr)
    user = np.repeat(np.arange(matrix.shape[0]), count)
    order = np.lexsort((matrix.indices, -matrix.data, user))
    place = np.empty(matrix.nnz, dtype=np.int64)
    place[order] = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], count)
    kept = matrix.copy()
    kept.data = np.where(place < tracks, matrix.data, 0.0)
    kept.eliminate_zeros()
    return replace(data, matrix=kept)
