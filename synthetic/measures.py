"""How people listen, measured: the statistics of the listeners' facts, for generated and real histories alike."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthetic.draws import Floats, Ints, positions_in_runs
from synthetic.sessions import HOUR_MS, SATURDAY

TOP_ARTISTS = 50
"""HetRec 2011 Last.fm lists this many artists per listener; slopes and shares are taken over them."""
FEWEST_ARTISTS = 10
DAY_HOURS = 24
BREAK_MS = 30 * 60_000
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday, Monday being 0."""


@dataclass(frozen=True)
class History:
    """Plays in order of listener and start; `listener`, `track` and `artist` are codes from 0, times ms since 1970."""

    listener: Ints
    start: Ints
    local: Ints
    played: Ints
    is_left: NDArray[np.bool_]
    """left before the end"""
    track: Ints
    artist: Ints
    tempo: Floats
    """NaN where unknown"""
    danceability: Floats

    def __len__(self) -> int:
        return len(self.listener)

    @property
    def hour(self) -> Floats:
        return (self.local % (DAY_HOURS * HOUR_MS)) / HOUR_MS

    @property
    def weekday(self) -> Ints:
        """0 Monday - 6 Sunday."""
        return (self.local // (DAY_HOURS * HOUR_MS) + EPOCH_WEEKDAY) % 7

    @property
    def number(self) -> Ints:
        """Plays of the listener before this one."""
        return positions_in_runs(np.bincount(self.listener))


def skips(history: History) -> dict[str, float]:
    """Shares (0-1) of plays left by a moment, and skips per hour listened."""
    left, weekend = history.is_left, history.weekday >= SATURDAY
    return {
        "left with 0 ms": float((left & (history.played == 0)).mean()),
        "left within 5 s": float((left & (history.played < 5_000)).mean()),
        "left within 30 s": float((left & (history.played < 30_000)).mean()),
        "left before the end": float(left.mean()),
        "left before the end, weekends less weekdays": float(left[weekend].mean() - left[~weekend].mean()),
        "left per hour played": float(left.sum() / (history.played.sum() / HOUR_MS)),
    }


def skips_by_age(history: History, listeners: Path) -> dict[str, float]:
    """Share (0-1) of plays left before the end by age; `listeners` is the CSV that lists the generated listeners in order."""
    with listeners.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if int(row["plays"])]
    age = np.array([int(row["age"]) for row in rows])[history.listener]
    spans = {"teens": (13, 19), "ages 33-37": (33, 37)}
    return {
        f"left before the end, {name}": float(history.is_left[(age >= low) & (age <= high)].mean())
        for name, (low, high) in spans.items()
    }


def sessions(history: History) -> dict[str, float]:
    """Plays per session (breaks over 30 minutes) and the spread of their logarithm; a log-normal has skewness 0."""
    quiet = history.start[1:] - (history.start + history.played)[:-1]
    begins = np.concatenate([[True], (quiet > BREAK_MS) | (np.diff(history.listener) != 0)])
    length = np.diff(np.append(np.flatnonzero(begins), len(history)))
    logs = np.log(length)
    return {
        "plays a session, mean": float(length.mean()),
        "plays a session, median": float(np.median(length)),
        "log plays a session, standard deviation": float(logs.std()),
    }


def artist_popularity(history: History) -> dict[str, float]:
    """Shares of plays of the most played artists among those played, and the Gini coefficient over them."""
    plays = np.sort(np.bincount(history.artist))
    plays = plays[plays > 0].astype(np.float64)
    summed = np.cumsum(plays) / plays.sum()
    n = len(plays)
    return {
        "artists played": float(n),
        "top 1% of artists, share of plays": float(1 - summed[n - max(1, n // 100) - 1]),
        "top 10% of artists, share of plays": float(1 - summed[n - max(1, n // 10) - 1]),
        "Gini coefficient of artists": float((n + 1 - 2 * summed.sum()) / n),
    }


def within_listener(history: History) -> dict[str, float]:
    """Over listeners with 10 artists or more: slope of log plays on log rank, shares of the top artist and top five."""
    n_artists = int(history.artist.max()) + 1
    of_pair, plays = np.unique(history.listener * n_artists + history.artist, return_counts=True)
    listener = of_pair // n_artists
    order = np.lexsort((-plays, listener))
    listener, plays = listener[order], plays[order].astype(np.float64)
    rank = positions_in_runs(np.bincount(listener)) + 1
    has_enough = np.bincount(listener)[listener] >= FEWEST_ARTISTS
    kept = (rank <= TOP_ARTISTS) & has_enough
    listener, plays, rank = np.unique(listener[kept], return_inverse=True)[1], plays[kept], rank[kept]

    def total(values: Floats) -> Floats:
        return np.bincount(listener, values).astype(np.float64)

    x, y, n = np.log(rank), np.log(plays), np.bincount(listener)
    slope = (n * total(x * y) - total(x) * total(y)) / (n * total(x * x) - total(x) ** 2)
    top, five = (total(plays * (rank <= k)) / total(plays) for k in (1, 5))
    low, middle, high = np.percentile(slope, [10, 50, 90])
    return {
        "rank slope, p10": float(low),
        "rank slope, median": float(middle),
        "rank slope, p90": float(high),
        "top artist, median share": float(np.median(top)),
        "top five artists, median share": float(np.median(five)),
    }


def returns(history: History) -> dict[str, float]:
    """Repeats of a track, and how a return grows rarer: slope of log P(same track k plays before) on log k, k = 2 to 100."""
    first = np.unique(history.listener * (int(history.track.max()) + 1) + history.track, return_index=True)[1]
    lags = np.unique(np.geomspace(2, 100, 15).astype(np.int64))
    number = history.number
    chance = np.array([share_same_after(history, number, int(lag)) for lag in lags])
    seen = chance > 0
    slope = np.polyfit(np.log(lags[seen]), np.log(chance[seen]), 1)[0] if seen.sum() > 2 else np.nan
    return {"plays of a track heard before": 1 - len(first) / len(history), "return slope": float(slope)}


def share_same_after(history: History, number: Ints, lag: int) -> float:
    """Share of plays, of those that have `lag` plays of the listener before them, whose track is the one `lag` plays before."""
    has_past = number[lag:] >= lag
    same = (history.track[lag:] == history.track[:-lag])[has_past]
    return float(same.mean()) if len(same) else 0.0


def hours(history: History) -> dict[str, float]:
    """Hour of the local day (three-hour mean) at which tempo and danceability are lowest and highest, and by how much."""
    found: dict[str, float] = {}
    for name in ("tempo", "danceability"):
        values = getattr(history, name)
        known = ~np.isnan(values)
        hour = history.hour[known].astype(np.int64)
        total = np.bincount(hour, values[known], minlength=DAY_HOURS)
        count = np.bincount(hour, minlength=DAY_HOURS)
        total, count = (np.roll(v, -1) + v + np.roll(v, 1) for v in (total, count))
        mean = total / np.maximum(count, 1)
        found[f"{name} lowest at hour"] = float(np.argmin(np.where(count, mean, np.inf)))
        found[f"{name} highest at hour"] = float(np.argmax(np.where(count, mean, -np.inf)))
        found[f"{name}, highest less lowest"] = float(np.ptp(mean[count > 0]))
    weekend = history.weekday >= SATURDAY
    # A day of listening begins at 5 o'clock.
    since_five = (history.hour - 5) % DAY_HOURS
    found["weekends later than weekdays, hours"] = float(np.median(since_five[weekend]) - np.median(since_five[~weekend]))
    return found


def all_measures(history: History) -> dict[str, float]:
    """Every figure by name."""
    parts = (skips, sessions, artist_popularity, within_listener, returns, hours)
    return {name: value for part in parts for name, value in part(history).items()}
