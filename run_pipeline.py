"""The entry point of the lakehouse, also as the installed command `lakehouse`: the kernel, and what this project adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.cli.main import BUILD, KEEP, LOOK
from lakehouse.cli.main import main as run_command
from lakehouse.cli.product import Announcement, Command, Demo, Hook, Option, Product
from lakehouse.private_files import keep_private
from lakehouse.process_exit import leave

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Any, NoReturn

    from lakehouse.declare import Table
    from lakehouse.run.report import Rejected, Report
    from lakehouse.settings import Settings
    from lakehouse.storage.landed_files import LandedFile


def _settings() -> type[Settings]:
    from music.settings import ListeningSettings

    return ListeningSettings


def _demo() -> Demo:
    from synthetic.demo.content import DEMO

    return DEMO


def _register(settings: Settings, tables: Mapping[str, Table], report: Report) -> Announcement:
    from bi.after_run import register

    return register(settings, tables, report)


def _audit(
    lakehouse: Path,
    files: Iterable[LandedFile],
    new_hashes: Collection[str],
    reconciliation: Sequence[Mapping[str, Any]] | None,
) -> Sequence[Rejected]:
    from validators.rejected import rejected_files
    from validators.rejected_corrections import rejected_corrections

    landed = list(files)
    return [*rejected_files(lakehouse, landed, new_hashes, reconciliation), *rejected_corrections(lakehouse, landed)]


def _time_zones(settings: Settings, tables: Mapping[str, Table], report: Report) -> Announcement:
    from report.time_zones import announce

    return announce(settings, tables, report)


def _pack(settings: Settings) -> None:
    if settings.inbox_folder.is_dir():
        from datetime import datetime, timezone

        from polling.packing import pack_inbox
        from streaming.packing import pack_streams

        pack_inbox(settings.inbox_folder)
        pack_streams(settings.inbox_folder, datetime.now(timezone.utc))


def _close_journals(settings: Settings) -> None:
    if settings.inbox_folder.is_dir():
        from service.submissions.packing import before_run

        before_run(settings)


def _erase_forgotten(settings: Settings) -> None:
    from lakehouse.storage.tombstones import tombstone_files

    if tombstone_files(settings.state_dir):
        from lakehouse.plan import graph
        from upkeep.forget import erase_forgotten

        erase_forgotten(settings, graph.load())


def _note(settings: Settings, table: Table, listener: str | None) -> str | None:
    from report.time_zones import note

    return note(settings, table, listener)


def _ops_rows(
    settings: Settings, files: Sequence[LandedFile], now: datetime
) -> Iterable[tuple[Table, Sequence[Mapping[str, Any]] | None]]:
    from polling.ops_rows import ops_rows

    return ops_rows(settings, files, now)


def _accounts(settings: Settings, tables: Mapping[str, Table], report: Report) -> Announcement:
    from polling.announcement import after_run

    return after_run(settings, tables, report)


def _status(settings: Settings) -> Announcement:
    from polling.announcement import status

    return status(settings)


PRODUCT = Product(
    description=(
        "A lakehouse for everything you ever listened to.\n"
        "Put your Spotify export into data/landing and run `lakehouse run`. Without data, it builds a demo."
    ),
    settings=_settings,
    commands=(
        Command("report", "write a report on one listener as a single HTML file that works offline", "report.command", LOOK),
        Command("bi", "start, stop and check the dashboards (Superset over Trino)", "bi.cli", LOOK, reads=False),
        Command("sql", "query the lakehouse with SQL, through Trino", "bi.console.prompt", LOOK, reads=False),
        Command("corrections", "suggest corrections, or check what yours would change", "corrections.command", BUILD),
        Command("connect", "connect an account of a live source, e.g. Spotify", "polling.connect", BUILD, reads=False),
        Command("poll", "read new plays from the accounts that are connected", "polling.command", BUILD, reads=False),
        Command("compare-sources", "compare what was polled with an export of the same time", "polling.compare_sources", BUILD),
        Command(
            "serve",
            "start the web service, where people bring their history and look at it",
            "service.command",
            LOOK,
            reads=False,
        ),
        Command("link", "print a link that logs a person in to the web service, once", "service.link_command", LOOK, reads=False),
        Command(
            "listener",
            "add, remove or list the people of service, Trino, Superset",
            "service.listener_command",
            LOOK,
            reads=False,
        ),
        Command("maintain", "merge small files, and remove what no reader needs any more", "upkeep.maintain_command", KEEP),
        Command("notify", "tell the webhook once what needs a person", "service.notify", KEEP, reads=False),
        Command("doctor", "find what is wrong with this set-up, and how to mend it", "upkeep.doctor_command", KEEP, reads=False),
        Command("backup", "copy the state of the last run to a folder of backups", "upkeep.backup_command", KEEP),
        Command("restore", "write a backup into empty folders", "upkeep.restore_command", KEEP, reads=False),
        Command("forget", "remove everything of a listener, for good", "upkeep.forget_command", KEEP),
        Command("stream", "take listens from a Kafka topic, or send an export to it", "streaming.command", BUILD, reads=False),
        Command(
            "generate", "generate synthetic listeners for tests and benchmarks", "streaming.generate_command", BUILD, reads=False
        ),
    ),
    run_options=(
        Option("timezone", "TZ", "time zone of listeners without one of their own, e.g. Europe/Berlin (else unknown: UTC)"),
        Option("timezone_of", "NAME=TZ", "time zone of one listener, e.g. anna=Europe/Berlin; may be repeated", may_repeat=True),
    ),
    before_run=(_close_journals, _erase_forgotten, _pack),
    after_run=(Hook("trino", _register), Hook("time_zones", _time_zones), Hook("accounts", _accounts)),
    landing_help=(
        "  - your Spotify export: my_spotify_data.zip, or its JSON files",
        "    (spotify.com > Account > Privacy settings > Extended streaming history)",
        "  - the Kaggle catalogue dataset.csv, for audio features",
        "    (https://www.kaggle.com/datasets/maharshipandya/-spotify-tracks-dataset)",
        "  - for several people: one folder each, listeners/NAME/",
    ),
    next_commands=("report",),
    next_elsewhere=("link",),
    early=("gold.descriptive", "gold.diagnostic"),
    demo=_demo,
    audit=_audit,
    additions=_ops_rows,
    status=_status,
    note=_note,
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process with its exit code."""
    keep_private()
    leave(run_command(PRODUCT, arguments))


if __name__ == "__main__":
    main()
