"""Spotify's Web API for one account: what was played recently, and metadata of tracks, albums and artists.

Spotipy builds the requests. Its answers pass a `StrictSession`, as spotipy alone returns None for HTML, empty and broken
answers, reports other statuses than the server's, and sleeps through pauses of hours.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from music.consent import command_for
from polling.answers import AccountRefused, Answer, Item, PollError, RetryLater
from polling.closed_endpoints import ClosedEndpoints, EndpointClosedError
from polling.pace import Budget, Clock, SystemClock
from polling.refusals import QUOTA_PAUSE
from polling.retries import LONGEST_PAUSE
from polling.settings import SpotifySettings
from polling.spotify_access import NOT_A_USER, SOURCE, SpotifyAccess, api, client_id_of
from polling.strict_session import ExchangeError, StrictSession

if TYPE_CHECKING:
    from spotipy import Spotify

# The most that Spotify gives, and it never goes further back.
PAGE = 50
RECENTLY_PLAYED = "me/player/recently-played"
AUDIO_FEATURES = "audio-features"
ATTEMPTS = 3


class SpotifyClient:
    """The account of one listener. Nothing here prompts, and every failure is a PollError."""

    source = SOURCE

    def __init__(
        self,
        settings: SpotifySettings,
        account_id: str,
        *,
        budget: Budget | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`budget` is shared by the accounts of one app, as Spotify counts their calls together.

        Raises PollError without a CLIENT_ID.
        """
        self.settings, self.account_id = settings, account_id
        self._clock = clock or SystemClock()
        self._budget = budget or Budget(settings.spotify_calls, settings.spotify_call_seconds)
        self._closed = ClosedEndpoints(settings.state_dir, client_id_of(settings))
        self._session = StrictSession(settings.spotify_request_seconds)
        self._access = SpotifyAccess(settings, account_id, self._session, self._clock)
        self._random = random.Random(account_id)  # noqa: S311 -- spreads repetitions, keeps no secret
        self._api: Spotify | None = None

    def recent(self) -> Iterator[Answer]:
        """The last 50 plays that Spotify knows, one answer; `played_at` is as Spotify gives it.

        Asked without `after`: plays of offline devices arrive late with older times. Raises RetryLater for a pause of more
        than a minute, AccountRefused where a person has to act, PollError for any other answer that cannot be used.
        """
        body, date = self._call(lambda spotify: spotify.current_user_recently_played(limit=PAGE), RECENTLY_PLAYED)
        plays = body.get("items")
        if not isinstance(plays, list):
            raise PollError(f"Spotify {self._name()}: the answer has no list of items; the next poll tries again")
        items = tuple(_item(position, play) for position, play in enumerate(plays))
        request = {"endpoint": RECENTLY_PLAYED, "limit": str(PAGE)}
        yield Answer(SOURCE, self.account_id, request, date, body, items)

    def track(self, track_id: str) -> dict[str, Any] | None:
        """Metadata of a track, with its ISRC where Spotify has one; None for an id that it does not know. Raises as `recent`."""
        return self._metadata(lambda spotify: spotify.track(track_id), f"tracks/{track_id}")

    def album(self, album_id: str) -> dict[str, Any] | None:
        """Metadata of an album; None for an id that Spotify does not know. Raises as `recent`."""
        return self._metadata(lambda spotify: spotify.album(album_id), f"albums/{album_id}")

    def artist(self, artist_id: str) -> dict[str, Any] | None:
        """Metadata of an artist; None for an id that Spotify does not know. Raises as `recent`."""
        return self._metadata(lambda spotify: spotify.artist(artist_id), f"artists/{artist_id}")

    @property
    def answered_at(self) -> dt.datetime:
        """The Date of the last answer; of one that is an error, the time of this machine."""
        return self._session.server_date or self._clock.now()

    @property
    def serves_audio_features(self) -> bool:
        """Whether Spotify has not refused them to this app yet. Raises PollError."""
        return not self._closed.is_closed(AUDIO_FEATURES)

    def audio_features(self, track_id: str) -> dict[str, Any] | None:
        """Audio features of a track, best effort; None where Spotify has none or does not serve them to this app.

        They are closed to apps made since November 2024: a first refusal is remembered for the app, and nothing is asked again.
        Raises RetryLater and PollError as `recent`.
        """
        if self._closed.is_closed(AUDIO_FEATURES):
            return None
        try:
            return self._metadata(lambda spotify: spotify._get(f"{AUDIO_FEATURES}/{track_id}"), f"{AUDIO_FEATURES}/{track_id}")
        except EndpointClosedError:
            self._closed.close(AUDIO_FEATURES, self._clock.now())
            return None

    def _metadata(self, call: Callable[[Spotify], Any], endpoint: str) -> dict[str, Any] | None:
        try:
            return self._call(call, endpoint)[0]
        except _UnknownIdError:
            return None

    def _call(self, call: Callable[[Spotify], Any], endpoint: str) -> tuple[dict[str, Any], dt.datetime]:
        """The answer and its Date. Passing failures are repeated within the poll's total time."""
        ends = self._clock.monotonic() + self.settings.spotify_poll_seconds
        refused: str | None = None
        attempt = 0
        while True:
            attempt += 1
            used = None
            try:
                used = self._access.access_token(refused=refused)
                return self._once(call, used)
            except ExchangeError as error:
                if error.status == 401 and used is not None and refused is None:
                    # The token may have been withdrawn before its time: once, with another one.
                    refused, attempt = used, attempt - 1
                    continue
                wait = self._wait(error, attempt, endpoint)
                if self._clock.monotonic() + wait > ends:
                    raise PollError(f"Spotify {self._name()}: {error}; given up, the next poll tries again") from error
            self._clock.sleep(wait)

    def _once(self, call: Callable[[Spotify], Any], token: str) -> tuple[dict[str, Any], dt.datetime]:
        from spotipy.exceptions import SpotifyBaseException

        self._pause_for_budget()
        if self._api is None:
            self._api = api(self.settings, self._session)
        self._api.set_auth(token)
        self._session.server_date = None
        try:
            body = call(self._api)
        except SpotifyBaseException as error:
            raise PollError(f"Spotify {self._name()}: {error}") from error
        if not isinstance(body, dict) or self._session.server_date is None:
            raise PollError(f"Spotify {self._name()}: no usable answer; the next poll tries again")
        return body, self._session.server_date

    def _pause_for_budget(self) -> None:
        """Wait until the budget allows a call. Raises RetryLater for a wait of more than a minute."""
        now = self._clock.monotonic()
        seconds = self._budget.wait(now)
        if seconds > LONGEST_PAUSE:
            retry_at = self._clock.now() + dt.timedelta(seconds=seconds)
            raise RetryLater(f"Spotify {self._name()}: the budget of {self._budget.calls} calls is used up", retry_at)
        if seconds:
            self._clock.sleep(seconds)
        self._budget.spend(max(now + seconds, self._clock.monotonic()))

    def _wait(self, error: ExchangeError, attempt: int, endpoint: str) -> float:
        """Seconds until the next attempt. Raises PollError where another attempt is of no use now."""
        if not error.is_passing:
            raise self._final(error, endpoint) from error
        pause = QUOTA_PAUSE if "QUOTA_EXCEEDED" in str(error).upper() else error.retry_after
        if pause is not None and pause > LONGEST_PAUSE:
            # By our own clock, as it is compared with it: a clock that goes wrong must not stretch the pause.
            retry_at = self._clock.now() + dt.timedelta(seconds=pause)
            raise RetryLater(f"Spotify {self._name()}: {error}; asks to wait until {retry_at:%Y-%m-%d %H:%M} UTC", retry_at)
        if attempt >= ATTEMPTS:
            raise PollError(f"Spotify {self._name()}: {error}; the next poll tries again") from error
        return max(error.retry_after or 0.0, 2.0 ** (attempt - 1) * self._random.uniform(0.5, 1.0))

    def _final(self, error: ExchangeError, endpoint: str) -> Exception:
        """What an error means that no repetition mends."""
        token = self._access.token()
        who = f"Spotify {token.account}"
        again = f"run `{command_for(SOURCE, token.listener)}`"
        if error.status == 401:
            return AccountRefused(f"{who}: a new access token is refused as well (HTTP 401)", again)
        if error.status == 403 and "scope" in str(error).lower():
            return AccountRefused(f"{who}: the consent does not cover what was played (HTTP 403)", again)
        if error.status == 403 and endpoint != RECENTLY_PLAYED:
            return EndpointClosedError(f"{who}: {error}")
        if error.status == 403:
            return AccountRefused(f"{who}: the app may not read this account (HTTP 403)", NOT_A_USER)
        if error.status == 404 and endpoint != RECENTLY_PLAYED:
            return _UnknownIdError(str(error))
        if error.status == 404:
            return AccountRefused(f"{who}: the account is gone (HTTP 404); its plays are kept", again)
        return PollError(f"{who}: {error}; the next poll tries again")

    def _name(self) -> str:
        token = self._access.store.read(self.account_id)
        return f"account {self.account_id}" if token is None else token.account


class _UnknownIdError(PollError):
    """Spotify does not know an id (any more)."""


def _item(position: int, play: Any) -> Item:
    """The key is the moment and the URI: plays of one moment differ in their tracks, and Spotify states both unchanged.

    Of plays without a time, which cannot be told apart, one per track is kept.
    """
    record: Mapping[str, Any] = play if isinstance(play, Mapping) else {}
    text = record.get("played_at")
    played_at = _moment(text)
    moment = str(round(played_at.timestamp() * 1000)) if played_at is not None else str(text)
    return Item(position, f"{moment}|{_identity(record.get('track'))}", played_at)


def _identity(track: Any) -> str:
    """The URI of a track or an episode; without one, a hash of its names. Local tracks have a URI and no id."""
    if not isinstance(track, Mapping):
        return "none"
    for name in ("uri", "id"):
        if isinstance(track.get(name), str) and track[name]:
            return str(track[name])
    artists = track.get("artists")
    artist_names = [one.get("name") for one in artists if isinstance(one, Mapping)] if isinstance(artists, list) else []
    named = json.dumps([track.get("name"), artist_names], sort_keys=True, ensure_ascii=False)
    return f"names:{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def _moment(text: Any) -> dt.datetime | None:
    """A UTC time of Spotify's form, with or without milliseconds; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        return moment.astimezone(dt.timezone.utc) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
