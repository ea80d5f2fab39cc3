"""A block of listeners with all their plays, as arrays: everything vectorised over all plays of the block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthetic import listeners, planted, sessions, skips
from synthetic.catalogue import Catalogue
from synthetic.draws import Floats, Ints, positions_in_runs
from synthetic.listeners import PLACES, Listeners
from synthetic.period import DAY_MS, Period
from synthetic.planted import Planted
from synthetic.repeats import copied_from, first_of_chain
from synthetic.sessions import HOUR_MS, Sessions
from synthetic.taste import Taste

MEAN_PLAY_MS = 126_000
"""Used only to tell the hour of a play before its exact time is known."""
BREAK_MS = 30 * 60_000
"""Sessions of a listener lie further apart than this, plays of a session less."""
PAUSE_SHARE, PAUSE_MEDIAN_MS, PAUSE_SPREAD = 0.03, 120_000, 0.9
OFFLINE, INCOGNITO, OTHER_PLATFORM = 0.03, 0.01, 0.15


@dataclass(frozen=True)
class Plays:
    """Plays in order of listener and start; an array element each."""

    listener: NDArray[np.int32]
    """position in the block"""
    start_ms: Ints
    """UTC, since 1970"""
    ms_played: NDArray[np.int32]
    track: NDArray[np.int32]
    reason_start: NDArray[np.int8]
    reason_end: NDArray[np.int8]
    platform: NDArray[np.int8]
    shuffle: NDArray[np.bool_]
    offline: NDArray[np.bool_]
    incognito: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.listener)


@dataclass(frozen=True)
class Blueprint:
    """What all blocks have in common."""

    catalogue: Catalogue
    period: Period
    seed: int
    plays: float
    """mean per listener"""
    planted: Planted | None

    def block(self, index: int, first: int, count: int) -> tuple[Listeners, Plays]:
        """Listeners `first` .. `first + count - 1` and their plays; depends on the model and the three numbers only."""
        rng = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence(self.seed, spawn_key=(1, index))))
        who = listeners.draw(rng, first, count, period=self.period, sessions=self.plays / sessions.MEAN_LENGTH - 1)
        again = None
        if self.planted is not None:
            who, again = _with_planted(who, self.planted, self.period)
        offsets = self.period.offsets(tuple(zone for zone, _, _ in PLACES))
        planned = sessions.draw(rng, who, self.period, offsets, again=again)
        return who, self._plays(rng, who, planned)

    def _plays(self, rng: np.random.Generator, who: Listeners, planned: Sessions) -> Plays:
        session = np.repeat(np.arange(len(planned), dtype=np.int32), planned.plays)
        position = positions_in_runs(planned.plays)
        listener = planned.listener[session].astype(np.int32)
        local = planned.start[session] + planned.offset[session] + position * MEAN_PLAY_MS
        day = (local - self.period.start_ms) // DAY_MS
        weekday = self.period.weekday(day).astype(np.int8)
        hour = (local % DAY_MS) / HOUR_MS
        del local, day
        track = self._tracks(rng, who, listener, hour, weekday)
        mood = rng.normal(0.0, skips.SESSION_SPREAD, len(planned))[session]
        odds = skips.log_odds(who.age[listener], weekday >= sessions.SATURDAY, who.impatience[listener] + mood)
        duration = self.catalogue.duration_ms[track]
        played = skips.ms_played(rng, duration, odds)
        is_first, is_last = position == 0, position == planned.plays[session] - 1
        reason_start, reason_end = skips.reasons(rng, played < duration, is_first, is_last)
        start = _times(rng, planned, session, played)
        other = rng.random(len(planned)) < OTHER_PLATFORM
        platform = np.where(other, rng.integers(0, len(listeners.PLATFORMS), len(planned)), who.platform[planned.listener])
        shuffle = rng.random(len(planned)) < who.shuffle_share[planned.listener]
        offline, incognito = (rng.random(len(planned)) < share for share in (OFFLINE, INCOGNITO))
        plays = Plays(
            listener=listener,
            start_ms=start,
            ms_played=played.astype(np.int32),
            track=track.astype(np.int32),
            reason_start=reason_start,
            reason_end=reason_end,
            platform=platform.astype(np.int8)[session],
            shuffle=shuffle[session],
            offline=offline[session],
            incognito=incognito[session],
        )
        return _until(plays, self.period.end_ms)

    def _tracks(
        self, rng: np.random.Generator, who: Listeners, listener: NDArray[np.int32], hour: Floats, weekday: NDArray[np.int8]
    ) -> Ints:
        number = positions_in_runs(np.bincount(listener, minlength=len(who)))
        origin = first_of_chain(copied_from(rng, number, who.repeat_share[listener]))
        is_new = origin == np.arange(len(origin))
        group = np.zeros(len(who), np.int64) if self.planted is None else self.planted.group_of(who.number)
        taste = Taste(self.catalogue, self.seed, planted.genre_shares(self.catalogue, self.planted))
        of_new = listener[is_new]
        track = np.empty(len(listener), np.int64)
        track[is_new] = taste.at_hour(rng, who, of_new, group[of_new], hour[is_new])
        if self.planted is not None:
            is_sad = is_new & (who.number[listener] == self.planted.sad_on_mondays) & (weekday == planted.MONDAY)
            sad = np.repeat(listener[is_sad], planted.SADDEST_OF)
            offered = taste.new_tracks(rng, who, sad, group[sad]).reshape(-1, planted.SADDEST_OF)
            saddest = np.argmin(self.catalogue.valence[offered], axis=1)
            track[is_sad] = offered[np.arange(len(offered)), saddest]
        return np.asarray(track[origin])


def _with_planted(who: Listeners, plan: Planted, period: Period) -> tuple[Listeners, tuple[Ints, int, int]]:
    """The two special listeners are there all the time and listen every day."""
    is_special = np.isin(who.number, [plan.sad_on_mondays, plan.binge])
    first_day, days = period.open_days
    who = replace(
        who,
        joined=np.where(is_special, first_day, who.joined),
        days=np.where(is_special, days, who.days),
        sessions_a_day=np.where(is_special, planted.SESSIONS_A_DAY, who.sessions_a_day),
        repeat_share=np.where(is_special, planted.REPEAT_SHARE, who.repeat_share),
    )
    return who, (np.flatnonzero(who.number == plan.binge), plan.binge_day, planted.WEEK_FACTOR)


def _times(rng: np.random.Generator, planned: Sessions, session: NDArray[np.int32], played: Ints) -> Ints:
    """Start of each play, ms since 1970: one after the other, with a moment between them and now and then a pause."""
    between = rng.integers(1, 900, len(played))
    paused = np.flatnonzero(rng.random(len(played)) < PAUSE_SHARE)
    pauses = rng.lognormal(np.log(PAUSE_MEDIAN_MS), PAUSE_SPREAD, len(paused))
    between[paused] += np.minimum(pauses, BREAK_MS * 0.8).astype(np.int64)
    elapsed = np.cumsum(played + between)
    last = np.cumsum(planned.plays) - 1
    length = np.diff(elapsed[last], prepend=0)
    breaks = BREAK_MS + rng.integers(60_000, 3_600_000, len(planned))
    start = sessions.without_overlap(planned.start, length + breaks, planned.listener)
    return np.asarray((start - (elapsed[last] - length))[session] + elapsed - played - between)


def _until(plays: Plays, end_ms: int) -> Plays:
    """The plays that end before `end_ms`; what a crowded last day pushed beyond is dropped."""
    inside = plays.start_ms + plays.ms_played < end_ms
    if inside.all():
        return plays
    return Plays(**{name: values[inside] for name, values in vars(plays).items()})
