"""The command `restore`."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from lakehouse.cli.console import Terminal, near, print_json
from lakehouse.cli.errors import FAILED, OK, print_error
from lakehouse.cli.places import settings_from
from upkeep.backup_command import add_passphrase, megabytes, shown

if TYPE_CHECKING:
    from lakehouse.cli.product import Product


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `restore`."""
    parser.add_argument(
        "folder", metavar="DIR", type=lambda text: Path(text).expanduser().absolute(), help="folder of the backups"
    )
    parser.add_argument(
        "--lakehouse", dest="dir", metavar="DIR", help="lakehouse folder to write, empty (default: data/lakehouse)"
    )
    parser.add_argument("--landing", metavar="DIR", help="landing folder to write, empty (default: data/landing)")
    parser.add_argument("--at", metavar="ID", help="which backup, as `backup` named it (default: the newest)")
    add_passphrase(parser)
    parser.add_argument("--dry-run", action="store_true", help="verify the backup and the target; write nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def call(product: Product, options: argparse.Namespace) -> int:
    """Restore a backup; returns the exit code. Raises UsageError for a target that is not empty, LockedError and OSError."""
    from lakehouse.plan import graph
    from upkeep.backup_secrets import read_passphrase
    from upkeep.backup_store import BackupError, Store
    from upkeep.restore import check_target, chosen, restore, verify

    settings, console = settings_from(product, options), Terminal()
    passphrase = read_passphrase(options.passphrase_file) if options.passphrase_file is not None else None
    try:
        store = Store(options.folder)
        manifest = chosen(store, options.at)
        needed = check_target(settings, manifest)
        with shown(console, "verifying", manifest.bytes) as told:
            verify(store, manifest, told)
        if options.dry_run:
            _show_plan(options, console, manifest.backup_id, len(manifest.files), needed)
            return OK
        with shown(console, "restoring", manifest.bytes) as told:
            restored = restore(settings, graph.load(), store, manifest, passphrase=passphrase, told=told)
    except BackupError as error:
        print_error(str(error))
        return FAILED
    if options.json:
        print_json(asdict(restored) | {"lakehouse": str(settings.dir), "landing": str(settings.landing)})
        return OK
    console.print(Text(f"restored backup {restored.backup_id}, as run {restored.run_id} left it", style="bold"))
    console.print(
        Text(f"{restored.files:,} files, {megabytes(restored.bytes)}, into {near(settings.dir)} and {near(settings.landing)}")
    )
    if restored.forgotten:
        console.print(
            Text(f"left out: {restored.forgotten:,} listeners who were forgotten since; the next run trains models again")
        )
    if restored.secrets:
        console.print(Text(f"{restored.secrets:,} secrets, into {near(settings.state_dir)}"))
    elif restored.has_secrets:
        console.print(
            Text("the backup holds secrets too; they were not restored, as no --passphrase-file was given", style="yellow")
        )
    else:
        console.print(Text("without secrets: connect accounts again, and make people and tokens again", style="dim"))
    console.print(Text(f"next:\n  lakehouse status --lakehouse {shlex.quote(near(settings.dir))}", style="cyan"))
    return OK


def _show_plan(options: argparse.Namespace, console: Terminal, backup_id: str, files: int, needed: int) -> None:
    if options.json:
        print_json({"backup_id": backup_id, "files": files, "bytes": needed, "is_dry_run": True})
    else:
        console.print(Text(f"would restore backup {backup_id}: {files:,} files, {megabytes(needed)} to write; it is not damaged"))
