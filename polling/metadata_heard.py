"""What real listeners heard, most heard first, from the silver tables of the last run. No engine is started."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lakehouse.storage import delta

# Ids go into addresses; local tracks and damaged ids have none.
SPOTIFY_ID = r"^[0-9A-Za-z]{1,64}$"
SYNTHETIC = "synthetic:"


@dataclass(frozen=True)
class HeardArtist:
    """An artist that real listeners heard."""

    artist_key: str
    artist_name: str
    """as it is shown most"""


class Heard:
    """What was heard, in the lakehouse at `root`. Tables that are missing hold nothing. Everything raises OSError."""

    def __init__(self, root: Path) -> None:
        self._silver, self._bronze = root / "silver", root / "bronze"

    @property
    def is_there(self) -> bool:
        """Whether a run has built what is read here."""
        return (
            delta.version(self._silver / "track_rows") is not None and delta.version(self._silver / "recording_ids") is not None
        )

    def tracks(self, known: pa.Array, most: int) -> list[str]:
        """At most so many ids that are not known, most heard first."""
        ids, rows = self._counts
        wanted = pc.and_(pc.match_substring_regex(ids, SPOTIFY_ID), pc.invert(pc.is_in(ids, value_set=known)))
        return _top(pa.table({"id": ids, "rows": rows}).filter(wanted), most)

    def albums(self, known: pa.Array, most: int) -> list[str]:
        """At most so many ids of albums that are not known, of the tracks whose metadata is there, most heard first."""
        return self._of_tracks("album_id", known, most)

    def artists(self, known: pa.Array, most: int) -> list[str]:
        """At most so many Spotify ids of artists that are not known, of those tracks, most heard first."""
        return self._of_tracks("artist_ids", known, most)

    @cached_property
    def _counts(self) -> tuple[pa.Array, pa.Array]:
        """Track ids that real listeners heard, and the number of rows of each."""
        is_real = ds.field("is_heard") & ds.field("by_real")
        listed = delta.dataset(self._silver / "recording_ids").to_table(columns=["track_id"], filter=is_real)["track_id"]
        real = listed.cast(pa.string()).combine_chunks()
        ids, rows = [], []
        for batch in delta.dataset(self._silver / "track_rows").to_batches(columns=["track_id", "rows"]):
            kept = batch.filter(pc.is_in(batch["track_id"].cast(pa.string()), value_set=real))
            ids.append(kept["track_id"].cast(pa.string()))
            rows.append(kept["rows"])
        if not ids:
            return pa.array([], pa.string()), pa.array([], pa.int64())
        return pa.concat_arrays(ids), pa.concat_arrays(rows)

    def _of_tracks(self, column: str, known: pa.Array, most: int) -> list[str]:
        path = self._bronze / "track_metadata"
        if delta.version(path) is None:
            return []
        ids, rows = self._counts
        parts = []
        for batch in delta.dataset(path).to_batches(columns=["track_id", column]):
            counts = rows.take(pc.index_in(batch["track_id"].cast(pa.string()), value_set=ids))
            values = batch[column]
            if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
                counts, values = counts.take(pc.list_parent_indices(values)), pc.list_flatten(values)
            values = values.cast(pa.string())
            wanted = pc.and_(pc.match_substring_regex(values, SPOTIFY_ID), pc.invert(pc.is_in(values, value_set=known)))
            kept = pa.table({"id": values, "rows": counts}).filter(pc.and_(wanted, pc.is_valid(counts)))
            parts.append(kept.group_by("id").aggregate([("rows", "sum")]).rename_columns(["id", "rows"]))
        if not parts:
            return []
        summed = pa.concat_tables(parts).group_by("id").aggregate([("rows", "sum")]).rename_columns(["id", "rows"])
        return _top(summed, most)

    def artist_names(self, known: Collection[str], most: int) -> list[HeardArtist]:
        """At most so many artists whose key is not known, most heard first."""
        path = self._silver / "heard_recordings"
        if delta.version(path) is None or not most:
            return []
        skipped = pa.array(list(known), pa.string())
        parts = []
        for batch in delta.dataset(path).to_batches(columns=["user_id", "artist_key", "artist_name", "plays"]):
            is_synthetic = pc.starts_with(batch["user_id"].cast(pa.string()), SYNTHETIC)
            named = pc.and_(pc.is_valid(batch["artist_key"]), pc.is_valid(batch["artist_name"]))
            is_new = pc.invert(pc.is_in(batch["artist_key"].cast(pa.string()), value_set=skipped))
            kept = pa.table(batch.filter(pc.and_(pc.and_(named, is_new), pc.invert(is_synthetic)))).drop_columns(["user_id"])
            parts.append(_summed(kept, ["artist_key", "artist_name"]))
        if not parts:
            return []
        spellings = _summed(pa.concat_tables(parts), ["artist_key", "artist_name"])
        best = _summed(spellings.drop_columns(["artist_name"]), ["artist_key"])
        keys = _top(best.rename_columns(["id", "rows"]), most)
        chosen = spellings.filter(pc.is_in(spellings["artist_key"].cast(pa.string()), value_set=pa.array(keys, pa.string())))
        ordered = sorted(chosen.to_pylist(), key=lambda row: (row["plays"], row["artist_name"]))
        names = {row["artist_key"]: row["artist_name"] for row in ordered}
        return [HeardArtist(key, names[key]) for key in keys]

    def titles(self, artist_keys: Sequence[str]) -> dict[str, str]:
        """By artist key, a title of the artist that is played most."""
        path = self._silver / "heard_recordings"
        if not artist_keys:
            return {}
        of_artists = ds.field("artist_key").isin(pa.array(artist_keys, pa.string())) & ds.field("track_name").is_valid()
        rows = delta.dataset(path).to_table(columns=["artist_key", "track_name", "plays"], filter=of_artists)
        ordered = sorted(rows.to_pylist(), key=lambda row: (row["plays"], row["track_name"]))
        return {row["artist_key"]: row["track_name"] for row in ordered}


def _summed(rows: pa.Table, keys: list[str]) -> pa.Table:
    summed = rows.select([*keys, "plays"]).group_by(keys).aggregate([("plays", "sum")])
    return summed.rename_columns([*keys, "plays"])


def _top(counted: pa.Table, most: int) -> list[str]:
    """The ids with most rows; of equal ones, the first in their order."""
    if not most or not counted.num_rows:
        return []
    order = pc.select_k_unstable(counted, min(most, counted.num_rows), [("rows", "descending"), ("id", "ascending")])
    ids: list[str] = counted["id"].take(order).to_pylist()
    return ids
