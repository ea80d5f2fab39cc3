"""Where the live sources are, and what identifies this application there."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from music.settings import ListeningSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Spotify refuses `localhost` as the host of a redirect since November 2025.
REDIRECT_HOSTS = ("127.0.0.1", "::1")


def checked_url(value: str) -> str:
    """A base address without a slash at its end. Raises ValueError unless it is https, or http on this machine."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{value!r} is not an address like https://api.example.org/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address must not hold a user name or password")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"{value!r} must be https; http is accepted for 127.0.0.1 only")
    return value.rstrip("/")


class SpotifySettings(ListeningSettings):
    """Raises pydantic.ValidationError for a value that cannot be used.

    `client_id` and `redirect_uri` are those of the application in Spotify's dashboard. A redirect address without a port
    stands for any free port: Spotify compares the port of loopback addresses only if one was registered.
    """

    spotify_api_url: str = "https://api.spotify.com/v1"
    spotify_accounts_url: str = "https://accounts.spotify.com"
    spotify_request_seconds: Annotated[float, Field(gt=0, le=300)] = 20.0
    """total time of one request, its answer read to the end"""
    spotify_poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 150.0
    """total time of one call with all its repetitions and pauses"""
    spotify_calls: Annotated[int, Field(ge=1)] = 30
    spotify_call_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """at most `spotify_calls` calls in any so many seconds; Spotify counts in 30 s and does not publish its own number"""

    @field_validator("spotify_api_url", "spotify_accounts_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_url(value)

    @field_validator("redirect_uri")
    @classmethod
    def _loopback(cls, value: str) -> str:
        parts = urlsplit(value)
        is_plain = parts.scheme == "http" and not (parts.query or parts.fragment or parts.username)
        # Reading the port raises ValueError where it is no number.
        if not is_plain or parts.hostname not in REDIRECT_HOSTS or parts.port == 0:
            raise ValueError(f"{value!r} is not a loopback address; register http://127.0.0.1/callback in Spotify's dashboard")
        return value

    @field_validator("client_id", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        # `CLIENT_ID=` in .env means: not set.
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        return text or None


class ScrobbleSettings(ListeningSettings):
    """Of Last.fm and ListenBrainz. Raises pydantic.ValidationError for a value that cannot be used.

    Budgets are calls per rolling window of seconds and account. Last.fm tolerates five a second from an address, ListenBrainz
    30 in ten seconds; ours leave room for other programs.
    """

    lastfm_api_key: Annotated[SecretStr | None, Field(validation_alias="LASTFM_API_KEY")] = None
    lastfm_api_url: str = "https://ws.audioscrobbler.com"
    lastfm_calls: Annotated[int, Field(ge=1, le=100_000)] = 5
    lastfm_call_seconds: Annotated[float, Field(gt=0, le=24 * 3600)] = 5.0
    listenbrainz_token: Annotated[SecretStr | None, Field(validation_alias="LISTENBRAINZ_TOKEN")] = None
    listenbrainz_api_url: str = "https://api.listenbrainz.org"
    listenbrainz_labs_url: str = "https://labs.api.listenbrainz.org"
    listenbrainz_calls: Annotated[int, Field(ge=1, le=100_000)] = 20
    listenbrainz_call_seconds: Annotated[float, Field(gt=0, le=24 * 3600)] = 10.0

    @field_validator("lastfm_api_url", "listenbrainz_api_url", "listenbrainz_labs_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_url(value)

    @field_validator("lastfm_api_key", "listenbrainz_token", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        # `LASTFM_API_KEY=` in .env means: not set.
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and not (text.isascii() and (text.isprintable() or not text)):
            raise ValueError("it has characters that no key or token has: copy it again")
        return text or None


class MetadataSettings(ScrobbleSettings):
    """How much is asked about what was heard. Raises pydantic.ValidationError for a value that cannot be used."""

    spotify_metadata_requests: Annotated[int, Field(ge=0, le=10_000)] = 200
    """a poll, over tracks, audio features, artists and albums; 0 asks nothing"""
    artist_requests: Annotated[int, Field(ge=0, le=10_000)] = 100
    """a poll and source, for tags and similar artists of Last.fm and ListenBrainz; 0 asks nothing"""
    artist_cache_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """after which tags and similar artists are asked for again"""
