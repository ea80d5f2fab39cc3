"""Where backups went, so that whoever forgets a listener learns which ones hold what they held: STATE_DIR/backups.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from polling.files import make_folder, write_file
from upkeep.backup_store import BackupError

FILE = "backups.json"


class BackupsError(BackupError):
    """The list of backups cannot be read; the message names it and the remedy."""


@dataclass(frozen=True, order=True)
class KnownBackup:
    """One backup that was taken of this lakehouse."""

    folder: str
    backup_id: str


def known_backups(state_dir: Path) -> list[KnownBackup]:
    """Every backup that was taken and not removed since. Raises BackupsError and OSError."""
    path = state_dir / FILE
    try:
        return sorted(KnownBackup(str(one["folder"]), str(one["backup_id"])) for one in json.loads(path.read_bytes())["backups"])
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise BackupsError(f"{path} cannot be read: restore it from a backup, or remove it") from error


def remember_backups(state_dir: Path, folder: Path, backup_ids: list[str]) -> None:
    """Note which backups a folder holds now; those that it no longer holds are struck. Raises BackupsError and OSError."""
    others = [one for one in known_backups(state_dir) if one.folder != str(folder)]
    every = sorted([*others, *[KnownBackup(str(folder), backup_id) for backup_id in backup_ids]])
    make_folder(state_dir)
    write_file(state_dir / FILE, (json.dumps({"backups": [asdict(one) for one in every]}, indent=1) + "\n").encode())
