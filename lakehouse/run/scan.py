"""The first step of a run: what lies in the landing folder, what of it is new, and its rows as staged Parquet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakehouse.landing.scan import Landing, Scan
from lakehouse.plan.fingerprint import Fingerprints
from lakehouse.plan.staleness import Code
from lakehouse.run.context import RunContext
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.ledger import Built
from lakehouse.storage.tombstones import read_tombstones

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Landed:
    """What a scan brought: the state of every file, and the staged rows of the new ones."""

    state: tuple[LandedFile, ...]
    """every file to remember, as it is after reading"""
    folders: Mapping[str, Path]
    """by short name of the bronze table, the folder of its new rows"""
    new_files: tuple[LandedFile, ...]
    newly_broken: tuple[LandedFile, ...]


def open_landing(context: RunContext, fingerprints: Fingerprints) -> Landing:
    """The landing folder and the inbox of the run with every declared source."""
    sources = [source for declared in context.tables.values() for source in declared.sources]
    explainers = [explainer for declared in context.tables.values() for explainer in declared.explainers]
    parsers = {source.name: fingerprints.code(type(source).__module__) for source in sources}
    parsers |= {module: fingerprints.code(module) for module in {type(explainer).__module__ for explainer in explainers}}
    settings = context.settings
    max_bytes = settings.max_file_mb * MEGABYTE
    inbox = settings.inbox_folder
    tombstones = read_tombstones(settings.state_dir)
    return Landing(settings.landing, sources, parsers, settings.user, max_bytes, context.run_id, explainers, inbox, tombstones)


def scan_landing(
    landing: Landing,
    context: RunContext,
    chosen: Collection[str],
    remembered: Iterable[LandedFile],
    code: Code,
    last: Mapping[str, Built],
    *,
    full: bool,
) -> Scan:
    """What the folder holds, compared with what is remembered of it; files of tables that were not chosen wait.

    Files of a bronze table whose own code changed are read again.
    """
    fed = [name for name in chosen if context.tables[name].is_landing]
    changed = [name for name in fed if name in last and last[name].fingerprint != code.fingerprints[name]]
    targets, reread = ({context.tables[name].short_name for name in names} for names in (fed, changed))
    return landing.scan(remembered, targets=targets, reread=reread, rehash=full)


def read_new_files(landing: Landing, context: RunContext, scan: Scan) -> Landed:
    """Read every new file into staged Parquet, one folder per bronze table; its state says what became of it."""
    folders: dict[str, Path] = {}
    state = {(file.file_hash, file.path): file for file in scan.state}
    ingested, broken = list[LandedFile](), list(scan.newly_broken)
    constants = {"_batch_id": context.run_id, "_ingested_at": context.started_at}
    for number, file in enumerate(scan.new, start=1):
        context.observer.reading(file, number, len(scan.new))
        folder = context.staging / "landed" / str(file.target)
        folder.mkdir(parents=True, exist_ok=True)
        read = landing.read(file, folder / f"{file.file_hash}.parquet", constants)
        state[read.file_hash, read.path] = read
        (broken if read.status == "broken" else ingested).append(read)
        if any(folder.iterdir()):
            folders[str(file.target)] = folder
    return Landed(tuple(state.values()), folders, tuple(ingested), tuple(broken))


def to_remember(
    context: RunContext, landed: Landed, before: Iterable[LandedFile], failed: Collection[str]
) -> tuple[LandedFile, ...]:
    """The state to write once bronze holds the rows: the new files of a table that failed stay unread, as they were before."""
    lost = {context.tables[name].short_name for name in failed}
    as_before = {(file.file_hash, file.path): file for file in before}
    kept = [
        as_before.get((file.file_hash, file.path)) if file.target in lost and file.run_id == context.run_id else file
        for file in landed.state
    ]
    return tuple(sorted((file for file in kept if file is not None), key=lambda file: (file.path, file.file_hash)))


def problems_in(landing: Landing, state: Iterable[LandedFile]) -> list[LandedFile]:
    """Files in the folder that brought nothing: broken ones, unknown ones, and those whose rows count for another listener."""
    files = list(state)
    owners = {file.file_hash: file.listener for file in files if file.status == "ingested"}
    return [file for file in files if file.is_present and _is_problem(landing, file, owners.get(file.file_hash))]


def _is_problem(landing: Landing, file: LandedFile, owner: str | None) -> bool:
    return file.status in ("broken", "unknown") or (file.status == "duplicate" and landing.is_lost(file, owner))


def replaced_hashes(folder: Path) -> list[str]:
    """The content hashes of the files whose new rows lie in a staged folder."""
    return sorted(path.stem for path in folder.glob("*.parquet"))
