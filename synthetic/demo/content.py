"""The demo's landing files: the committed sample of the catalogue and 200 synthetic listeners with a year of plays."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from pathlib import Path

from lakehouse.cli.product import Demo

CATALOGUE = Path(__file__).with_name("catalogue.csv")
LISTENERS, PLAYS, SEED, DAYS = 200, 300, 1, 365


def version() -> str:
    """Generator, arguments and sample; the period is left out, as it ends on the day the demo is made."""
    from synthetic.generate import VERSION

    sample = hashlib.sha256(CATALOGUE.read_bytes()).hexdigest()
    return json.dumps({"generator": VERSION, "arguments": [LISTENERS, PLAYS, SEED, DAYS], "catalogue": sample})


def make(landing: Path) -> None:
    """Write catalogue and listeners into the folder; plays end before today. Raises OSError, also for a damaged sample."""
    from synthetic.catalogue import CatalogueError
    from synthetic.generate import ArgumentError, generate

    shutil.copyfile(CATALOGUE, landing / CATALOGUE.name)
    end = dt.datetime.now(dt.timezone.utc).date()
    start = end - dt.timedelta(days=DAYS)
    try:
        generate(CATALOGUE, landing / "synthetic", listeners=LISTENERS, plays=PLAYS, seed=SEED, start=start, end=end)
    except (CatalogueError, ArgumentError) as error:
        raise OSError(f"the demo cannot be made: {error}") from error


DEMO = Demo(
    content=f"{LISTENERS} synthetic listeners and a sample of the Kaggle catalogue (ODbL, see synthetic/demo/LICENSE.md)",
    version=version,
    make=make,
)
