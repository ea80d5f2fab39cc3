"""A history that is written another way, with the same evidence, gives the same plays and the same gold tables."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.frames import collect, frame
from tests.silver.rows import FACTS, HISTORY, build, history

SONGS = (
    ("Sigur Rós", "Hoppípolla", "Takk..."),
    ("Beyoncé", "Don't Stop", "B'Day"),
    ("AC/DC", "T.N.T.", "High Voltage"),
    ("Straßenjungs", "Groß", "Zu Haus"),
)
SPELLINGS = (
    lambda name: name,
    lambda name: unicodedata.normalize("NFD", name),
    str.upper,
    lambda name: name.replace("'", "\u2019").replace(" ", "\u00a0"),
    lambda name: f" {name.replace(' ', '  ')}\u200b",
    lambda name: name.replace(".", "").replace("'", ""),
)
MASK = 12
TABLES = {
    "gold.top_tracks": ("period_type", "period_start", "recording_id", "listen_count", "play_count", "minutes", "is_new"),
    "gold.top_artists": ("period_type", "period_start", "rank", "artist_key", "listen_count", "play_count", "minutes", "is_new"),
    "gold.daily_listening": ("date", "plays", "listens", "minutes", "skips", "unique_tracks", "unique_artists", "sessions"),
    "gold.user_metrics": ("plays", "listens", "hours", "unique_tracks", "unique_artists", "unique_albums", "skip_rate", "shorts"),
}
PARAMETERS = {"source_facts": FACTS, "session_gap_minutes": 30, "allow_synthetic": False, "default_timezone": "UTC"}


@dataclass(frozen=True)
class Copy:
    """The same plays once more: in which kind of source, which of them, spelt how, and which fields are gone."""

    kind: str
    mask: int
    spelling: int
    lost: frozenset[str]


plays = st.lists(
    st.tuples(st.integers(10, 240), st.integers(0, len(SONGS) - 1), st.sampled_from([200_000, 45_000, 10_000]), st.booleans()),
    min_size=2,
    max_size=MASK,
)
lost = st.frozensets(st.sampled_from(["reason_end", "skipped", "album_name", "platform", "shuffle"]))
copies = st.lists(
    st.builds(
        Copy,
        st.sampled_from(["export", "scrobble", "account_data"]),
        st.integers(1, 2**MASK - 1),
        st.integers(0, len(SPELLINGS) - 1),
        lost,
    ),
    min_size=1,
    max_size=3,
)


def row(number: int, play: tuple[dt.datetime, int, int, bool], kind: str = "export", spelling: int = 0) -> dict[str, Any]:
    """The play as a row of a source of the kind."""
    start, song, ms, skipped = play
    artist, title, album = (SPELLINGS[spelling](name) for name in SONGS[song])
    end = start + dt.timedelta(milliseconds=ms)
    names = {"artist_name": artist, "track_name": title}
    if kind == "scrobble":
        return history(number, f"{start:%Y-%m-%dT%H:%M:%SZ}", source_kind=kind, ms_played=None, album_name=album, **names)
    if kind == "account_data":
        return history(number, f"{end:%Y-%m-%d %H:%M}", source_kind=kind, ms_played=str(ms), **names)
    told = {
        "reason_end": "fwdbtn" if skipped else "trackdone",
        "skipped": str(skipped).lower(),
        "shuffle": "false",
        "platform": "ios",
    }
    uri = {"track_uri": f"spotify:track:{song:022d}"}
    return history(number, f"{end:%Y-%m-%dT%H:%M:%SZ}", ms_played=str(ms), album_name=album, **names, **told, **uri)


def copied(history_plays: Sequence[tuple[dt.datetime, int, int, bool]], copy: Copy, number: int) -> list[dict[str, Any]]:
    """The rows of a copy. Nobody scrobbles what was played for less than 30 s."""
    chosen = [play for place, play in enumerate(history_plays) if copy.mask >> place & 1]
    if copy.kind == "scrobble":
        chosen = [play for play in chosen if play[2] >= 30_000]
    rows = [row(place, play, copy.kind, copy.spelling) for place, play in enumerate(chosen, start=1)]
    gone = dict.fromkeys(copy.lost) if copy.kind == "export" else {}
    return [one | gone | {"file_hash": f"copy{number}".ljust(64, "0")} for one in rows]


def outcome(spark: SparkSession, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is kept, and the gold tables."""
    given_tables = {HISTORY: frame(spark, HISTORY, rows)}
    settings_table = "bronze.listener_settings"
    given_tables[settings_table] = frame(spark, settings_table, [{"user_id": "me", "timezone": "UTC", "timezone_source": "set"}])
    found: dict[str, Any] = {}
    for table, columns in TABLES.items():
        built = collect(table, build(spark, table, given_tables, **PARAMETERS))
        found[table] = sorted((tuple(one[name] for name in columns if name in one) for one in built), key=str)
    kept = collect("silver.listening_with_features", given_tables["silver.listening_with_features"])
    found["plays"] = sorted((str(one["played_at"]), one["ms_played"], one["recording_id"], one["is_skip"]) for one in kept)
    return found


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(plays=plays, copies=copies, order=st.permutations(range(MASK)), files=st.integers(1, 3))
def test_what_changes_no_evidence_changes_no_figure(
    spark: SparkSession, plays: list[tuple[int, int, int, bool]], copies: list[Copy], order: list[int], files: int
) -> None:
    moment, told = dt.datetime(2024, 3, 1, 8), []
    for gap, *play in plays:
        moment += dt.timedelta(minutes=gap)
        told.append((moment, *play))
    once = [row(number, play) for number, play in enumerate(told, start=1)]
    shuffled = [once[place] for place in order if place < len(once)]
    split = [
        one | {"file_hash": f"part{place % files}".ljust(64, "0"), "row_number": place + 1} for place, one in enumerate(shuffled)
    ]
    more = [one for number, copy in enumerate(copies) for one in copied(told, copy, number)]
    assert outcome(spark, [*more, *split]) == outcome(spark, once)
