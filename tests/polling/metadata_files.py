"""Metadata files as polling writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

DATE = "2026-11-29T22:00:00Z"
About = Mapping[str, Any]


def metadata_file(source: str, kind: str, answers: Sequence[tuple[About, Any]], date: str = DATE) -> bytes:
    """A file with these answers, each with what it is about."""
    told = [{"about": dict(about), "request": {"path": "x"}, "server_date": date, "answer": answer} for about, answer in answers]
    document = {"format": "listening-lakehouse/metadata/1", "kind": kind, "source": source, "answers": told}
    return json.dumps(document).encode()


def lastfm_similar(*similar: tuple[str, Any]) -> dict[str, Any]:
    """An answer of artist.getSimilar: names and matches."""
    artists = [{"name": name, "mbid": "", "match": match, "url": "u"} for name, match in similar]
    return {"similarartists": {"artist": artists, "@attr": {"artist": "Vega"}}}


def lastfm_tags(*tags: tuple[str, Any]) -> dict[str, Any]:
    """An answer of artist.getTopTags: names and counts."""
    return {"toptags": {"tag": [{"name": name, "count": count, "url": "u"} for name, count in tags], "@attr": {"artist": "Vega"}}}


def listenbrainz_similar(*similar: tuple[str, int]) -> list[dict[str, Any]]:
    """An answer of similar-artists: names and scores."""
    return [
        {"artist_mbid": f"mbid-of-{name}", "name": name, "comment": "", "type": "Group", "gender": None, "score": score}
        for name, score in similar
    ]


def spotify_track(isrc: str | None, **changes: Any) -> dict[str, Any]:
    """An answer of GET /tracks/ID; without an ISRC, as applications in development mode may get it."""
    album = {"id": "1aB2", "name": "North", "release_date": "2024-03-01", "release_date_precision": "day"}
    usual = {
        "album": album,
        "artists": [{"id": "0aB1", "name": "Vega"}, {"id": "0aB2", "name": "Guest"}],
        "duration_ms": 180_000,
        "explicit": False,
        "name": "Tide",
        "popularity": 12,
        "type": "track",
    }
    return usual | ({} if isrc is None else {"external_ids": {"isrc": isrc}}) | changes
