"""Download the Kaggle catalogue into the landing folder (needs internet, no account; the data set is under the ODbL)."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATASET = "maharshipandya/-spotify-tracks-dataset"
FILE = "dataset.csv"


def main() -> int:
    """Exit code 0, or 1 when the download failed."""
    sys.path.insert(0, str(ROOT))
    from lakehouse.private_files import keep_private
    from music.settings import ListeningSettings

    keep_private()

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--landing", type=Path, default=ListeningSettings().landing, metavar="DIR", help="landing folder (default data/landing)"
    )
    landing = parser.parse_args().landing
    try:
        import kagglehub

        found = Path(kagglehub.dataset_download(DATASET, path=FILE))
        landing.mkdir(parents=True, exist_ok=True)
        # The landing folder never holds a half-written file.
        partial = landing / f".{FILE}.partial"
        shutil.copyfile(found, partial)
        partial.replace(landing / FILE)
    except Exception as error:
        sys.stderr.write(f"error: {DATASET} could not be downloaded ({type(error).__name__}: {str(error).splitlines()[0]})\n")
        sys.stderr.write(f"Download {FILE} in a browser from kaggle.com/datasets/{DATASET} and put it into {landing}.\n")
        return 1
    sys.stdout.write(f"{landing / FILE} downloaded; `make run` reads it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
