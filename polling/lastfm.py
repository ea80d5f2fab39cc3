"""Last.fm: the scrobbles of an account, by user.getRecentTracks.

A scrobble's time is its start, in whole seconds. What is playing just now stands on every page, without a time: no scrobble.
Read: last.fm/api/show/user.getRecentTracks and last.fm/api/errorcodes; pages of 1,000 have been seen, 200 are documented.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from polling.answers import AccountRefused, Answer, Item, PollError, Position, SettingMissing, Step
from polling.http import Http, Reply
from polling.newest_first import Page, PageSizes, moment, newest_first, seconds, walk
from polling.pace import Budget, Clock
from polling.refusals import refuse_errors, retry_after, shown
from polling.retries import Limits, ServiceFault, TooManyRequests
from polling.settings import ScrobbleSettings

PATH = "/2.0/"
# What a device sends late lies between older scrobbles: a page shows as many as a poll compares.
SIZES = PageSizes(first=200, next=200, most=1000)
PAST_SIZES = PageSizes(first=SIZES.next, next=SIZES.next, most=SIZES.most)
# Operation failed, service offline, temporarily unavailable.
PASSING = (8, 11, 16)
RATE_LIMIT = 29
NO_SUCH_USER, BAD_KEY, LOGIN_REQUIRED, SUSPENDED_KEY = 6, 10, 17, 26
DIGITS = re.compile(r"[0-9]{1,12}")
KEY_PAGE = "https://www.last.fm/api/account/create"


class LastfmClient:
    """The scrobbles of one account. Raises PollError and its kinds: AccountRefused, RetryLater, ServiceFault."""

    source = "lastfm_api"

    def __init__(
        self,
        user: str,
        settings: ScrobbleSettings,
        *,
        budget: Budget | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`user` is the account's name at Last.fm. Raises AccountRefused without a LASTFM_API_KEY."""
        self.user = user
        # Last.fm has no other id, and names are the same in any case.
        self.account_id = user.lower()
        name = f"Last.fm account {user}"
        if settings.lastfm_api_key is None:
            raise SettingMissing(f"{name}: LASTFM_API_KEY is not set", f"set LASTFM_API_KEY; {KEY_PAGE} gives a key")
        self._http = Http(
            settings.lastfm_api_url,
            name,
            budget=budget or Budget(settings.lastfm_calls, settings.lastfm_call_seconds),
            secret_params={"api_key": settings.lastfm_api_key.get_secret_value()},
            examine=self._examine,
            limits=limits,
            clock=clock,
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def recent(self) -> Iterator[Answer]:
        """All scrobbles, newest first; stop when there are enough."""
        return newest_first(lambda before, size: self._page(None, before, size), SIZES)

    def window(self, start: dt.datetime, end: dt.datetime) -> Iterator[Answer]:
        """The scrobbles with start <= time < end, newest first."""
        first, last = seconds(start), seconds(end)
        return newest_first(lambda before, size: self._page(first, before, size), PAST_SIZES, start=first, end=last)

    def past(self, start: dt.datetime, end: dt.datetime, position: Position | None = None) -> Iterator[Step]:
        """The same page by page, from a position on. The first page has no lower bound, so that it tells what is older."""
        first, last = seconds(start), seconds(end)

        def fetch(before: int | None, size: int) -> Page:
            return self._page(None if before == last else first, before, size)

        return walk(fetch, PAST_SIZES, start=first, end=last, position=position)

    def _page(self, start: int | None, before: int | None, size: int) -> Page:
        asked = {"method": "user.getrecenttracks", "user": self.user, "limit": str(size), "extended": "0"}
        # One second more on each side than may be needed: nowhere is it written whether the bounds themselves are inside.
        if start is not None and start > 0:
            asked["from"] = str(start - 1)
        if before is not None:
            asked["to"] = str(before)
        reply = self._http.json(PATH, {**asked, "format": "json"})
        about = reply.body["recenttracks"].get("@attr")
        items = tuple(_items(scrobbles_of(reply.body)))
        answer = Answer(self.source, self.account_id, {"endpoint": PATH, **asked}, reply.date, reply.body, items)
        total = _number(about.get("total")) if isinstance(about, dict) else None
        return Page(answer, is_last=total is not None and len(items) >= total, has_start="from" in asked)

    def _examine(self, reply: Reply) -> None:
        """Errors have a number in the body, with any status. Raises PollError for those, and for what is no page of scrobbles."""
        code = _number(reply.body.get("error")) if isinstance(reply.body, dict) else None
        if code is not None:
            self._refuse(code, reply)
        refuse_errors(reply)
        content = reply.body.get("recenttracks") if isinstance(reply.body, dict) else None
        if not isinstance(content, dict) or not isinstance(content.get("track", []), (list, dict)):
            raise ServiceFault("an answer without scrobbles, and without an error")
        about = content.get("@attr")
        owner = about.get("user") if isinstance(about, dict) else None
        if isinstance(owner, str) and owner.lower() != self.account_id:
            raise PollError(f"the answer is about another account, {shown(owner)}")
        total = _number(about.get("total")) if isinstance(about, dict) else None
        if total and not any(True for _ in _items(scrobbles_of(reply.body))):
            raise ServiceFault(f"an empty page, although {total} scrobbles are left")

    def _refuse(self, code: int, reply: Reply) -> None:
        said = f"error {code}: {shown(str(reply.body.get('message', '')))}"
        if code in PASSING:
            raise ServiceFault(said, wait=retry_after(reply))
        if code == RATE_LIMIT:
            raise TooManyRequests(said, wait=retry_after(reply))
        if code in (BAD_KEY, SUSPENDED_KEY):
            raise AccountRefused(said, f"check LASTFM_API_KEY; {KEY_PAGE} gives a new one")
        if code == LOGIN_REQUIRED:
            raise AccountRefused(
                said,
                f"recent listening of {self.user} is hidden: switch that off at https://www.last.fm/settings/privacy",
            )
        if code == NO_SUCH_USER and (reply.status == 404 or "not found" in said.lower()):
            raise AccountRefused(said, f"check the name {self.user}; what was received of it is kept")
        raise PollError(said)


def scrobbles_of(body: Any) -> list[Any]:
    """The rows of a page, what is playing just now included; Item.position counts in them. A single row may have no list."""
    rows = body["recenttracks"].get("track", [])
    return rows if isinstance(rows, list) else [rows]


def _items(rows: list[Any]) -> Iterator[Item]:
    for position, row in enumerate(rows):
        if not _is_playing(row):
            yield Item(position, key_of(row), moment(_second(row)))


def key_of(row: Any) -> str:
    """Second, and a hash of artist and title. Last.fm numbers no scrobbles; albums, MBIDs and images of a row change later.

    Two rows of one second, artist and title are one scrobble: nothing tells them apart. An edited scrobble has a new key.
    """
    fields = row if isinstance(row, dict) else {}
    artist = fields.get("artist")
    names = (artist.get("#text") or artist.get("name")) if isinstance(artist, dict) else artist, fields.get("name")
    digest = hashlib.sha256("\x1f".join(str(name or "") for name in names).encode("utf-8", "surrogatepass")).hexdigest()
    second = _second(row)
    return f"{second if second is not None else ''}:{digest[:16]}"


def _is_playing(row: Any) -> bool:
    about = row.get("@attr") if isinstance(row, dict) else None
    return isinstance(about, dict) and str(about.get("nowplaying", "")).lower() == "true"


def _second(row: Any) -> int | None:
    date = row.get("date") if isinstance(row, dict) else None
    return _number(date.get("uts")) if isinstance(date, dict) else None


def _number(value: Any) -> int | None:
    """Numbers of this service are texts, most of the time."""
    text = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return int(text) if DIGITS.fullmatch(text) else None
