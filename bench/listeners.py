"""Measures how people listen in a generated folder, and in a real export beside it: the table of docs/decisions/0009.

The target stands beside each figure that has a published one: Lamere 2014 (skips), HetRec 2011 Last.fm (artists),
Heggli et al. 2021 (hours).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {
    "left within 5 s": "0.24",
    "left within 30 s": "0.35",
    "left before the end": "0.486",
    "left before the end, weekends less weekdays": "> 0",
    "left before the end, teens": "> 0.50",
    "left before the end, ages 33-37": "0.25 to 0.35",
    "left per hour played": "14 to 15",
    "top 1% of artists, share of plays": "0.52",
    "top 10% of artists, share of plays": "0.85",
    "Gini coefficient of artists": "0.893",
    "rank slope, p10": "-1.27",
    "rank slope, median": "-0.79",
    "rank slope, p90": "-0.48",
    "top artist, median share": "0.127",
    "top five artists, median share": "0.36",
    "tempo lowest at hour": "14",
    "danceability lowest at hour": "14",
    "tempo highest at hour": "20 to 1",
    "danceability highest at hour": "20 to 1",
    "weekends later than weekdays, hours": "> 0",
}


def show(name: str, target: str, values: list[str]) -> None:
    """One line of the table."""
    sys.stdout.write(f"| {name:<44} | {target:>12} | " + " | ".join(f"{value:>13}" for value in values) + " |\n")


def main() -> int:
    """Print one line per figure: target, generated, real. Exit code 1 where a folder holds no plays."""
    sys.path.insert(0, str(ROOT))
    from synthetic.histories import read_history
    from synthetic.measures import all_measures, skips_by_age

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generated", type=Path, help="folder written by scripts/generate_listeners.py")
    parser.add_argument("--catalogue", type=Path, required=True, metavar="CSV", help="the Kaggle catalogue")
    parser.add_argument("--export", type=Path, metavar="ZIP", help="a real history to stand beside it")
    parser.add_argument("--timezone", default="UTC", help="time zone of the real listener (default UTC)")
    options = parser.parse_args()
    generated = read_history(options.generated, options.catalogue)
    if not len(generated):
        sys.stderr.write(f"error: no plays in {options.generated}\n")
        return 1
    figures = [all_measures(generated) | skips_by_age(generated, options.generated / "_listeners.csv")]
    if options.export:
        figures.append(all_measures(read_history(options.export, options.catalogue, options.timezone)))
    show("figure", "target", ["generated", "real listener"][: len(figures)])
    for name in figures[0]:
        show(name, TARGETS.get(name, ""), [f"{found[name]:,.3f}" if name in found else "" for found in figures])
    return 0


if __name__ == "__main__":
    sys.exit(main())
