"""A landing folder over several runs: what each run reads and what it remembers, without building anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lakehouse.declare import Source
from lakehouse.landing.scan import Landing
from lakehouse.plan.fingerprint import Fingerprints
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.tombstones import Tombstones
from tests.landing_files import SOURCES

STARTED_AT = dt.datetime(2024, 6, 1, tzinfo=dt.timezone.utc)


@dataclass
class Visit:
    """What one run did: `read` are the paths it ingested, `news` those it must report as broken."""

    read: list[str]
    news: list[str]
    rows: dict[str, list[dict[str, Any]]]
    state: dict[str, LandedFile]
    """Per path, the file that is there; the last one that was, where nothing is."""

    passed_over: int = 0

    def status(self) -> dict[str, str]:
        return {path: file.status for path, file in self.state.items() if file.is_present}


@dataclass
class LandingRuns:
    """Runs over `folder`, each knowing what the last one remembered, in the order in which the ledger keeps it."""

    folder: Path
    staging: Path
    known: list[LandedFile] = field(default_factory=list)
    count: int = 0

    def put(self, path: str, content: bytes) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target

    def run(
        self,
        listener: str = "me",
        *,
        sources: Sequence[Source] = tuple(SOURCES.values()),
        parsers: dict[str, str] | None = None,
        max_bytes: int = 10**9,
        inbox: Path | None = None,
        tombstones: Tombstones | None = None,
        **options: Any,
    ) -> Visit:
        self.count += 1
        run_id = f"run{self.count}"
        fingerprints = Fingerprints()
        own = {source.name: fingerprints.code(type(source).__module__) for source in sources}
        places = {"inbox": inbox, "tombstones": tombstones}
        landing = Landing(self.folder, sources, own | (parsers or {}), listener, max_bytes, run_id, **places)
        scan = landing.scan(self.known, **options)
        state = {(f.file_hash, f.path): f for f in scan.state}
        rows: dict[str, list[dict[str, Any]]] = {}
        news = [f.path for f in scan.newly_broken]
        for file in scan.new:
            target = self.staging / f"{run_id}-{file.file_hash}.parquet"
            done = landing.read(file, target, {"_batch_id": run_id, "_ingested_at": STARTED_AT})
            state[done.file_hash, done.path] = done
            if done.status == "ingested":
                rows[done.path] = pq.read_table(target).to_pylist() if target.exists() else []
            else:
                news.append(done.path)
                assert not target.exists()
        self.known = sorted(state.values(), key=lambda f: (f.path, f.file_hash))
        by_path = {f.path: f for f in sorted(self.known, key=lambda f: f.is_present)}
        return Visit(sorted(rows), sorted(news), rows, by_path, scan.passed_over)
