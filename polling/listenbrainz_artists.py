"""ListenBrainz: similar artists by MusicBrainz id (labs), and the id of an artist by names (GET /1/metadata/lookup).

Read: listenbrainz-server, listenbrainz/labs_api/labs/api/similar_artists.py and webserver/views/metadata_api.py.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from polling.answers import AccountRefused
from polling.http import Http, Reply
from polling.pace import Budget, Clock
from polling.refusals import refuse_errors
from polling.retries import Limits, ServiceFault
from polling.settings import ScrobbleSettings

ALGORITHM = "session_based_days_9000_session_300_contribution_5_threshold_15_limit_50_skip_30"
"""The one that its website shows."""
LONGEST_NAME = 250
"""Characters that a lookup takes of a name."""


class ListenbrainzArtists:
    """Raises PollError and its kinds: AccountRefused, RetryLater, ServiceFault."""

    source = "listenbrainz_api"

    def __init__(
        self,
        settings: ScrobbleSettings,
        *,
        budget: Budget | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Similar artists are public; `can_look_up` is whether there is a LISTENBRAINZ_TOKEN, which lookups need."""
        token = settings.listenbrainz_token
        self.can_look_up = token is not None
        budget = budget or Budget(settings.listenbrainz_calls, settings.listenbrainz_call_seconds)
        self._labs = Http(
            settings.listenbrainz_labs_url, "ListenBrainz", budget=budget, examine=_examine_list, limits=limits, clock=clock
        )
        self._api = Http(
            settings.listenbrainz_api_url,
            "ListenBrainz",
            budget=budget,
            secret_headers={"Authorization": f"Token {token.get_secret_value()}"} if token is not None else {},
            examine=_examine_lookup,
            limits=limits,
            clock=clock,
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._labs.close()
        self._api.close()

    def similar(self, mbid: str) -> tuple[dt.datetime, Any]:
        """Date and answer: a list of at most 50 similar artists, empty for an id that it does not know."""
        reply = self._labs.json("/similar-artists/json", {"artist_mbids": mbid, "algorithm": ALGORITHM})
        return reply.date, reply.body

    def lookup(self, artist: str, title: str) -> tuple[dt.datetime, Any]:
        """Date and answer: the MusicBrainz ids of the artists of a track; an empty object for no match."""
        names = {"artist_name": artist[:LONGEST_NAME], "recording_name": title[:LONGEST_NAME]}
        reply = self._api.json("/1/metadata/lookup/", names)
        return reply.date, reply.body


def _examine_list(reply: Reply) -> None:
    refuse_errors(reply)
    if not isinstance(reply.body, list):
        raise ServiceFault("an answer without a list of artists")


def _examine_lookup(reply: Reply) -> None:
    if reply.status == 401:
        raise AccountRefused("the token is refused", "check LISTENBRAINZ_TOKEN; https://listenbrainz.org/settings/ shows it")
    refuse_errors(reply)
    if not isinstance(reply.body, dict):
        raise ServiceFault("an answer that is no object")
