"""The kind of row that scrobbling services yield."""

from __future__ import annotations

from ingestion.history_source import SourceKind

# Some services, and most exporters, give the start to the minute only. A play may be on several services at once.
SCROBBLE = SourceKind(
    name="scrobble",
    ts="start",
    rank=30,
    window_seconds=60,
    compared_with=("start",),
    sources_overlap=True,
)
