"""The endpoints of the API, declared once: routes, checks of what is asked, and the OpenAPI description follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.api import answers, queries, reading

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Endpoint:
    """GET `PREFIX/path`: reads `tables` by `read(tables, listener, query)`."""

    path: str
    summary: str
    query: type[queries.ListenerQuery]
    answer: type[answers.Answer]
    tables: tuple[str, ...]
    read: Callable[..., answers.Answer]
    is_live: bool = False
    """`read` is also handed what is playing now, which no version of a table tells of"""
    may_miss: bool = False
    """answers 404 where there is nothing"""

    @property
    def operation(self) -> str:
        """Its name in the description."""
        return self.path.strip("/").replace("/", "_").replace("-", "_")

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of each query parameter."""
        return dict(self.query.model_json_schema()["properties"])


ENDPOINTS = (
    Endpoint(
        "/now",
        "What is playing now, and the last plays",
        queries.NowQuery,
        answers.Now,
        (reading.PLAYS,),
        reading.now,
        is_live=True,
    ),
    Endpoint("/stats", "Figures of a period", queries.StatsQuery, answers.Stats, (reading.DAYS, reading.PLAYS), reading.stats),
    Endpoint(
        "/top/artists", "Artists with most listens", queries.TopQuery, answers.TopArtists, (reading.ARTISTS,), reading.top_artists
    ),
    Endpoint(
        "/top/tracks", "Tracks with most listens", queries.TopQuery, answers.TopTracks, (reading.TRACKS,), reading.top_tracks
    ),
    Endpoint(
        "/top/genres", "Genres with most listens", queries.TopQuery, answers.TopGenres, (reading.GENRES,), reading.top_genres
    ),
    Endpoint(
        "/recommendations",
        "What to play, and why",
        queries.RecommendationsQuery,
        answers.Recommendations,
        (reading.RECOMMENDED,),
        reading.recommendations,
    ),
    Endpoint(
        "/year-in-music",
        "What a year was like",
        queries.YearQuery,
        answers.YearInMusic,
        (reading.YEARS,),
        reading.year_in_music,
        may_miss=True,
    ),
)
