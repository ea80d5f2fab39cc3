"""After the plays: what is to be known of what was heard goes to the inbox too. Nothing here keeps a poll from going well."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from music.envelopes import LASTFM_API, LISTENBRAINZ_API, SPOTIFY_API
from polling.accounts import AccountSettings
from polling.answers import AccountRefused, PollError, RetryLater
from polling.closed_endpoints import EndpointClosedError
from polling.envelope import EnvelopeError
from polling.poll import Account, Outcome
from polling.state import BusyError, StateError

if TYPE_CHECKING:
    from polling.metadata_heard import Heard
    from polling.metadata_known import Known
    from polling.metadata_store import MetadataStore
    from polling.settings import MetadataSettings

NEXT_TRY = dt.timedelta(days=1)
"""After a refusal, as with accounts."""
LONGEST_REASON = 200


def fetch_metadata(
    settings: AccountSettings,
    accounts: Sequence[Account],
    outcomes: Iterable[Outcome],
    now: dt.datetime,
    observer: Callable[[str, str], None] | None = None,
) -> list[str]:
    """Fetch metadata of what was heard, as the last built lakehouse tells; returns a line for each source that said no.

    `outcomes` are those of the poll before: a source that waits or refuses is not asked. `observer` is called with source and
    kind of each answer. Raises pydantic.ValidationError.
    """
    if not (settings.dir / "silver").is_dir():
        return []
    import pyarrow as pa
    from deltalake.exceptions import DeltaError

    from polling.metadata_store import MetadataStore

    store = MetadataStore(settings.inbox_folder, observer)
    try:
        with store.locked():
            store.load()
            return _fetched(settings, store, accounts, list(outcomes), now)
    except BusyError:
        return ["metadata: another process fetches it"]
    except (StateError, EnvelopeError, OSError) as error:
        return [f"metadata: {error}"]
    except (pa.ArrowException, DeltaError) as error:
        return [f"metadata: {settings.dir} cannot be read: {str(error)[:LONGEST_REASON]}; `lakehouse run` brings it up to date"]


def _fetched(
    settings: AccountSettings, store: MetadataStore, accounts: Sequence[Account], outcomes: Sequence[Outcome], now: dt.datetime
) -> list[str]:
    """What `fetch_metadata` says, under the lock. Raises EnvelopeError and OSError."""
    from polling.metadata_heard import Heard
    from polling.metadata_known import known
    from polling.metadata_told import write_told
    from polling.settings import MetadataSettings

    own, heard = MetadataSettings(), Heard(settings.dir)
    if not heard.is_there:
        return []
    found = known(settings.dir, store, now - dt.timedelta(days=own.artist_cache_days))
    write_told(store, found, settings.inbox_folder, [(account.source, account.account_id) for account in accounts])
    parts: dict[str, Callable[[], None]] = {}
    polled = {(one.source, one.account_id) for one in outcomes if one.status == "polled"}
    asked = next((one for one in accounts if one.source == SPOTIFY_API and (SPOTIFY_API, one.account_id) in polled), None)
    if asked is not None and own.spotify_metadata_requests:
        parts[SPOTIFY_API] = partial(_spotify, asked, store, found, heard, own.spotify_metadata_requests)
    if own.lastfm_api_key is not None and own.artist_requests and _answers(LASTFM_API, outcomes):
        parts[LASTFM_API] = partial(_lastfm, own, store, found, heard)
    # Its similar artists are public, but nobody is asked whom no setting names.
    is_named = own.listenbrainz_token is not None or any(one.source == LISTENBRAINZ_API for one in accounts)
    if is_named and own.artist_requests and _answers(LISTENBRAINZ_API, outcomes):
        parts[LISTENBRAINZ_API] = partial(_listenbrainz, own, store, found, heard)
    lines = [_part(source, fetch, store, now) for source, fetch in parts.items()]
    return [line for line in lines if line is not None]


def _answers(source: str, outcomes: Iterable[Outcome]) -> bool:
    """Whether no account of the source was told to wait just now, or refused."""
    statuses = {one.status for one in outcomes if one.source == source}
    return not statuses or "polled" in statuses


def _part(source: str, fetch: Callable[[], None], store: MetadataStore, now: dt.datetime) -> str | None:
    """Fetch from one source, unless it asked to wait; returns what it said if it said no. Raises OSError."""
    retry_at = store.progress.retry_at.get(source)
    if retry_at is not None and now < retry_at:
        return f"metadata of {source}: asked again after {retry_at:%Y-%m-%d %H:%M} UTC"
    store.progress.retry_at.pop(source, None)
    said: str | None = None
    try:
        fetch()
    except RetryLater as error:
        store.progress.retry_at[source] = error.retry_at
        said = f"metadata of {source}: {error}"
    except AccountRefused as error:
        store.progress.retry_at[source] = now + NEXT_TRY
        said = f"metadata of {source}: {error}; {error.remedy}"
    except EndpointClosedError as error:
        store.progress.retry_at[source] = now + NEXT_TRY
        said = f"metadata of {source}: {error}"
    except PollError as error:
        said = f"metadata of {source}: {error}"
    store.save()
    return said


def _spotify(account: Account, store: MetadataStore, found: Known, heard: Heard, most: int) -> None:
    from polling.metadata_spotify import fetch_spotify
    from polling.spotify import SpotifyClient

    client = account.client()
    if isinstance(client, SpotifyClient):
        fetch_spotify(client, store, found, heard, most)


def _lastfm(own: MetadataSettings, store: MetadataStore, found: Known, heard: Heard) -> None:
    from polling.lastfm_artists import LastfmArtists
    from polling.metadata_artists import fetch_lastfm

    with closing(LastfmArtists(own)) as client:
        fetch_lastfm(client, store, found, heard, own.artist_requests)


def _listenbrainz(own: MetadataSettings, store: MetadataStore, found: Known, heard: Heard) -> None:
    from polling.listenbrainz_artists import ListenbrainzArtists
    from polling.metadata_artists import fetch_listenbrainz

    with closing(ListenbrainzArtists(own)) as client:
        fetch_listenbrainz(client, store, found, heard, own.artist_requests)
