"""Hand-made histories whose figures are known, with names that attack whatever shows them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.end_to_end.pipeline import Pipeline, export_row, kaggle_csv, track_uri

HOSTILE_ARTIST = "<script>document.title='owned'</script>"
HOSTILE_TRACKS = {
    1: "<script>alert(1)</script>",
    2: "</script><script>alert(2)</script>",
    3: "'); DROP TABLE plays;--",
    4: "👩‍👩‍👧 \u202egnp.elif\u202c",
    5: "שלום {{ 7 * 7 }} ${7*7}",
    6: '" onmouseover="alert(3)" x="',
    7: "=HYPERLINK(1)",
    8: "<!-- &lt; &amp; ]]> --><img src=x onerror=alert(4)>",
}
HOSTILE_GENRE = "<i>rock</i>"
# What the page shows; the rest would be built for nothing.
SHOWN = ("--only", "silver.users", "--only", "gold.descriptive", "--only", "gold.diagnostic")
HOSTILE_LISTENER = "<img src=x onerror=alert(5)>"
SYNTHETIC_LISTENER = "synthetic:000007"
# Tracks 1 and 2 are in the catalogue; 1 is happy and energetic, 2 sad and calm.
CATALOGUE = kaggle_csv(
    {"track_id": f"{1:022d}", "valence": 0.9, "energy": 0.9, "artists": "Known", "track_genre": HOSTILE_GENRE},
    {
        "track_id": f"{2:022d}",
        "valence": 0.1,
        "energy": 0.2,
        "artists": "Known",
        "track_genre": HOSTILE_GENRE,
        "track_name": "Two",
    },
)


def hostile_rows() -> list[dict[str, Any]]:
    """Two years with 60 days each: on weekdays tracks 1 and 3 to 8 in the morning, at weekends track 2 at night.

    Now and then the second play is of the other one of tracks 1 and 2. On every tenth day there is a play of 10 s that was
    skipped. Every play of tracks 1 and 2 is by the hostile artist.
    """
    rows = []
    for year in (2023, 2024):
        for number in range(60):
            day = dt.date(year, 3, 1) + dt.timedelta(days=number)
            is_weekend = day.weekday() >= 5
            for play in range(2 if is_weekend else 3):
                track = 2 if is_weekend else (1, 1, 3 + number % 6)[play]
                if play == 1 and number % 7 == number // 7:
                    track = 3 - track
                ended = dt.datetime.combine(day, dt.time(23 if is_weekend else 8, 10 * play + 5))
                rows.append(hostile_row(ended, track))
            if number % 10 == 0:
                ended = dt.datetime.combine(day, dt.time(12, 0))
                rows.append(hostile_row(ended, 1) | {"ms_played": 10_000, "skipped": True, "reason_end": "fwdbtn"})
    return rows


def hostile_row(ended: dt.datetime, track: int) -> dict[str, Any]:
    """A play of a hostile track."""
    return export_row(
        f"{ended:%Y-%m-%dT%H:%M:%S}Z",
        track,
        master_metadata_track_name=HOSTILE_TRACKS[track],
        master_metadata_album_artist_name=HOSTILE_ARTIST if track <= 2 else f"Artist {track}",
        spotify_track_uri=track_uri(track),
    )


def land_hostile(pipeline: Pipeline) -> None:
    """Land the hostile history of `me`, with the catalogue."""
    pipeline.write("history.json", hostile_rows())
    pipeline.write("dataset.csv", CATALOGUE)
