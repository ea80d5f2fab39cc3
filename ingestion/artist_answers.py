"""What Last.fm and ListenBrainz say of artists: tags, similar artists and MusicBrainz ids, in metadata files.

Read: last.fm/api/show/artist.getTopTags and artist.getSimilar; labs.api.listenbrainz.org/similar-artists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Literal

import pyarrow as pa

from ingestion.envelopes import at_path
from ingestion.metadata import MetadataAnswer, kind_of, listed, number, read_answers, text
from lakehouse.declare import Sample, column
from music.metadata import ARTIST_KINDS, ARTIST_MBID, ARTIST_TAGS
from music.recordings import folded_name

COLUMNS = (
    column("service", "string", "who says so: lastfm_api or listenbrainz_api", nullable=False),
    column("kind", "string", "artist_tags, similar_artists or artist_mbid", nullable=False, one_of=ARTIST_KINDS),
    column("asked_key", "string", "artist_key that was asked for, where it is stated"),
    column("artist_name", "string", "artist that was asked for", nullable=False),
    column("artist_folded", "string", "that name, folded", nullable=False),
    column("artist_mbid", "string", "MusicBrainz id of the artist, where it is known"),
    column("value", "string", "tag or name of a similar artist; null where the source knows none"),
    column("value_folded", "string", "that tag or name, folded"),
    column("value_mbid", "string", "MusicBrainz id of the similar artist, where the source states it"),
    column("score", "double", "count of the tag, or similarity of the artist, as the source has it"),
    column("fetched_at", "timestamp", "the source's date, UTC", nullable=False),
)
TYPES = {"string": pa.string(), "double": pa.float64(), "timestamp": pa.timestamp("us", "UTC")}
SCHEMA = pa.schema([pa.field(c.name, TYPES[c.type]) for c in COLUMNS])


class ArtistAnswers:
    """One row per tag or similar artist of an answer; one without a value for an answer that has none."""

    name = "artist_answers"
    target = "artist_answers"
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return kind_of(sample) in ARTIST_KINDS

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        rows = [row for answer in read_answers(stream) for row in _rows(answer)]
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _rows(answer: MetadataAnswer) -> list[dict[str, Any]]:
    name = text(answer.about.get("artist_name"))
    folded = folded_name(name) if name is not None else None
    if folded is None:
        return []
    told = {
        "service": answer.source,
        "kind": answer.kind,
        "asked_key": text(answer.about.get("artist_key")),
        "artist_name": name,
        "artist_folded": folded,
        "artist_mbid": text(answer.about.get("artist_mbid")),
        "fetched_at": answer.fetched_at,
    }
    values = [] if answer.kind == ARTIST_MBID else [value for value in _values(answer) if value["value_folded"] is not None]
    return [told | value for value in values] or [told]


def _values(answer: MetadataAnswer) -> Iterator[dict[str, Any]]:
    if answer.kind == ARTIST_TAGS:
        for tag in listed(at_path(answer.answer, "toptags", "tag")):
            yield _value(tag.get("name"), None, tag.get("count"))
    elif isinstance(answer.answer, list):
        for artist in listed(answer.answer):
            yield _value(artist.get("name"), artist.get("artist_mbid"), artist.get("score"))
    else:
        for artist in listed(at_path(answer.answer, "similarartists", "artist")):
            yield _value(artist.get("name"), artist.get("mbid"), artist.get("match"))


def _value(name: Any, mbid: Any, score: Any) -> dict[str, Any]:
    shown = text(name)
    folded = folded_name(shown) if shown is not None else None
    return {"value": shown, "value_folded": folded, "value_mbid": text(mbid), "score": number(score)}


SOURCES = (ArtistAnswers(),)
