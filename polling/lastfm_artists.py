"""Last.fm: tags and similar artists, by artist.getTopTags and artist.getSimilar.

Numbers are texts, except the counts of tags; a single item may stand without a list. Read: last.fm/api/show/artist.getSimilar.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from polling.answers import AccountRefused, PollError, SettingMissing
from polling.http import Http, Reply
from polling.lastfm import BAD_KEY, KEY_PAGE, NO_SUCH_USER, PASSING, PATH, RATE_LIMIT, SUSPENDED_KEY
from polling.pace import Budget, Clock
from polling.refusals import refuse_errors, retry_after, shown
from polling.retries import Limits, ServiceFault, TooManyRequests
from polling.settings import ScrobbleSettings

MOST_SIMILAR = 50
# For a missing parameter too, which ours never are.
NOT_FOUND = NO_SUCH_USER
CONTENTS = {"artist.gettoptags": "toptags", "artist.getsimilar": "similarartists"}


class LastfmArtists:
    """Raises PollError and its kinds: AccountRefused, RetryLater, ServiceFault."""

    source = "lastfm_api"

    def __init__(
        self,
        settings: ScrobbleSettings,
        *,
        budget: Budget | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Raises SettingMissing without a LASTFM_API_KEY."""
        if settings.lastfm_api_key is None:
            raise SettingMissing("Last.fm: LASTFM_API_KEY is not set", f"set LASTFM_API_KEY; {KEY_PAGE} gives a key")
        self._http = Http(
            settings.lastfm_api_url,
            "Last.fm",
            budget=budget or Budget(settings.lastfm_calls, settings.lastfm_call_seconds),
            secret_params={"api_key": settings.lastfm_api_key.get_secret_value()},
            examine=_examine,
            limits=limits,
            clock=clock,
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

    def tags(self, artist: str) -> tuple[dt.datetime, Any]:
        """Date and answer: the tags of an artist; None for one that Last.fm does not know."""
        return self._ask("artist.gettoptags", artist)

    def similar(self, artist: str) -> tuple[dt.datetime, Any]:
        """Date and answer: at most 50 similar artists; None for one that Last.fm does not know."""
        return self._ask("artist.getsimilar", artist, limit=str(MOST_SIMILAR))

    def _ask(self, method: str, artist: str, **more: str) -> tuple[dt.datetime, Any]:
        asked = {"method": method, "artist": artist, "autocorrect": "1", **more}
        reply = self._http.json(PATH, {**asked, "format": "json"})
        if _code(reply) == NOT_FOUND:
            return reply.date, None
        if not isinstance(reply.body.get(CONTENTS[method]), dict):
            raise ServiceFault(f"Last.fm: an answer of {method} without {CONTENTS[method]}, and without an error")
        return reply.date, reply.body


def _examine(reply: Reply) -> None:
    """Errors have a number in the body, with any status; that an artist is unknown is an answer."""
    code = _code(reply)
    said = f"error {code}: {shown(str(reply.body.get('message', '')))}" if code is not None else ""
    if code in PASSING:
        raise ServiceFault(said, wait=retry_after(reply))
    if code == RATE_LIMIT:
        raise TooManyRequests(said, wait=retry_after(reply))
    if code in (BAD_KEY, SUSPENDED_KEY):
        raise AccountRefused(said, f"check LASTFM_API_KEY; {KEY_PAGE} gives a new one")
    if code == NOT_FOUND:
        return
    if code is not None:
        raise PollError(said)
    refuse_errors(reply)
    if not isinstance(reply.body, dict):
        raise ServiceFault("an answer that is no object")


def _code(reply: Reply) -> int | None:
    code = reply.body.get("error") if isinstance(reply.body, dict) else None
    text = str(code).strip() if isinstance(code, (int, str)) and not isinstance(code, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None
