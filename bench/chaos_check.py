"""Compares what services offered with what silver holds: each valid play exactly once."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc
from deltalake import DeltaTable

from bench.chaos_polls import COMPARED, Seen
from bench.chaos_world import Listener, Play, listener

SHOWN = 5
"""plays of an account that a poll compares"""


@dataclass
class Verdict:
    """What the comparison found. Lists hold `listener play-number` or what a row says."""

    listeners: int
    offered: int = 0
    """valid plays that a whole answer held"""
    kept: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """kept rows of no play"""
    told_apart: int = 0
    """plays whose end is the start of the next one of the same track: another row of the two services stands for them"""
    wrong_listeners: set[str] = field(default_factory=set)
    fallen_out: int = 0
    late: int = 0
    """of them, those that Spotify told of late and that nobody can miss"""
    gaps: int = 0
    full_polls: int = 0
    unnoticed: list[str] = field(default_factory=list)
    """plays that fell out of Spotify's window in no gap"""
    unread: list[str] = field(default_factory=list)
    out_of_reach: int = 0
    events: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.doubled or self.unknown or self.unread or self.unnoticed)

    def text(self) -> str:
        """The figures, and the first of what is wrong."""
        lines = [
            f"{self.listeners - len(self.wrong_listeners)} of {self.listeners} listeners: each play exactly once",
            f"{self.offered:,} plays offered, {self.kept:,} kept; seconds: {self.seconds}",
            f"{self.fallen_out:,} plays fell out of Spotify's window unseen, of which {self.late:,} had come late",
            f"{self.gaps:,} gaps told, {self.full_polls:,} of them of polls that held exactly what was new",
            f"{self.out_of_reach:,} scrobbles came when {COMPARED} newer ones were there",
            f"{self.told_apart:,} plays on repeat stand under the time of a neighbour",
            f"events: {dict(sorted(self.events.items()))}",
        ]
        for name in ("lost", "doubled", "unknown", "unread", "unnoticed"):
            found = getattr(self, name)
            if found:
                lines.append(f"{name}: {len(found):,}, such as {'; '.join(found[:SHOWN])}")
        return "\n".join(lines)


def judge(lakehouse: Path, seen: Sequence[Seen], seed: int, polls: int) -> Verdict:
    """Compare silver.plays with what was offered, listener by listener."""
    verdict = Verdict(len(seen))
    kept = kept_rows(lakehouse)
    for one in seen:
        who = listener(seed, int(one.name.removeprefix("listener")), polls)
        before = len(verdict.lost) + len(verdict.doubled) + len(verdict.unknown) + len(verdict.unread)
        _judge_one(verdict, who, one, kept.pop(one.name, []))
        if len(verdict.lost) + len(verdict.doubled) + len(verdict.unknown) + len(verdict.unread) > before:
            verdict.wrong_listeners.add(one.name)
        verdict.fallen_out += len(one.fallen_out)
        verdict.gaps += len(one.gaps)
        verdict.full_polls += one.full
        verdict.unnoticed += [f"{one.name} {number}" for number in one.unnoticed]
        verdict.late += one.late
        verdict.events.update(one.events)
    verdict.unknown += [f"{name} of nobody" for name in kept]
    return verdict


Row = tuple[str, str, dt.datetime]


def kept_rows(lakehouse: Path) -> dict[str, list[Row]]:
    """Source, title and time of the kept plays, by listener."""
    columns = ["user_id", "source", "track_name", "played_at"]
    table = DeltaTable(lakehouse / "silver" / "plays").to_pyarrow_table(columns=[*columns, "disposition"])
    table = table.filter(pc.equal(table["disposition"], "kept"))
    rows: dict[str, list[Row]] = {}
    for user, *row in zip(*[table[name].to_pylist() for name in columns], strict=True):
        rows.setdefault(user, []).append((row[0], row[1], row[2]))
    return rows


def _judge_one(verdict: Verdict, who: Listener, seen: Seen, rows: Iterable[Row]) -> None:
    offered = {source: set(numbers) for source, numbers in seen.offered.items()}
    wanted = {play.number for play in who.plays if play.is_valid and any(play.number in one for one in offered.values())}
    records = {
        (source, who.title(play), _to_ms(play.moment[source])): play.number
        for play in who.plays
        for source in play.moment
        if play.number in offered[source]
    }
    found: Counter[int] = Counter()
    for row in rows:
        number = records.get((row[0], row[1], _to_ms(row[2])))
        if number is None:
            verdict.unknown.append(f"{who.name} {row}")
        else:
            found[number] += 1
    plays: dict[int, Play] = {play.number: play for play in who.plays}
    verdict.offered += len(wanted)
    verdict.kept += found.total()
    lost, doubled = sorted(wanted - set(found)), [number for number, count in sorted(found.items()) if count > 1]
    for number in tuple(lost) if len(who.sources) > 1 else ():
        neighbour = next((one for one in doubled if _is_next(plays[number], plays[one])), None)
        if neighbour is not None:
            lost.remove(number)
            doubled.remove(neighbour)
            verdict.told_apart += 1
    verdict.lost += [f"{who.name} {plays[number]}" for number in lost]
    verdict.doubled += [f"{who.name} {plays[number]}" for number in doubled]
    for source, numbers in seen.unread.items():
        verdict.unread += [f"{who.name} {source} {plays[number]}" for number in numbers]
    verdict.out_of_reach += seen.out_of_reach


def _is_next(one: Play, other: Play) -> bool:
    """Whether one play of a track directly follows the other: the start of one is as good as the end of the other."""
    first, second = sorted((one, other), key=lambda play: play.start)
    return one.track == other.track and second.start - first.start - first.played < dt.timedelta(minutes=1)


def _to_ms(moment: dt.datetime) -> dt.datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
