"""Structure put in on purpose and written down, so that analyses can be tested for finding it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from synthetic.catalogue import Catalogue
from synthetic.draws import Floats, Ints
from synthetic.period import Period

OWN_GENRES = 0.9
"""Share of a taste group's artists that come from the group's genres."""
WEEK_FACTOR = 5
SADDEST_OF = 16
"""On Mondays the sad listener plays the track of least valence of so many."""
MONDAY = 0
# Both have a history through the whole period that is large enough to find a change in, and a week that can hold five.
SESSIONS_A_DAY = 1.2
REPEAT_SHARE = 0.3


@dataclass(frozen=True)
class Planted:
    """What is planted; listeners by number, from 1."""

    groups: tuple[tuple[str, ...], ...]
    """genres of each taste group; listener n belongs to group (n - 1) % len(groups)"""
    sad_on_mondays: int
    binge: int
    binge_day: int
    """first day (a Monday) of the week, counted from the period's start"""

    def group_of(self, number: Ints) -> Ints:
        return np.asarray((number - 1) % len(self.groups))

    def as_json(self, period: Period, name: str) -> dict[str, Any]:
        """What to look for, with `name` a pattern that turns a number into a listener's id."""
        first = period.start + timedelta(days=self.binge_day)
        return {
            "taste_groups": {
                "rule": f"listener {name} belongs to group (number - 1) % {len(self.groups)}",
                "own_genres_share": OWN_GENRES,
                "groups": [list(genres) for genres in self.groups],
            },
            "mood_falls_on_mondays": {
                "user_id": name.format(number=self.sad_on_mondays),
                "feature": "valence",
                "day_of_week": 1,
                "direction": "lower",
            },
            "anomaly_week": {
                "user_id": name.format(number=self.binge),
                "first_day": first.isoformat(),
                "last_day": (first + timedelta(days=6)).isoformat(),
                "times_as_many_plays": WEEK_FACTOR,
            },
        }


def plan(catalogue: Catalogue, listeners: int, period: Period, seed: int, groups: int) -> Planted:
    """Genres dealt to groups in order of popularity; two listeners and a week of the middle half of the period.

    Raises ValueError where there are too few listeners, genres or weeks.
    """
    if not 1 < groups <= len(catalogue.genres):
        raise ValueError(f"{groups} taste groups: need at least 2, at most the catalogue's {len(catalogue.genres)} genres")
    if listeners < max(groups, 2) or period.days < 56:
        raise ValueError("planted structure needs at least as many listeners as groups, and 8 weeks")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))
    order = np.lexsort((np.array(catalogue.genres), -catalogue.genre_weight))
    dealt = tuple(tuple(catalogue.genres[g] for g in order[start::groups]) for start in range(groups))
    sad, binge = rng.choice(listeners, 2, replace=False) + 1
    day = int(rng.integers(period.days // 4, period.days * 3 // 4))
    return Planted(dealt, int(sad), int(binge), day - int(period.weekday(np.array(day))))


def genre_shares(catalogue: Catalogue, planted: Planted | None) -> Floats:
    """(groups, genres): running sums of each group's shares of genres; one group of everybody where nothing is planted."""
    if planted is None:
        shares = catalogue.genre_weight[None, :]
    else:
        is_own = np.array([[genre in own for genre in catalogue.genres] for own in planted.groups])
        own = is_own * catalogue.genre_weight
        shares = OWN_GENRES * own / own.sum(axis=1, keepdims=True) + (1 - OWN_GENRES) * catalogue.genre_weight
    summed = np.cumsum(shares, axis=1)
    return np.asarray(summed / summed[:, -1:])
