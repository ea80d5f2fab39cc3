"""What is known of tracks, albums and artists: from the tables of the last run, and from files that no run has read yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lakehouse.storage import delta
from music.metadata import ARTIST_KINDS, ARTIST_MBID, AUDIO_FEATURES, SPOTIFY_KINDS
from polling.metadata_store import MetadataFile, MetadataStore

NO_IDS = pa.array([], pa.string())
PLACE = r"^.*[/!]"


@dataclass
class Known:
    """What need not be asked for again."""

    ids: dict[str, pa.Array] = field(default_factory=dict)
    """by kind, the Spotify ids that were asked for or told, also those that Spotify does not know"""
    artists: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """by source and kind, keys of the artists that were asked for lately"""
    named: set[str] = field(default_factory=set)
    """names whose MusicBrainz id was told or looked up lately"""
    mbids: dict[str, str] = field(default_factory=dict)
    """MusicBrainz ids by artist key"""

    def of(self, kind: str) -> pa.Array:
        """Ids of a kind."""
        return self.ids.get(kind, NO_IDS)

    def add_ids(self, kind: str, ids: Iterable[str]) -> None:
        """Note that these were asked for or told."""
        self.ids[kind] = pc.unique(pa.concat_arrays([self.of(kind), pa.array(ids, pa.string())]))


def known(root: Path, store: MetadataStore, since: dt.datetime) -> Known:
    """What the lakehouse at `root` and the store know; of artists, what was answered after `since`.

    Raises EnvelopeError and OSError.
    """
    found = Known()
    for kind in SPOTIFY_KINDS:
        found.ids[kind] = _column(root / "bronze" / "spotify_answers", "spotify_id", ds.field("kind") == kind)
    found.ids[AUDIO_FEATURES] = _column(root / "bronze" / "audio_feature_answers", "track_id")
    _add_artists(found, root, since)
    _add_files(found, store.unread(_read_files(root)), since)
    return found


def _column(path: Path, name: str, where: ds.Expression | None = None) -> pa.Array:
    """The values of a column of text; none where there is no table."""
    if delta.version(path) is None:
        return NO_IDS
    values = delta.dataset(path).to_table(columns=[name], filter=where)[name]
    return pc.unique(values.cast(pa.string()).combine_chunks())


def _add_artists(found: Known, root: Path, since: dt.datetime) -> None:
    path = root / "bronze" / "artist_answers"
    if delta.version(path) is None:
        return
    columns = ["service", "kind", "artist_key", "artist_name", "artist_mbid", "fetched_at"]
    recent = ds.field("fetched_at") > pa.scalar(since, pa.timestamp("us", "UTC"))
    rows = delta.dataset(path).to_table(columns=columns, filter=recent | ds.field("artist_mbid").is_valid())
    # One row an answer and not one a tag: what is left is bounded by the artists.
    answers = rows.group_by(columns).aggregate([])
    for row in answers.to_pylist():
        if row["artist_mbid"]:
            found.mbids[row["artist_key"]] = row["artist_mbid"]
        if row["fetched_at"] > since:
            _add(found, row["service"], row["kind"], row)


def _add_files(found: Known, files: Iterable[MetadataFile], since: dt.datetime) -> None:
    ids: dict[str, list[str]] = {}
    for file in files:
        if file.kind in ARTIST_KINDS:
            for about, date in file.about:
                if date > since:
                    _add(found, file.source, file.kind, about)
        else:
            ids.setdefault(file.kind, []).extend(str(about["id"]) for about, _ in file.about if "id" in about)
    for kind, more in ids.items():
        found.add_ids(kind, more)


def _add(found: Known, source: str, kind: str, about: Mapping[str, str]) -> None:
    """Note what an answer was about."""
    if about.get("artist_key"):
        found.artists.setdefault((source, kind), set()).add(about["artist_key"])
        if about.get("artist_mbid"):
            found.mbids[about["artist_key"]] = about["artist_mbid"]
    if kind == ARTIST_MBID and about.get("artist_name"):
        found.named.add(about["artist_name"])


def _read_files(root: Path) -> set[str]:
    """Names, without .gz, of the metadata files that runs have read, wherever they lay then."""
    path = root / "ops" / "ingestion_state"
    targets = ["spotify_answers", "audio_feature_answers", "artist_answers"]
    is_read = ds.field("target").isin(targets) & ds.field("status").isin(["ingested", "duplicate"])
    names = pc.replace_substring_regex(_column(path, "path", is_read), PLACE, "")
    return {name.removesuffix(".gz") for name in names.to_pylist()}
