"""Importing dashboards only where Superset does not hold the same already: an import renews when each was changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bi.dashboards.bundle import Bundle
from bi.dashboards.client import Superset
from bi.secrets import write_private
from bi.settings import BISettings


def stamp(settings: BISettings) -> Path:
    """The file that tells what was imported last, and how Superset was then."""
    return settings.dir / "superset" / "dashboards"


def bring(superset: Superset, bundle: Bundle, settings: BISettings) -> bool:
    """Import the whole bundle and delete what is ours and not in it; whether that was needed.

    It is not where the last import was of the same bundle and Superset's dashboards, charts and datasets are as it left them.
    Raises DashboardError.
    """
    told = stamp(settings)
    wanted = hashlib.sha256(superset.url.encode() + bundle.archive()).hexdigest()
    if told.is_file() and told.read_text() == f"{wanted} {superset.state()}":
        return False
    superset.load(bundle)
    superset.clean(bundle)
    write_private(told, f"{wanted} {superset.state()}".encode())
    return True
