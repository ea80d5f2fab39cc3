"""Audio features of tracks as Spotify's Web API answers where it still serves them, in metadata files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Literal

import pyarrow as pa

from ingestion.metadata import MetadataAnswer, kind_of, number, read_answers, text
from lakehouse.declare import Sample, column
from music.audio_features import FEATURES, INTEGERS, RANGES
from music.metadata import AUDIO_FEATURES

COLUMNS = (
    column("track_id", "string", "Spotify id that was asked for", nullable=False),
    *[column(name, "int" if name in INTEGERS else "double", f"{name}; null where it is impossible") for name in FEATURES],
    column("fetched_at", "timestamp", "Spotify's date, UTC", nullable=False),
)
TYPES = {"string": pa.string(), "int": pa.int32(), "double": pa.float64(), "timestamp": pa.timestamp("us", "UTC")}
SCHEMA = pa.schema([pa.field(c.name, TYPES[c.type]) for c in COLUMNS])


class AudioFeatureAnswers:
    """One row per answer; without features for a track that Spotify has none of."""

    name = "audio_feature_answers"
    target = "audio_feature_answers"
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return kind_of(sample) == AUDIO_FEATURES

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        rows = [row for answer in read_answers(stream) if (row := _row(answer)) is not None]
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _row(answer: MetadataAnswer) -> dict[str, Any] | None:
    track_id = text(answer.about.get("id"))
    told = answer.answer if isinstance(answer.answer, dict) else {}
    if track_id is None:
        return None
    return {"track_id": track_id, **{name: _possible(name, told.get(name)) for name in FEATURES}, "fetched_at": answer.fetched_at}


def _possible(name: str, value: Any) -> float | int | None:
    """A value within the feature's range; Spotify writes -1 or 0 for what it did not find."""
    found, (low, high) = number(value), RANGES[name]
    if found is None or not low <= found <= high or (name in INTEGERS and not found.is_integer()):
        return None
    return int(found) if name in INTEGERS else found


SOURCES = (AudioFeatureAnswers(),)
