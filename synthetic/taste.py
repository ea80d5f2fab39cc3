"""What people play when it is nothing they repeat: their genres, their artists in order of preference, the hour's mood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthetic.catalogue import Catalogue
from synthetic.draws import Floats, Ints, power_law_rank, uniform_of
from synthetic.listeners import Listeners

# Share of a listener's artists by genre of preference; the rest comes from anywhere.
GENRE_SHARES = np.array([0.12, 0.10, 0.08, 0.07, 0.06, 0.05, 0.05, 0.04, 0.04, 0.03, 0.03, 0.03])
TRACK_EXPONENT = 0.4
# Tempo and danceability are lowest about 14 o'clock and highest late in the evening, before those still up slow down
# (Heggli et al. 2021, doi 10.1098/rsos.210885); and how far the faster of two tracks is preferred at most.
LIFT_HOURS = (4.0, 9.0, 14.0, 23.0)
LIFT = (0.0, 0.1, -1.0, 1.0)
HOUR_STRENGTH = 0.5
GENRE_OF_RANK, RANK_OF_SLOT, PAIR_OF_SLOT, ANYWHERE = range(4)


@dataclass(frozen=True)
class Taste:
    """The catalogue as listeners see it: a listener of taste group g draws genres from row g of `genre_shares`."""

    catalogue: Catalogue
    seed: int
    genre_shares: Floats
    """(groups, genres): running sums to 1"""

    def slot_pairs(self, who: Listeners, listener: Ints, slot: Ints, group: Ints) -> Ints:
        """The pair of genre and artist in each listener's place of preference `slot`; always the same for the same slot.

        Genres are drawn by their popularity, artists by theirs within the genre: over many listeners an artist's share
        of plays is its share of popularity, whatever the shape of each listener's own distribution.
        """
        number = who.number[listener]
        rank = np.searchsorted(np.cumsum(GENRE_SHARES), uniform_of(self.seed, number, slot, RANK_OF_SLOT), side="right")
        own = uniform_of(self.seed, number, rank, GENRE_OF_RANK)
        other = uniform_of(self.seed, number, slot, ANYWHERE)
        n_genres = self.genre_shares.shape[1]
        shelf = (self.genre_shares + np.arange(len(self.genre_shares))[:, None]).ravel()
        wanted = np.where(rank < len(GENRE_SHARES), own, other) + group
        genre = np.clip(np.searchsorted(shelf, wanted, side="right") - group * n_genres, 0, n_genres - 1)
        first, last = self.catalogue.genre_pairs[genre], self.catalogue.genre_pairs[genre + 1]
        low, high = self.catalogue.pair_weight[first], self.catalogue.pair_weight[last]
        drawn = low + uniform_of(self.seed, number, slot, PAIR_OF_SLOT) * (high - low)
        return np.asarray(np.clip(np.searchsorted(self.catalogue.pair_weight, drawn, side="right") - 1, first, last - 1))

    def new_tracks(self, rng: np.random.Generator, who: Listeners, listener: Ints, group: Ints) -> Ints:
        """A track per row: an artist by the listener's ranks, a track of the artist by popularity."""
        slot = power_law_rank(rng.random(len(listener)), who.rank_exponent[listener], who.artists[listener])
        pair = self.slot_pairs(who, listener, slot, group)
        first, last = self.catalogue.pair_tracks[pair], self.catalogue.pair_tracks[pair + 1]
        rank = power_law_rank(rng.random(len(listener)), TRACK_EXPONENT, last - first)
        return np.asarray(self.catalogue.tracks[first + rank - 1])

    def at_hour(self, rng: np.random.Generator, who: Listeners, listener: Ints, group: Ints, hour: Floats) -> Ints:
        """A new track per row, of two drawn the faster and more danceable one late in the day, the other one in the afternoon."""
        one, two = (self.new_tracks(rng, who, listener, group) for _ in range(2))
        faster = self.catalogue.groove[one] >= self.catalogue.groove[two]
        lift = HOUR_STRENGTH * np.interp(hour, LIFT_HOURS, LIFT, period=24)
        wants_faster = rng.random(len(listener)) < (1 + lift) / 2
        return np.asarray(np.where(faster == wants_faster, one, two))
