"""Where reading begins, and when a person has to decide."""

from __future__ import annotations

import pytest

from streaming.errors import TopicChangedError
from streaming.landed import Reach
from streaming.positions import Held, Known, position


def begin(known: Known, held: Held, *, resume_anyway: bool = False) -> tuple[int, int]:
    found = position("partition 0", known, held, resume_anyway=resume_anyway)
    return found.offset, found.epoch


@pytest.mark.parametrize(
    ("known", "held", "offset"),
    [
        (Known(None, None, None), Held("a", 0, 10), 0),
        (Known(None, None, None), Held("a", 4, 10), 4),
        (Known(None, None, 7), Held("a", 0, 10), 7),
        (Known(Reach(1, 6), "a", None), Held("a", 0, 10), 7),
        (Known(Reach(1, 9), "a", 3), Held("a", 0, 10), 10),
        (Known(Reach(1, 6), None, 7), Held("a", 0, 10), 7),
        (Known(Reach(1, 6), "a", 7), Held(None, 0, 10), 7),
    ],
)
def test_reading_begins_behind_what_is_landed(known: Known, held: Held, offset: int) -> None:
    assert begin(known, held) == (offset, 1)


def test_what_was_committed_and_is_not_in_the_inbox_is_read_again_and_told() -> None:
    """As after the inbox was restored from a backup."""
    found = position("partition 0", Known(Reach(1, 6), "a", 9), Held("a", 0, 10), resume_anyway=False)
    assert found.offset == 7 and found.notice is not None and "offsets 7 to 8" in found.notice


@pytest.mark.parametrize(
    ("known", "held", "told", "resumed"),
    [
        (Known(Reach(1, 6), "a", 7), Held("b", 0, 10), "deleted and created again", (0, 2)),
        (Known(Reach(1, 6), None, 7), Held(None, 0, 5), "truncated or created again", (0, 2)),
        (Known(Reach(3, 6), "a", 7), Held("a", 2, 5), "truncated or created again", (2, 4)),
        (Known(Reach(1, 6), "a", 7), Held("a", 9, 12), "offsets 7 to 8", (9, 1)),
        (Known(None, None, 7), Held("a", 0, 5), "truncated or created again", (0, 1)),
        (Known(None, None, 7), Held("a", 9, 12), "offsets 7 to 8", (9, 1)),
    ],
)
def test_a_topic_that_cannot_be_what_was_landed_stops_unless_a_person_says_otherwise(
    known: Known, held: Held, told: str, resumed: tuple[int, int]
) -> None:
    with pytest.raises(TopicChangedError, match=told) as raised:
        begin(known, held)
    assert "--resume-anyway" in str(raised.value)
    assert begin(known, held, resume_anyway=True) == resumed
