"""Who listens: when they joined and left, where they live, how much, when in the day, how broadly and how patiently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthetic.draws import Floats, Ints
from synthetic.period import Period

# (IANA time zone, ISO 3166 country, share of listeners)
PLACES = (
    ("America/New_York", "US", 0.16),
    ("America/Chicago", "US", 0.09),
    ("America/Los_Angeles", "US", 0.09),
    ("America/Sao_Paulo", "BR", 0.10),
    ("America/Mexico_City", "MX", 0.08),
    ("Europe/London", "GB", 0.09),
    ("Europe/Berlin", "DE", 0.08),
    ("Europe/Madrid", "ES", 0.06),
    ("Europe/Paris", "FR", 0.05),
    ("Europe/Stockholm", "SE", 0.03),
    ("Europe/Istanbul", "TR", 0.03),
    ("Asia/Kolkata", "IN", 0.05),
    ("Asia/Tokyo", "JP", 0.03),
    ("Asia/Manila", "PH", 0.03),
    ("Australia/Sydney", "AU", 0.03),
)
PLATFORMS = ("android", "ios", "windows", "osx", "web_player", "cast to device")
PLATFORM_SHARE = (0.42, 0.34, 0.09, 0.06, 0.05, 0.04)

AT_START = 0.4
"""Share of listeners who are there when the period begins; the others join at a growing rate."""
GROWTH = 1.0
"""Log of how many times as many listeners join at the end of the period as at its beginning."""
LIFETIME = 1.2
"""Mean time until a listener leaves, in periods (exponential)."""
SHORTEST_DAYS = 7.0
MOST_SESSIONS_A_DAY = 10.0
"""Nobody has more on average, so that sessions fit into days."""

# Share of sessions per part of the day; how far the weights vary between people (Dirichlet concentration).
BLOCKS = np.array([0.20, 0.25, 0.28, 0.20, 0.07])
BLOCK_CONCENTRATION = 12.0
CHRONOTYPE_HOURS = 0.8

# Within a listener: exponent of the artist ranks and how many artists there are; fitted to HetRec 2011 Last.fm.
RANK_EXPONENT, RANK_EXPONENT_SPREAD = 0.18, 0.92
ARTISTS_MEDIAN, ARTISTS_SPREAD = 800.0, 0.8
REPEAT_SHARE = (3.0, 6.0)
"""Beta parameters of a listener's share of plays that are repeats."""

YOUNGEST = 13
AGES = (1.7, 8.0)
"""Years above the youngest: gamma shape and scale."""


@dataclass(frozen=True)
class Listeners:
    """Consecutive listeners, an array element each; times in days since the period's first day."""

    number: Ints
    """from 1"""
    place: NDArray[np.int8]
    platform: NDArray[np.int8]
    age: Ints
    joined: Floats
    days: Floats
    sessions_a_day: Floats
    blocks: Floats
    """(listeners, 5): running sum of the shares of the parts of the day"""
    chronotype: Floats
    """hours later than others"""
    rank_exponent: Floats
    artists: Ints
    repeat_share: Floats
    impatience: Floats
    """log odds of skipping above those of one's age"""
    shuffle_share: Floats

    def __len__(self) -> int:
        return len(self.number)


def mean_days(period_days: float) -> float:
    """Expected days between joining and leaving."""
    joined = _joined((np.arange(1000) + 0.5) / 1000, period_days)
    life = LIFETIME * period_days
    stays = life * (1 - np.exp(-(period_days - joined) / life))
    return float(np.maximum(stays, SHORTEST_DAYS).mean())


def _joined(uniform: Floats, period_days: float) -> Floats:
    grown = np.log1p(np.clip(uniform - AT_START, 0, None) / (1 - AT_START) * np.expm1(GROWTH)) / GROWTH
    return np.asarray(grown * max(period_days - SHORTEST_DAYS, 0.0))


def draw(rng: np.random.Generator, first: int, count: int, *, period: Period, sessions: float) -> Listeners:
    """Listeners `first` .. `first + count - 1`, who have `sessions` sessions each on average beside the one everybody has."""
    first_day, period_days = period.open_days
    joined = _joined(rng.random(count), period_days)
    stays = np.minimum(rng.exponential(LIFETIME * period_days, count), period_days - joined)
    parts = rng.gamma(BLOCKS * BLOCK_CONCENTRATION, size=(count, len(BLOCKS)))
    shares = np.array([share for _, _, share in PLACES])
    artists = rng.lognormal(np.log(ARTISTS_MEDIAN), ARTISTS_SPREAD, count)
    return Listeners(
        number=np.arange(first, first + count, dtype=np.int64),
        place=rng.choice(len(PLACES), count, p=shares).astype(np.int8),
        platform=rng.choice(len(PLATFORMS), count, p=PLATFORM_SHARE).astype(np.int8),
        age=np.minimum(YOUNGEST + rng.gamma(*AGES, count), 90).astype(np.int64),
        joined=first_day + joined,
        days=np.maximum(stays, min(SHORTEST_DAYS, period_days)),
        sessions_a_day=np.minimum(rng.exponential(sessions / mean_days(period_days), count), MOST_SESSIONS_A_DAY),
        blocks=np.cumsum(parts / parts.sum(axis=1, keepdims=True), axis=1),
        chronotype=rng.normal(0.0, CHRONOTYPE_HOURS, count),
        rank_exponent=np.clip(rng.normal(RANK_EXPONENT, RANK_EXPONENT_SPREAD, count), -0.5, 2.0),
        artists=np.maximum(artists, 3).astype(np.int64),
        repeat_share=rng.beta(*REPEAT_SHARE, count),
        impatience=rng.normal(0.0, 0.45, count),
        shuffle_share=rng.beta(1.2, 1.0, count),
    )
