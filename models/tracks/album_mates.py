"""How well vectors of catalogue tracks find the tracks of the same album: the criterion for choosing and judging them.

No vector contains albums. Mates by the same artist and by others (on compilations, which resemble playlists) are counted
separately: the first reward knowledge of the artist, the second knowledge of the music.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from music.ranking import reaching

NEIGHBOURS = 20
# A longer album is a series or a title that many use ("Greatest Hits").
LONGEST_ALBUM = 50
MATES = 3
QUERIES = 200
BLOCK = 50
SAME_ARTIST, OTHER_ARTISTS = "mates by the same artist", "mates by other artists"
KINDS = (SAME_ARTIST, OTHER_ARTISTS)
SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Query:
    """A track and the tracks that should be near it, as positions in the catalogue."""

    track: int
    mates: tuple[int, ...]


def queries(catalogue: pd.DataFrame) -> dict[tuple[str, str], list[Query]]:
    """Per split and kind of mates at most QUERIES tracks of different albums, each with at most MATES mates of the kind.

    `catalogue` has album, artist_key and recording (each a string or null). The hash of an album's name determines its
    split, its place among the queried albums, and which of its tracks is the query.
    """
    named = catalogue.dropna(subset=["album", "artist_key", "recording"])
    albums = {
        album: places for album, places in named.groupby("album", sort=False).indices.items() if 2 <= len(places) <= LONGEST_ALBUM
    }
    hashed = sorted((hashlib.sha256(str(album).encode()).digest(), album) for album in albums)
    artists, recordings, positions = named["artist_key"].to_numpy(), named["recording"].to_numpy(), named.index.to_numpy()
    found: dict[tuple[str, str], list[Query]] = {(split, kind): [] for split in SPLITS for kind in KINDS}
    for digest, album in hashed:
        split, places = SPLITS[digest[-1] % 2], albums[album]
        asked = places[digest[-2] % len(places)]
        others = places[recordings[places] != recordings[asked]]
        is_same = artists[others] == artists[asked]
        for kind, mates in ((SAME_ARTIST, others[is_same]), (OTHER_ARTISTS, others[~is_same])):
            if len(mates) and len(found[split, kind]) < QUERIES:
                found[split, kind].append(Query(int(positions[asked]), tuple(int(positions[m]) for m in mates[:MATES])))
        if all(len(listed) == QUERIES for listed in found.values()):
            break
    return found


def ranks(
    parts: Mapping[str, np.ndarray], mixes: Sequence[Mapping[str, float]], asked: Sequence[Query], recordings: np.ndarray
) -> np.ndarray:
    """Rank of every mate (mixes x queries x MATES; NaN where a query has fewer) among all tracks but the query's recording.

    `recordings` says which tracks are the same recording. Ties count against the mate.
    """
    found = np.full((len(mixes), len(asked), MATES), np.nan)
    names = [name for name in parts if any(mix.get(name, 0.0) > 0 for mix in mixes)]
    weights = np.array([[mix.get(name, 0.0) for name in names] for mix in mixes])
    for start in range(0, len(asked), BLOCK):
        block = asked[start : start + BLOCK]
        rows = np.array([query.track for query in block])
        near = np.stack([parts[name][rows] @ parts[name].T for name in names])
        for place, query in enumerate(block):
            scores = weights @ near[:, place]
            scores[:, recordings == recordings[query.track]] = -np.inf
            for number, mate in enumerate(query.mates):
                found[:, start + place, number] = np.count_nonzero(reaching(scores, scores[:, [mate]]), axis=1)
    return found
