"""From which offset a partition is read: behind the last landed message, if the topic still goes on there."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.errors import TopicChangedError
from streaming.landed import NOTHING, Reach

RESUME = "--resume-anyway"


@dataclass(frozen=True)
class Held:
    """What the topic holds of a partition: the offsets from `low` to before `high`."""

    topic_id: str | None
    low: int
    high: int


@dataclass(frozen=True)
class Known:
    """What is known of a partition here."""

    reach: Reach | None
    """of the files in the inbox"""
    topic_id: str | None
    """of the topic that the last file came from"""
    committed: int | None
    """the offset that the group committed: the next one to read"""


@dataclass(frozen=True)
class Position:
    """Where reading begins."""

    offset: int
    epoch: int
    notice: str | None = None
    """what a person should see"""


def position(name: str, known: Known, held: Held, *, resume_anyway: bool) -> Position:
    """Where to begin. Raises TopicChangedError if the topic cannot be what was landed, unless `resume_anyway`.

    The inbox decides; the committed offset does only where the inbox has nothing of the partition.
    """
    epoch = (known.reach or NOTHING).epoch
    wanted = known.committed if known.reach is None else known.reach.last + 1
    if wanted is None:
        return Position(held.low, epoch)
    change = _change(name, known, held, wanted)
    if change is None:
        return Position(wanted, epoch, _reread(name, known, wanted))
    if not resume_anyway:
        raise TopicChangedError(f"{change}; to go on with what the topic holds now: lakehouse stream {RESUME}")
    # Offsets that are counted anew are those of an epoch of their own. Where messages are only gone, they are not.
    is_anew = wanted > held.high or _is_other_topic(known, held)
    return Position(held.low, epoch + 1 if is_anew and known.reach is not None else epoch, f"{change}; going on from {held.low}")


def _change(name: str, known: Known, held: Held, wanted: int) -> str | None:
    if _is_other_topic(known, held):
        return f"{name} was deleted and created again since offset {wanted - 1} was landed"
    if wanted > held.high:
        return (
            f"{name} was truncated or created again: it ends before offset {held.high}, and offset {wanted - 1} is landed already"
        )
    if wanted < held.low:
        return f"{name} no longer has the offsets {wanted} to {held.low - 1}: its retention removed them before they were read"
    return None


def _is_other_topic(known: Known, held: Held) -> bool:
    return known.topic_id is not None and held.topic_id is not None and known.topic_id != held.topic_id


def _reread(name: str, known: Known, wanted: int) -> str | None:
    if known.committed is None or known.committed <= wanted:
        return None
    return (
        f"{name}: offsets {wanted} to {known.committed - 1} were committed and are not in this inbox: they are read again "
        "(consumers of one group need the same inbox)"
    )
