"""Made-up listeners of the chaos run: what each one played, and when and how each service tells of it. Seeded, no clock."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

START = dt.datetime(2026, 11, 10, tzinfo=dt.timezone.utc)
POLL_EVERY = dt.timedelta(hours=2)
SECOND = dt.timedelta(seconds=1)
WINDOW = 50
"""plays that Spotify tells of"""
SPOTIFY, LASTFM, LISTENBRAINZ = "spotify_api", "lastfm_api", "listenbrainz_api"
# What the accounts of ten listeners are; the others repeat them.
ACCOUNTS = (
    *((SPOTIFY,),) * 4,
    (LASTFM,),
    (LISTENBRAINZ,),
    (SPOTIFY, LASTFM),
    (SPOTIFY, LISTENBRAINZ),
    (LASTFM, LISTENBRAINZ),
    (SPOTIFY, LASTFM, LISTENBRAINZ),
)
# Plays between two polls, and how often: a listener who sleeps, a usual evening, one that fills the window or more.
PLAYS_BETWEEN = ((0, 0, 10), (1, 10, 10), (15, 45, 70), (46, 49, 3), (50, 50, 2), (51, 70, 5))
TRACKS = 150


@dataclass(frozen=True)
class Play:
    """One play, as it was."""

    number: int
    start: dt.datetime
    played: dt.timedelta
    track: int
    kind: str = "track"
    """track, local, episode or null: what Spotify says of it"""
    told_at: Mapping[str, dt.datetime] = field(default_factory=dict)
    """when each service begins to tell of it"""
    moment: Mapping[str, dt.datetime] = field(default_factory=dict)
    """the time that each service states; services without the play are left out"""

    @property
    def is_valid(self) -> bool:
        """Whether it belongs into the history: no episode, and no play of nothing."""
        return self.kind in ("track", "local")


@dataclass(frozen=True)
class Listener:
    """A listener with a history and accounts, of which each has the listener's name as its id."""

    name: str
    sources: tuple[str, ...]
    lengths: Sequence[dt.timedelta]
    """of the tracks"""
    polls: tuple[dt.datetime, ...]
    plays: tuple[Play, ...]
    """by start"""

    def told(self, source: str, now: dt.datetime) -> list[Play]:
        """What a service has at a moment, the newest first."""
        known = [play for play in self.plays if source in play.moment and play.told_at[source] <= now]
        return sorted(known, key=lambda play: (play.moment[source], play.number), reverse=True)

    def title(self, play: Play) -> str:
        return f"{'Local' if play.kind == 'local' else 'Tide'} {play.track}"


def listener(seed: int, number: int, polls: int) -> Listener:
    """The listener of that number: about 25 plays between two polls, which are two hours apart, give or take minutes."""
    chosen = random.Random(f"{seed}/{number}")  # noqa: S311
    sources = ACCOUNTS[number % len(ACCOUNTS)]
    lengths = [dt.timedelta(seconds=chosen.randint(150, 260)) for _ in range(TRACKS)]
    moments = tuple(START + POLL_EVERY * (index + 1) + dt.timedelta(seconds=chosen.randint(-600, 600)) for index in range(polls))
    plays = list(_played(chosen, moments, lengths, is_alone=len(sources) == 1))
    ends = {source: chosen.random() < 0.3 for source in sources}
    told = [_told(chosen, play, sources, ends) for play in plays]
    if len(sources) == 1:
        told = list(_with_odd_times(chosen, told, sources[0]))
    return Listener(f"listener{number:03d}", sources, lengths, moments, tuple(told))


def _played(
    chosen: random.Random, polls: Sequence[dt.datetime], lengths: Sequence[dt.timedelta], *, is_alone: bool
) -> Iterator[Play]:
    """What was played between the polls. With several services tracks are played to their end, where times may be ends:
    of a track that was left, nothing tells how far its start and its end are apart."""
    number, before, track = 0, START, 0
    for poll in polls:
        low, high, _ = chosen.choices(PLAYS_BETWEEN, [weight for *_, weight in PLAYS_BETWEEN])[0]
        count = chosen.randint(low, high)
        each = (poll - before - 120 * SECOND) / max(count, 1)
        at = before + 60 * SECOND
        for _ in range(count):
            # Now and then the same track again.
            track = track if chosen.random() < 0.05 else chosen.randrange(len(lengths))
            if is_alone:
                played = min(lengths[track], max(each - SECOND, 31 * SECOND))
            else:
                played = lengths[track]
                if at + played > poll - SECOND:
                    break
            kind = chosen.choices(("track", "local", "episode", "null"), (95, 3, 1, 1))[0]
            number += 1
            yield Play(number, at + chosen.randrange(1000) * SECOND / 1000, played, track, kind)
            pause = chosen.choice((1, 1, 2, 20)) * SECOND
            at += max(each, played + SECOND) if is_alone else played + pause
        before = poll


def _told(chosen: random.Random, play: Play, sources: Sequence[str], ends: Mapping[str, bool]) -> Play:
    """The play with what each service says of it, and since when: some fill in after hours."""
    end = play.start + play.played
    late = chosen.choice((3, 5, 9)) * dt.timedelta(hours=1) if chosen.random() < 0.02 else dt.timedelta(0)
    times = {source: end if ends[source] else play.start for source in sources if source == SPOTIFY or play.is_valid}
    moment = {source: time if source == SPOTIFY else time.replace(microsecond=0) for source, time in times.items()}
    return replace(play, moment=moment, told_at=dict.fromkeys(times, end + SECOND + late))


def _with_odd_times(chosen: random.Random, plays: Sequence[Play], source: str) -> Iterator[Play]:
    """Some plays have the moment of the play before them, as an offline device reports them, or that of a clock that is ahead.

    No track begins twice within half a minute: one service would have one play there.
    """
    ahead = dt.timedelta(minutes=40)
    taken = {(play.track, round((play.moment[source] + ahead - START).total_seconds() / 60)) for play in plays if play.moment}
    before: Play | None = None
    for play in plays:
        odd, moment = chosen.random(), dict(play.moment)
        if source in moment and before is not None and source in before.moment:
            if odd < 0.01 and before.track != play.track and before.moment[source] < play.moment[source]:
                moment[source] = before.moment[source]
            minute = round((play.moment[source] + 2 * ahead - START).total_seconds() / 60)
            if 0.01 <= odd < 0.013 and not any((play.track, minute + shift) in taken for shift in (-1, 0, 1)):
                moment[source] += ahead
        before = replace(play, moment=moment)
        yield before


def spotify_row(who: Listener, play: Play) -> dict[str, Any]:
    """The play as recently-played has it. Local tracks have no id; an episode has no artists; a track may be gone."""
    at = f"{play.moment[SPOTIFY]:%Y-%m-%dT%H:%M:%S}.{play.moment[SPOTIFY].microsecond // 1000:03d}Z"
    if play.kind == "null":
        return {"track": None, "played_at": at, "context": None}
    number = f"{play.track:022d}"
    if play.kind == "episode":
        show = {"name": "Show", "uri": "spotify:show:1"}
        track: dict[str, Any] = {
            "type": "episode",
            "id": number,
            "uri": f"spotify:episode:{number}",
            "name": "Part",
            "show": show,
        }
        return {"track": track, "played_at": at, "context": None}
    track = {
        "album": {"name": f"North {play.track % 9}"},
        "artists": [{"name": artist(play)}],
        "duration_ms": milliseconds(who.lengths[play.track]),
        "id": None if play.kind == "local" else number,
        "is_local": play.kind == "local",
        "name": who.title(play),
        "type": "track",
        "uri": f"spotify:local:Vega::Local+{play.track}:200" if play.kind == "local" else f"spotify:track:{number}",
    }
    return {"track": track, "played_at": at, "context": None}


def artist(play: Play) -> str:
    return f"Vega {play.track % 20}"


def milliseconds(length: dt.timedelta) -> int:
    return length // dt.timedelta(milliseconds=1)
