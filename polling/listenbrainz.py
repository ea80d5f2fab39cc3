"""ListenBrainz: the listens of an account, by GET /1/user/NAME/listens.

`listened_at` is the start of playback, in whole Unix seconds; what some importers submit is the end. Bounds are exclusive, pages
hold at most 1,000 listens. Only `max_ts` is used: with `min_ts` the service may give the oldest listens after it instead of the
newest. Read: listenbrainz-server, listenbrainz/webserver/views/api.py.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from polling.answers import AccountRefused, Answer, Item, PollError
from polling.http import Http, Reply
from polling.newest_first import Page, PageSizes, moment, newest_first, seconds
from polling.pace import Budget, Clock
from polling.refusals import refuse_errors, shown
from polling.retries import Limits, ServiceFault
from polling.settings import ScrobbleSettings

# What a device sends late lies between older listens: a page shows as many as a poll compares.
SIZES = PageSizes(first=200, next=500, most=1000)


class ListenbrainzClient:
    """The listens of one account. Raises PollError and its kinds: AccountRefused, RetryLater, ServiceFault."""

    source = "listenbrainz_api"

    def __init__(
        self,
        user: str,
        settings: ScrobbleSettings,
        *,
        budget: Budget | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`user` is the account's name at ListenBrainz. Listens are public; a LISTENBRAINZ_TOKEN is sent if it is set."""
        self.user = user
        # The API shows no other id, and names are the same in any case.
        self.account_id = user.lower()
        token = settings.listenbrainz_token
        self._path = f"/1/user/{quote(user, safe='')}/listens"
        self._http = Http(
            settings.listenbrainz_api_url,
            f"ListenBrainz account {user}",
            budget=budget or Budget(settings.listenbrainz_calls, settings.listenbrainz_call_seconds),
            secret_headers={"Authorization": f"Token {token.get_secret_value()}"} if token is not None else {},
            examine=self._examine,
            limits=limits,
            clock=clock,
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def recent(self) -> Iterator[Answer]:
        """All listens, newest first; stop when there are enough."""
        return newest_first(self._page, SIZES)

    def window(self, start: dt.datetime, end: dt.datetime) -> Iterator[Answer]:
        """The listens with start <= time < end, newest first. The last page's body goes beyond the start, its items do not."""
        sizes = PageSizes(first=SIZES.next, next=SIZES.next, most=SIZES.most)
        return newest_first(self._page, sizes, start=seconds(start), end=seconds(end))

    def _page(self, before: int | None, size: int) -> Page:
        asked = {"count": str(size)} | ({"max_ts": str(before)} if before is not None else {})
        reply = self._http.json(self._path, asked)
        items = tuple(_item(position, listen) for position, listen in enumerate(listens_of(reply.body)))
        answer = Answer(self.source, self.account_id, {"endpoint": self._path, **asked}, reply.date, reply.body, items)
        # Its `oldest_listen_ts` is kept in a cache that imports of older listens pass by, and so ends nothing here.
        return Page(answer, is_last=False)

    def _examine(self, reply: Reply) -> None:
        if reply.status == 401:
            raise AccountRefused("the token is refused", "check LISTENBRAINZ_TOKEN; https://listenbrainz.org/settings/ shows it")
        if reply.status == 403:
            raise AccountRefused("this account may not be read", f"check at https://listenbrainz.org what {self.user} shows")
        if reply.status == 404:
            raise AccountRefused("no such account", f"check the name {self.user}; what was received of it is kept")
        refuse_errors(reply)
        payload = reply.body.get("payload") if isinstance(reply.body, dict) else None
        if not isinstance(payload, dict) or not isinstance(payload.get("listens"), list):
            raise ServiceFault("an answer without listens, and without an error")
        owner = payload.get("user_id")
        if isinstance(owner, str) and owner.lower() != self.account_id:
            raise PollError(f"the answer is about another account, {shown(owner)}")


def listens_of(body: Any) -> list[Any]:
    """The listens of a page; Item.position counts in it."""
    listens: list[Any] = body["payload"]["listens"]
    return listens


def _item(position: int, listen: Any) -> Item:
    return Item(position, key_of(listen), moment(_second(listen)))


def key_of(listen: Any) -> str:
    """Second and recording_msid, by which the service itself tells listens apart; without one, second and a hash of the names."""
    fields = listen if isinstance(listen, dict) else {}
    msid, second = fields.get("recording_msid"), _second(listen)
    if not isinstance(msid, str) or not msid:
        metadata = fields.get("track_metadata")
        names = [metadata.get(name) for name in ("artist_name", "track_name")] if isinstance(metadata, dict) else []
        text = "\x1f".join(str(name or "") for name in names)
        msid = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{second if second is not None else ''}:{msid}"


def _second(listen: Any) -> int | None:
    value = listen.get("listened_at") if isinstance(listen, dict) else None
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 10**12 else None
