"""Draw the demo's sample from the Kaggle catalogue: the most popular artists of every genre, with several tracks each.

Example: sample_catalogue.py --catalogue dataset.csv --out synthetic/demo/catalogue.csv

Within each genre, artists are ranked by the summed popularity of their tracks there. Each artist contributes its most popular
tracks until the genre has its rows. Header and rows are copied unchanged and in order; the same file gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

ROWS_PER_GENRE = 44
TRACKS_PER_ARTIST = 5
Row = dict[str, str]


def of_genre(rows: Sequence[Row]) -> list[Row]:
    """At most ROWS_PER_GENRE of a genre's rows, a track once; equal popularity is told apart by track id and name."""
    by_track = {row["track_id"]: row for row in reversed(rows)}
    by_artist = defaultdict[str, list[Row]](list)
    for row in sorted(by_track.values(), key=lambda row: (-int(row["popularity"]), row["track_id"])):
        by_artist[row["artists"].split(";")[0]].append(row)
    scores = {artist: sum(int(row["popularity"]) for row in tracks) for artist, tracks in by_artist.items()}
    ranked = sorted(by_artist, key=lambda artist: (-scores[artist], artist))
    return [row for artist in ranked for row in by_artist[artist][:TRACKS_PER_ARTIST]][:ROWS_PER_GENRE]


def sample(catalogue: Path, out: Path) -> int:
    """Write the sample of the catalogue at `catalogue` to `out`; returns how many. Raises OSError; KeyError for another file."""
    with catalogue.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows, header = list(reader), list(reader.fieldnames or [])
    by_genre = defaultdict[str, list[Row]](list)
    for row in rows:
        if row["track_name"] and row["artists"]:
            by_genre[row["track_genre"]].append(row)
    chosen = {id(row) for found in by_genre.values() for row in of_genre(found)}
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if id(row) in chosen)
    return len(chosen)


def main() -> int:
    """Exit code 0, or 1 for a file that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalogue", type=Path, required=True, metavar="CSV", help="the Kaggle catalogue (dataset.csv)")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="file to write")
    options = parser.parse_args()
    try:
        rows = sample(options.catalogue, options.out)
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyError as error:
        sys.stderr.write(f"error: {options.catalogue} is not the catalogue: it has no column {error}\n")
        return 1
    sys.stdout.write(f"{rows:,} rows, {options.out.stat().st_size:,} bytes in {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
