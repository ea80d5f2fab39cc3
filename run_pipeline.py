"""The command line of the lakehouse: the kernel's commands, and what this project adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lakehouse.cli.product import Announcement, Command, Demo, Hook, Option, Product

if TYPE_CHECKING:
    from lakehouse.declare import Table
    from lakehouse.run.report import Report
    from lakehouse.settings import Settings

LANDING_HELP = (
    "  - your Spotify export: my_spotify_data.zip, or its JSON files",
    "    (spotify.com > Account > Privacy settings > Extended streaming history)",
    "  - the Kaggle catalogue dataset.csv, for audio features (.venv/bin/python scripts/download_kaggle.py)",
    "  - several people: landing/listeners/NAME/ for each",
)


def _settings() -> type[Settings]:
    from music.settings import ListeningSettings

    return ListeningSettings


def _demo() -> Demo:
    from synthetic.demo.content import DEMO

    return DEMO


def _register(settings: Settings, tables: Mapping[str, Table], report: Report) -> Announcement:
    from bi.after_run import register

    return register(settings, tables, report)


PRODUCT = Product(
    description="A lakehouse for everything you ever listened to.",
    settings=_settings,
    commands=(Command("report", "a page about a listener, one HTML file that needs no network", "report.command"),),
    run_options=(Option("timezone", "TZ", "time zone of listeners who have none set, e.g. Europe/Berlin (default UTC)"),),
    after_run=(Hook("trino", _register),),
    landing_help=LANDING_HELP,
    next_commands=("report",),
    early=("gold.descriptive", "gold.diagnostic"),
    demo=_demo,
)

if __name__ == "__main__":
    from lakehouse.cli.main import main
    from lakehouse.process_exit import leave

    leave(main(PRODUCT))
