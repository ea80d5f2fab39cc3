"""Tags and similar artists of what was heard, from Last.fm and ListenBrainz, each again when its time is over."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from music.metadata import ARTIST_MBID, ARTIST_TAGS, SIMILAR_ARTISTS
from polling.lastfm_artists import LastfmArtists
from polling.listenbrainz_artists import LONGEST_NAME, ListenbrainzArtists
from polling.metadata_batch import batch
from polling.metadata_heard import Heard, HeardArtist
from polling.metadata_known import Known
from polling.metadata_store import MetadataStore, Told

MBID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Ask = Callable[[str], tuple[dt.datetime, Any]]


def fetch_lastfm(client: LastfmArtists, store: MetadataStore, known: Known, heard: Heard, most: int) -> None:
    """Ask at most `most` times, for similar artists and for tags. Raises PollError; answers until then are written."""
    left = most
    asks: dict[str, Ask] = {SIMILAR_ARTISTS: client.similar, ARTIST_TAGS: client.tags}
    for number, (kind, ask) in enumerate(asks.items()):
        share = left if number == len(asks) - 1 else -(-left // 2)
        artists = heard.artist_names(known.artists.get((client.source, kind), set()), share)
        left -= len(artists)
        with batch(store, client.source, kind) as answers:
            for artist in artists:
                date, answer = ask(artist.artist_name)
                answers.add(Told(_about(artist), {"kind": kind}, date, answer))


def fetch_listenbrainz(client: ListenbrainzArtists, store: MetadataStore, known: Known, heard: Heard, most: int) -> None:
    """Ask at most `most` times, for similar artists and the MusicBrainz ids that these need. Raises PollError as above."""
    done = known.artists.get((client.source, SIMILAR_ARTISTS), set())
    looked_up = known.artists.get((client.source, ARTIST_MBID), set())
    # Without an id and without a way to find it, an artist must not hold back those that come after.
    skipped = done | {key for key in looked_up if key not in known.mbids}
    artists = heard.artist_names(skipped, most if client.can_look_up else 20 * most)
    titles = heard.titles([artist.artist_key for artist in artists if artist.artist_key not in known.mbids])
    left = most
    with batch(store, client.source, ARTIST_MBID) as ids, batch(store, client.source, SIMILAR_ARTISTS) as answers:
        for artist in artists:
            mbid = known.mbids.get(artist.artist_key)
            if mbid is None and client.can_look_up and artist.artist_key in titles and left > 0:
                date, answer = client.lookup(artist.artist_name, titles[artist.artist_key])
                left -= 1
                mbid = mbid_of(answer)
                ids.add(Told(_about(artist, mbid), {"kind": ARTIST_MBID}, date, answer))
            if mbid is not None and MBID.fullmatch(mbid) and left > 0:
                date, answer = client.similar(mbid)
                left -= 1
                answers.add(Told(_about(artist, mbid), {"kind": SIMILAR_ARTISTS}, date, answer))


def mbid_of(answer: Any) -> str | None:
    """The MusicBrainz id of a lookup's artist; None for no match, and for a credit of several artists."""
    mbids = answer.get("artist_mbids") if isinstance(answer, dict) else None
    match mbids:
        case [str(mbid)] if MBID.fullmatch(mbid):
            return mbid
    return None


def _about(artist: HeardArtist, mbid: str | None = None) -> dict[str, str | None]:
    return {"artist_key": artist.artist_key, "artist_name": artist.artist_name[:LONGEST_NAME], "artist_mbid": mbid}
