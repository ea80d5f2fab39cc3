"""A real listener beside many synthetic ones: no figure depends on others, and new plays rebuild their listeners only."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from bench.many_listeners import later_plays, write_stream
from lakehouse.declare import REGISTRY
from lakehouse.plan import graph
from lakehouse.storage import delta
from models.recommendations.recommender_scores import BASELINES
from synthetic.generate import generate
from tests.end_to_end.pipeline import is_learned
from tests.equality import differences
from tests.real.conftest import run_pipeline
from tests.real.test_parity import COMPARED

graph.load()
OF_LISTENERS = sorted(name for name in COMPARED if REGISTRY[name].scope == "user")
REAL = "me"
NAMESAKES = ("synthetic:900001", "synthetic:900002")
LISTENERS, PLAYS, NEW = 200, 300, 10


def namesakes(real: Path, target: Path) -> None:
    """Two listeners who hear the real one's tracks that no catalogue has, later and under names that the catalogue has."""
    connection = duckdb.connect()
    for name in ("heard_tracks", "catalogue"):
        connection.register(name, DeltaTable(real / "silver" / name).to_pyarrow_table())
    rows = connection.sql("""
        WITH listed AS (SELECT row_number() OVER (ORDER BY track_id) AS n, track_name, artists[1] AS artist_name, album_name
                        FROM catalogue WHERE track_name IS NOT NULL AND len(artists) > 0),
             heard AS (SELECT row_number() OVER (ORDER BY track_id) AS n, track_id FROM heard_tracks
                       ANTI JOIN catalogue USING (track_id) WHERE track_id NOT LIKE 'local:%')
        SELECT n, 'spotify:track:' || track_id AS track_uri, track_name, artist_name, album_name FROM heard JOIN listed USING (n)
        ORDER BY n LIMIT 2000""").fetchall()
    assert len(rows) == 2000
    count = len(rows)
    tracks = [dict(zip(("track_uri", "track_name", "artist_name", "album_name"), row[1:], strict=True)) for row in rows]
    begin = dt.datetime(2025, 6, 1)
    columns: dict[str, Any] = {
        "user_id": [NAMESAKES[n % 2] for n in range(count)],
        "ts": [begin + dt.timedelta(minutes=5 * n) for n in range(count)],
        "ms_played": [200_000] * count,
        "track": tracks,
        **{name: [value] * count for name, value in (("timezone", "Asia/Tokyo"), ("conn_country", "JP"), ("platform", "ios"))},
        **{name: ["trackdone"] * count for name in ("reason_start", "reason_end")},
        **{name: [False] * count for name in ("shuffle", "skipped", "offline", "incognito_mode")},
    }
    write_stream(target, pa.table(columns))


@dataclass(frozen=True)
class Crowd:
    """The lakehouses that are compared."""

    real: Path
    """the real listener alone"""
    all_at_once: Path
    """everybody, from all files in one run"""
    in_two_runs: Path
    """the same, where the new plays of some listeners came after the rest"""
    no_real: Path
    """everybody but the real listener"""
    listeners: tuple[str, ...]
    """those with new plays"""
    outcomes: dict[str, dict[str, Any]]
    """what became of each table in the second run"""
    run_id: str


@pytest.fixture(scope="module")
def crowd(real_data: Path, real_landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Crowd:
    folder = tmp_path_factory.mktemp("crowd")
    alone = folder / "built" / "alone"
    run_pipeline(real_landing, alone, "--engine", "embedded")
    everybody, no_real = folder / "everybody", folder / "no_real"
    period = {"start": dt.date(2023, 1, 1), "end": dt.date(2025, 1, 1)}
    generate(real_data / "kaggle/dataset.csv", no_real / "crowd", listeners=LISTENERS, plays=PLAYS, seed=9, **period)
    namesakes(alone, no_real / "namesakes.arrows")
    shutil.copytree(no_real, everybody)
    for file in real_landing.iterdir():
        (everybody / file.name).symlink_to(file.resolve())
    (no_real / "dataset.csv").symlink_to(real_data / "kaggle/dataset.csv")
    in_two_runs = folder / "in_two_runs"
    run_pipeline(everybody, in_two_runs, "--engine", "embedded")
    new = later_plays(everybody / "crowd", everybody / "later.arrows", NEW)
    shutil.copy(everybody / "later.arrows", no_real)
    report = run_pipeline(everybody, in_two_runs, "--engine", "embedded")
    for landing in (everybody, no_real):
        run_pipeline(landing, folder / "built" / landing.name, "--engine", "embedded")
    return Crowd(
        real=alone,
        all_at_once=folder / "built" / "everybody",
        in_two_runs=in_two_runs,
        no_real=folder / "built" / "no_real",
        listeners=tuple(new),
        outcomes={outcome["table"]: outcome for outcome in report["outcomes"]},
        run_id=report["run_id"],
    )


def listeners_in(lakehouse: Path, name: str, where: str = "true") -> set[str]:
    rows = DeltaTable(lakehouse / name.replace(".", "/")).to_pyarrow_table(columns=["user_id", "_run_id"])
    connection = duckdb.connect()
    connection.register("rows", rows)
    return {row[0] for row in connection.sql(f"SELECT DISTINCT user_id FROM rows WHERE {where}").fetchall()}


def one_of(names: Iterable[str]) -> str:
    return delta.quoted_in("user_id", names)


def test_every_listener_is_there_with_a_kind_of_their_own(crowd: Crowd) -> None:
    users = DeltaTable(crowd.all_at_once / "silver" / "users").to_pyarrow_table().to_pylist()
    assert len(users) == LISTENERS + len(NAMESAKES) + 1
    assert {user["user_id"] for user in users if not user["is_synthetic"]} == {REAL}
    assert all(user["user_id"].startswith("synthetic:") for user in users if user["is_synthetic"])


@pytest.mark.parametrize("name", OF_LISTENERS)
def test_the_real_listener_s_rows_are_the_same_beside_synthetic_ones(name: str, crowd: Crowd) -> None:
    declared = REGISTRY[name]
    # A model's id names the landing files that it learned from, and other listeners add to these.
    without_id = dataclasses.replace(declared, key=tuple(column for column in declared.key if column != "model_id"))
    found = differences(without_id, crowd.real, crowd.all_at_once, one_of([REAL]))
    found.pop("model_id", None)
    assert found == {}


# What is learned from synthetic listeners is learned from the namesakes too, whose tracks a real listener names.
@pytest.mark.parametrize("name", [name for name in OF_LISTENERS if not is_learned(name)])
def test_synthetic_listeners_rows_are_the_same_beside_a_real_one(name: str, crowd: Crowd) -> None:
    # Those who hear the real listener's tracks under other names are left out: a real listener's names win.
    where = f"NOT {one_of([REAL, *NAMESAKES])}"
    assert differences(REGISTRY[name], crowd.no_real, crowd.all_at_once, where) == {}


def test_all_synthetic_listeners_are_compared(crowd: Crowd) -> None:
    where = f"NOT {one_of([REAL, *NAMESAKES])}"
    assert len(listeners_in(crowd.all_at_once, "silver.plays", where)) == LISTENERS


@pytest.mark.parametrize("name", ["silver.artists", "silver.albums"])
def test_figures_of_artists_and_albums_keep_synthetic_listeners_apart(name: str, crowd: Crowd) -> None:
    found = differences(REGISTRY[name], crowd.real, crowd.all_at_once)
    assert found.pop("heard_by_synthetic") > 0
    # Artists and albums that synthetic listeners alone heard.
    found.pop("rows only in b", None)
    assert found == {}


def test_tracks_of_the_real_listener_and_the_catalogue_are_the_same(crowd: Crowd) -> None:
    found = differences(REGISTRY["silver.tracks"], crowd.real, crowd.all_at_once)
    assert found.pop("rows only in b", 0) == 0
    assert found == {}


# Dislikes follow the state of the landing folder as a whole.
@pytest.mark.parametrize("name", [name for name in OF_LISTENERS if "dislike" not in name])
def test_new_plays_rebuild_only_their_listeners(name: str, crowd: Crowd) -> None:
    outcome = crowd.outcomes[name]
    assert outcome["keys"] == NEW
    assert listeners_in(crowd.in_two_runs, name, f"_run_id = '{crowd.run_id}'") <= set(crowd.listeners)
    log = DeltaTable(crowd.in_two_runs / name.replace(".", "/")).history(1)[0]
    last = json.loads(log["userMetadata"])
    changed = set(last["changed"] or ()) if last["run_id"] == crowd.run_id else set()
    # New plays that are all short change no chart.
    least = NEW if outcome["status"] == "built" and not name.startswith("gold.") else 0
    assert changed <= set(crowd.listeners)
    assert least <= len(changed) <= NEW
    assert outcome["status"] == ("built" if changed else "unchanged")


@pytest.mark.parametrize("name", [name for name in COMPARED if not is_learned(name)])
def test_new_plays_give_what_building_everything_gives(name: str, crowd: Crowd) -> None:
    assert differences(REGISTRY[name], crowd.all_at_once, crowd.in_two_runs) == {}


@pytest.mark.parametrize("protocol", ["all next plays", "novel only"])
def test_the_blend_recovers_generated_taste_above_every_baseline(protocol: str, crowd: Crowd) -> None:
    table = DeltaTable(crowd.all_at_once / "gold/recommendation_metrics").to_pyarrow_table()
    rows = [row for row in table.to_pylist() if row["measure"] == "ndcg@10" and f", {protocol} " in row["protocol"]]
    value = {row["recommender"]: row["value"] for row in rows if row["population"] == "synthetic"}
    baselines = set(value) & set(BASELINES)
    assert {"MostPop", "ItemKNN", "RP3beta"} <= baselines
    assert ("PersonalPop with skips" in baselines) == (protocol == "all next plays")
    assert value["Blend"] > max(value[name] for name in baselines)
