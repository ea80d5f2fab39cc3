"""The kind of row that scrobbling services yield."""

from __future__ import annotations

from ingestion.history_source import SourceKind

# Most exporters give the start to the minute only, and some services submit the end. A play may be on several services at once,
# and is sent after 30 s at the earliest, so a track cannot start twice within them.
SCROBBLE = SourceKind(
    name="scrobble",
    ts="start",
    rank=30,
    window_seconds=60,
    compared_with=("start", "end"),
    repeat_seconds=30,
    sources_overlap=True,
)
