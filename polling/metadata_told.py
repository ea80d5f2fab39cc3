"""What poll files tell beside plays, which need not be asked for: track objects of Spotify, and MusicBrainz ids of artists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from music.envelopes import LASTFM_API, LISTENBRAINZ_API, SPOTIFY_API
from music.metadata import ARTIST_MBID, TRACK
from polling.envelope import BACKFILL, Envelope
from polling.inbox_files import PollFile, loose_files, poll_files
from polling.metadata_known import Known
from polling.metadata_store import MetadataStore, Told
from polling.places import AccountPlace

MOST_FILES = 500
"""A poll and account: a large inbox that was never searched is searched over several polls."""
MOST_ANSWERS = 200


def write_told(store: MetadataStore, known: Known, inbox: Path, accounts: Iterable[tuple[str, str]]) -> int:
    """Write what is not known of the accounts' new poll files to the store; returns how many answers that are.

    `known` then knows them. `accounts` are sources and account ids. Raises EnvelopeError and OSError.
    """
    written = 0
    for source, account_id in accounts:
        place = AccountPlace(inbox, source, account_id)
        # Polls and backfills number their files apart.
        for is_backfill in (False, True):
            name = f"{source}/{account_id}{f'/{BACKFILL}' if is_backfill else ''}"
            written += _write_new(store, known, place, name, is_backfill=is_backfill)
    return written


def _write_new(store: MetadataStore, known: Known, place: AccountPlace, name: str, *, is_backfill: bool) -> int:
    """Write what the files after those that were searched tell; returns the number of answers."""
    after = store.progress.polled.get(name, 0)
    loose = sorted((file for file in loose_files(place) if file.is_backfill is is_backfill), key=_number)
    if loose and loose[-1].number < after:
        # The account was begun anew.
        after = 0
    if loose and loose[0].number <= after + 1:
        return _write_told(store, known, name, place.source, [file for file in loose if file.number > after])
    if not loose and after:
        return 0
    # Some that were not searched are packed.
    with poll_files(place) as files:
        new = sorted((file for file in files if file.is_backfill is is_backfill and file.number > after), key=_number)
        return _write_told(store, known, name, place.source, new)


def _number(file: PollFile) -> int:
    return file.number


def _write_told(store: MetadataStore, known: Known, name: str, source: str, files: Sequence[PollFile]) -> int:
    new = files[:MOST_FILES]
    if not new:
        return 0
    kind, told = _told(source, (file.envelope() for file in new), known)
    answers = list(told.values())
    for start in range(0, len(answers), MOST_ANSWERS):
        store.write(source, kind, answers[start : start + MOST_ANSWERS])
    if kind == TRACK:
        known.add_ids(kind, told)
    else:
        known.named |= told.keys()
    # Moved last: a kill before this only means that the files are searched again.
    store.progress.polled[name] = new[-1].number
    store.save()
    return len(answers)


def _told(source: str, envelopes: Iterable[Envelope], known: Known) -> tuple[str, dict[str, Told]]:
    """The kind of answers, and the answers by track id or artist's name; the last one of each."""
    told: dict[str, Told] = {}
    kind = TRACK if source == SPOTIFY_API else ARTIST_MBID
    for envelope in envelopes:
        for about, answer in _facts(envelope):
            request = {"told_by": source}
            told[about.get("id") or about["artist_name"]] = Told(about, request, envelope.server_date, answer)
    if kind == ARTIST_MBID:
        return kind, {name: answer for name, answer in told.items() if name not in known.named}
    is_known = pc.is_in(pa.array(told, pa.string()), value_set=known.of(TRACK)).to_pylist()
    return kind, {name: answer for (name, answer), is_old in zip(told.items(), is_known, strict=True) if not is_old}


def _facts(envelope: Envelope) -> Iterator[tuple[dict[str, str], Any]]:
    for item in _items(envelope):
        if envelope.source == SPOTIFY_API:
            track = _at(item, "track")
            track_id = _at(track, "id")
            # Episodes are no tracks; local tracks have no id.
            if _is_text(track_id) and _at(track, "type") in (None, "track"):
                yield {"id": track_id}, track
        else:
            for name, mbid in _artists(envelope.source, item):
                if _is_text(name) and _is_text(mbid):
                    yield {"artist_name": name, "artist_mbid": mbid}, None


def _items(envelope: Envelope) -> list[Any]:
    """The new items of the answer."""
    paths = {SPOTIFY_API: ("items",), LASTFM_API: ("recenttracks", "track"), LISTENBRAINZ_API: ("payload", "listens")}
    items = _at(envelope.answer, *paths[envelope.source])
    listed = items if isinstance(items, list) else [items]
    return [listed[position] for position in envelope.new if position < len(listed)]


def _artists(source: str, item: Any) -> Iterator[tuple[Any, Any]]:
    if source == LASTFM_API:
        yield _at(item, "artist", "#text") or _at(item, "artist", "name"), _at(item, "artist", "mbid")
        return
    mapping = _at(item, "track_metadata", "mbid_mapping")
    artists, mbids = _at(mapping, "artists"), _at(mapping, "artist_mbids")
    if isinstance(artists, list):
        for artist in artists:
            yield _at(artist, "artist_credit_name"), _at(artist, "artist_mbid")
    elif isinstance(mbids, list) and len(mbids) == 1:
        yield _at(item, "track_metadata", "artist_name"), mbids[0]


def _at(value: Any, *path: str) -> Any:
    """A value within nested objects; None where one of them is missing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
