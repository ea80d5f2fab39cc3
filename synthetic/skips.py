"""How long a track is played, and why it began and ended."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthetic.draws import Floats, Ints

# Share of plays left by a moment (Lamere 2014, Spotify's listeners), in ms; 48.6% are left before the end.
LEFT_BY_MS = (5_000, 10_000, 30_000)
LEFT_BY = (0.2414, 0.2897, 0.3505)
LEFT = 0.486
AT_ONCE = 0.02
"""Share of plays left within the first millisecond; the one real listener at hand has 2.5%."""

# Share of plays left before the end by age: high in the teens, lowest in the mid-thirties.
AGE_YEARS = (13, 18, 24, 30, 35, 42, 50, 65)
AGE_LEFT = (0.63, 0.585, 0.505, 0.375, 0.28, 0.34, 0.405, 0.365)
# Of two free parameters, fitted to 14 to 15 skips an hour: how early a play that lasted 30 s is left (1 is evenly), and the
# log odds more for a track e times as long as the usual one.
LATE_SHAPE = 6.0
LONGER, USUAL_MS = 0.8, 213_000
SESSION_SPREAD = 0.6
WEEKEND = 0.18
"""Log odds more at weekends."""

END_REASONS = ("trackdone", "fwdbtn", "endplay", "logout", "unexpected-exit")
START_REASONS = ("trackdone", "fwdbtn", "clickrow", "playbtn", "appload")
TRACKDONE, FWDBTN, ENDPLAY, LOGOUT = range(4)
NEXT_START = np.array([0, 1, 2, 2, 2], np.int8)
"""Reason for a start after each reason for an end, within a session."""
ENDPLAY_SHARE = 0.08


def log_odds(age: Ints, is_weekend: NDArray[np.bool_], impatience: Floats) -> Floats:
    """Log odds of leaving a play before its end."""
    share = np.interp(age, AGE_YEARS, AGE_LEFT)
    return np.asarray(np.log(share / (1 - share)) + WEEKEND * (is_weekend - 2 / 7) + impatience)


def ms_played(rng: np.random.Generator, duration: Ints, odds: Floats) -> Ints:
    """ms played per row: the track's length, or less where the listener leaves before the end."""
    odds = odds + LONGER * np.log(duration / USUAL_MS)
    leaves = rng.random(len(duration)) < 1 / (1 + np.exp(-odds))
    moment = rng.random(len(duration)) * LEFT
    early = np.interp(moment, (0, AT_ONCE, *LEFT_BY), (0, 0, *LEFT_BY_MS))
    late = np.clip((moment - LEFT_BY[-1]) / (LEFT - LEFT_BY[-1]), 0, 1) ** LATE_SHAPE
    played = np.where(moment < LEFT_BY[-1], early, LEFT_BY_MS[-1] + late * (duration - LEFT_BY_MS[-1]))
    # A track shorter than the moment is left anywhere.
    played = np.where(played < duration, played, moment / LEFT * duration).astype(np.int64)
    return np.where(leaves, np.clip(played, 0, duration - 1), duration)


def reasons(
    rng: np.random.Generator, is_left: NDArray[np.bool_], is_first: NDArray[np.bool_], is_last: NDArray[np.bool_]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Positions in START_REASONS and END_REASONS per row; first and last of a session begin and end it."""
    drawn = rng.random(len(is_left))
    end = np.where(drawn < ENDPLAY_SHARE, ENDPLAY, FWDBTN)
    closing = LOGOUT + (drawn > 0.7).astype(np.int64) - (drawn < 0.4)
    end = np.where(is_left, np.where(is_last, closing, end), TRACKDONE).astype(np.int8)
    opening = np.searchsorted((0.45, 0.8), rng.random(len(is_left)), side="right") + 2
    start = np.where(is_first, opening, NEXT_START[np.roll(end, 1)]).astype(np.int8)
    return start, end
