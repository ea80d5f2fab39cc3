"""The listens of an account, newest first, page after page.

Each page is asked for by an upper bound in time, not by a number: new listens, late ones and deleted ones move the numbers of
pages, and a listen that moves to a page already read would be lost. The next bound is one second after the oldest listen of a
page, as listens of one second may lie on both sides of a border; those that were handed out already are left out.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from polling.answers import UNREAD_SECOND, Answer, Item, PollError, Position, Step
from polling.retries import ServiceFault

log = logging.getLogger(__name__)

# Below this, asking for less does not help a service that fails.
SMALLEST_PAGE = 25
# Unix seconds that datetime can hold.
LATEST = 253_402_300_799


@dataclass(frozen=True)
class Page:
    """One answer, with all its listens in `answer.items`."""

    answer: Answer
    is_last: bool
    """the source says that no older listen is left between the bounds"""
    has_start: bool = False
    """a lower bound was asked for, so nothing is said of what is older"""


@dataclass(frozen=True)
class PageSizes:
    """Listens a page."""

    first: int
    """of the first page: most polls need no other"""
    next: int
    most: int
    """what the source gives at most"""


# Gives the newest listens before a moment (Unix seconds, exclusive; None for all), at most so many.
Fetch = Callable[[int | None, int], Page]


def newest_first(fetch: Fetch, sizes: PageSizes, *, start: int | None = None, end: int | None = None) -> Iterator[Answer]:
    """The answers that hold the listens with start <= time < end, in Unix seconds, newest first; each listen in one of them.

    Raises what `walk` raises; what was handed out stays valid.
    """
    return (step.answer for step in walk(fetch, sizes, start=start, end=end))


def walk(
    fetch: Fetch, sizes: PageSizes, *, start: int | None = None, end: int | None = None, position: Position | None = None
) -> Iterator[Step]:
    """The pages with the listens with start <= time < end, in Unix seconds, newest first, from a position on.

    A page that fails is asked for in halves, down to 25 listens. Raises ServiceFault if that fails too, and what `fetch` raises.
    If one second has more listens than a page can hold, the others of that second cannot be read: the answer's request then has
    `unread_second`, and a warning is logged. After a broken-off walk, listens of the second below `position` may come again.
    """
    rest, usual, handed_out = position or Position(end, sizes.first), sizes.next, frozenset[str]()
    usual = usual if position is None else min(usual, position.size)
    while True:
        before, size = rest.before, rest.size
        page, size_read = _page(fetch, before, size)
        if size_read < size:
            # Asking for more again at each page would run into the same fault at each page.
            usual = min(usual, size_read)
        listens = page.answer.items
        oldest = _oldest(page, before)
        is_stuck = oldest is not None and before is not None and oldest + 1 >= before
        is_overfull = is_stuck and len(listens) >= size_read and not page.is_last
        can_grow = size_read == size < sizes.most
        answer = _unread(page.answer, oldest, size_read) if is_overfull and not can_grow else page.answer
        fresh = {item.key: item for item in reversed(listens) if item.key not in handed_out and _is_inside(item, start, end)}
        answer = replace(answer, items=tuple(reversed(fresh.values())))
        if oldest is None or page.is_last or (start is not None and oldest < start):
            yield _last(page, answer, start, before)
            return
        if is_overfull and can_grow:
            rest = Position(before, sizes.most)
        elif is_stuck and before is not None:
            rest = Position(before - 1, usual)
        else:
            rest = Position(oldest + 1, usual)
        # Of its oldest second a page may hold a part only, unless it had room for more.
        first_shown = oldest if is_stuck and len(listens) < size_read else oldest + 1
        yield Step(answer, _keys(page), range(first_shown, _top(before)), rest, older=None, is_end=False)
        handed_out = _keys(page) | (handed_out if is_stuck else frozenset())


def _last(page: Page, answer: Answer, start: int | None, before: int | None) -> Step:
    """The step with the last page between the bounds."""
    seconds_below = [second for second in _seconds(page) if start is not None and second < start]
    older = max(seconds_below, default=None)
    is_end = older is None and not page.has_start
    # What lies between the window and an older listen on the page, the source does not have.
    first_shown = older + 1 if older is not None else 0 if is_end else start or 0
    return Step(answer, _keys(page), range(first_shown, _top(before)), rest=None, older=older, is_end=is_end)


def _top(before: int | None) -> int:
    return LATEST + 1 if before is None else before


def _keys(page: Page) -> frozenset[str]:
    return frozenset(item.key for item in page.answer.items)


def _page(fetch: Fetch, before: int | None, size: int) -> tuple[Page, int]:
    """A page and how many listens were asked for: fewer than `size` where the service fails for more."""
    while True:
        try:
            return fetch(before, size), size
        except ServiceFault as fault:
            if size <= SMALLEST_PAGE or not fault.less:
                raise
        size = max(size // 2, SMALLEST_PAGE)


def _seconds(page: Page) -> list[int]:
    return [int(item.played_at.timestamp()) for item in page.answer.items if item.played_at is not None]


def _oldest(page: Page, before: int | None) -> int | None:
    """The second of the oldest listen that has a time. Raises PollError for listens after the bound: paging would never end."""
    found = _seconds(page)
    if before is not None and max(found, default=before) > before:
        raise PollError(f"{page.answer.source}, account {page.answer.account_id}: listens after the time that was asked for")
    return min(found, default=None)


def _is_inside(item: Item, start: int | None, end: int | None) -> bool:
    """Whether a listen is in the window; one without a time is in every window that brings it."""
    if item.played_at is None:
        return True
    second = int(item.played_at.timestamp())
    return (start is None or start <= second) and (end is None or second < end)


def _unread(answer: Answer, second: int | None, size: int) -> Answer:
    when = moment(second)
    log.warning(
        "%s, account %s: the second %s has %d listens or more; a page holds no more, the others cannot be read",
        *(answer.source, answer.account_id, when, size),
    )
    return replace(answer, request={**answer.request, UNREAD_SECOND: str(second)})


def moment(second: int | None) -> dt.datetime | None:
    """A source's Unix second as a UTC time; None for one that no calendar has."""
    if second is None or not 0 <= second <= LATEST:
        return None
    return dt.datetime.fromtimestamp(second, dt.timezone.utc)


def seconds(time: dt.datetime) -> int:
    """The Unix second of a time with a zone, rounded up: of whole seconds, those from it on are the same."""
    return -int(-time.timestamp() // 1)
