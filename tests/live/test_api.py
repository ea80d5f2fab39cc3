"""The JSON API, by a real server over a real lakehouse: its figures, its refusals, and whatever schemathesis thinks of."""

from __future__ import annotations

import datetime as dt
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from deltalake import DeltaTable

import gold.descriptive.year_in_music  # noqa: F401 - so that it is declared
from lakehouse.declare import REGISTRY
from lakehouse.storage import publishing
from service import api_tokens
from service.api.endpoints import ENDPOINTS
from service.submissions import now_playing
from tests.built import built
from tests.live import service_lakehouse
from tests.live.api_server import ADMIN, OTHER, Served, served
from tests.report.histories import HOSTILE_ARTIST, HOSTILE_GENRE, HOSTILE_TRACKS

PATHS = [endpoint.path for endpoint in ENDPOINTS]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = built("service", service_lakehouse.build, tmp_path_factory.mktemp("service"))
    with served(folder, folder / "landing", folder / "lakehouse") as running:
        yield running


@pytest.fixture(autouse=True)
def no_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "_guesses", api_tokens._Guesses())


def rows(service: Served, table: str, listener: str = ADMIN) -> list[dict[str, Any]]:
    every = DeltaTable(service.root.joinpath(*table.split("."))).to_pyarrow_table().to_pylist()
    return [row for row in every if row["user_id"] == listener]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_of_the_listener_and_names_what_it_read(service: Served, path: str) -> None:
    tables = next(endpoint.tables for endpoint in ENDPOINTS if endpoint.path == path)
    for listener in (ADMIN, OTHER):
        answer = service.read(path, listener)
        assert answer["listener"] == listener
        versions = {table: DeltaTable(service.root.joinpath(*table.split("."))).version() for table in tables}
        assert answer["snapshot"] == versions


def test_a_chart_is_that_of_the_table(service: Served) -> None:
    expected = [
        row
        for row in rows(service, "gold.top_tracks")
        if row["period_type"] == "month" and row["period_start"] == dt.date(2023, 3, 1)
    ]
    answer = service.read("/top/tracks", period="month", date="2023-03-31", limit=100)
    assert answer["period"] == {"type": "month", "start": "2023-03-01", "end": "2023-04-01"}
    assert answer["total"] == len(expected) > 3
    for item, row in zip(answer["items"], sorted(expected, key=lambda one: one["rank"]), strict=True):
        assert item == {name: row[name] for name in item}
    pages = [service.read("/top/tracks", period="month", date="2023-03-01", limit=2, offset=offset)["items"] for offset in (0, 2)]
    assert pages[0] + pages[1] == answer["items"][:4]


def test_without_a_date_the_latest_period_is_meant(service: Served) -> None:
    assert service.read("/top/artists", period="year")["period"]["start"] == "2024-01-01"
    assert service.read("/stats", period="quarter")["period"] == {"type": "quarter", "start": "2024-04-01", "end": "2024-07-01"}
    assert service.read("/top/artists")["period"] == {"type": "all_time", "start": "2023-03-01", "end": None}


@pytest.mark.parametrize("year", [2023, 2024])
def test_the_figures_of_a_year_agree_with_year_in_music(service: Served, year: int) -> None:
    stats = service.read("/stats", period="year", date=f"{year}-06-01")
    summary = service.read("/year-in-music", year=year)
    assert summary["years"] == [2023, 2024]
    same = ("plays", "listens", "minutes", "active_days", "unique_tracks", "unique_artists", "new_artists", "busiest_date")
    assert {name: stats[name] for name in same} == pytest.approx({name: summary["year"][name] for name in same})
    assert stats["plays"] > 100


def test_a_period_without_plays_has_zeros(service: Served) -> None:
    stats = service.read("/stats", period="week", date="1999-12-31")
    assert stats["period"] == {"type": "week", "start": "1999-12-27", "end": "2000-01-03"}
    assert {stats[name] for name in ("plays", "listens", "minutes", "unique_tracks", "unique_artists")} == {0}
    assert service.read("/top/genres", period="week", date="1999-12-31")["items"] == []
    assert service.get("/api/v1/year-in-music", year=1999).status_code == 404


def test_recommendations_say_why(service: Served) -> None:
    expected = {row["rank"]: row for row in rows(service, "gold.user_recommendations") if row["list"] == "daily_mix"}
    answer = service.read("/recommendations", list="daily_mix")
    assert answer["total"] == len(expected) > 0
    assert [item["reason"] for item in answer["items"]] == [expected[item["rank"]]["reason"] for item in answer["items"]]


def test_the_last_plays_come_with_what_is_playing(service: Served) -> None:
    last = sorted(rows(service, "silver.listening_with_features"), key=lambda row: row["play_number"])[-3:]
    answer = service.read("/now", limit=3)
    assert answer["playing_now"] is None
    assert [play["track_name"] for play in answer["last_plays"]] == [row["track_name"] for row in reversed(last)]
    before = service.get("/api/v1/now").headers["ETag"]
    now_playing.put(ADMIN, {"track_name": "half \ud83d", "artist_name": "<b>", "additional_info": {"media_player": "p"}})
    try:
        answer = service.read("/now")
        assert answer["playing_now"] == {"track_name": "half ?", "artist_name": "<b>", "album_name": None, "client": "p"}
        assert service.get("/api/v1/now", headers={"If-None-Match": before}).status_code == 200
        assert service.read("/now", OTHER)["playing_now"] is None
    finally:
        now_playing.forget(ADMIN)


def test_hostile_names_come_out_as_json(service: Served) -> None:
    answer = service.get("/api/v1/top/tracks", limit=100)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert set(HOSTILE_TRACKS.values()) <= {item["track_name"] for item in answer.json()["items"]}
    assert service.read("/top/artists")["items"][0]["artist_name"] == HOSTILE_ARTIST
    assert service.read("/top/genres")["items"][0]["genre"] == HOSTILE_GENRE


def test_nothing_is_sent_again_that_has_not_changed(service: Served) -> None:
    first = service.get("/api/v1/stats")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = service.get("/api/v1/stats", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert service.get("/api/v1/stats", OTHER, headers={"If-None-Match": tag}).status_code == 200
    assert service.get("/api/v1/stats", headers={"If-None-Match": tag}, period="year").status_code == 200


def test_a_new_version_of_a_table_is_another_answer(service: Served) -> None:
    before = service.get("/api/v1/year-in-music")
    (row,) = [row for row in rows(service, "gold.year_in_music") if row["year"] == 2024]
    declared = REGISTRY["gold.year_in_music"]
    changed = [row | {"plays": row["plays"] + 1000}]
    publishing.append_rows(service.root / "gold" / "year_in_music", declared, changed, replace="user_id = 'me' and year = 2024")
    after = service.get("/api/v1/year-in-music", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.json()["year"]["plays"] == before.json()["year"]["plays"] + 1000
    assert after.json()["snapshot"]["gold.year_in_music"] == before.json()["snapshot"]["gold.year_in_music"] + 1


@pytest.mark.parametrize("path", PATHS)
def test_only_an_admin_reads_for_others(service: Served, path: str) -> None:
    for listener in (ADMIN, "nobody", "%", "' or 1=1 --"):
        refused = service.get(f"/api/v1{path}", OTHER, listener=listener)
        assert refused.status_code == 403
        assert refused.json()["detail"] == "this token reads its own listener only"
    assert service.read(path, OTHER, listener=OTHER)["listener"] == OTHER
    assert service.read(path, ADMIN, listener=OTHER) == service.read(path, OTHER)
    assert service.get(f"/api/v1{path}", ADMIN, listener="nobody").status_code == 404


def test_only_tokens_of_scope_read_read(service: Served) -> None:
    for token in ("me-submit", "me-mcp"):
        assert service.get("/api/v1/stats", token).status_code == 403
    for token in (None, "", "x", service.tokens[ADMIN][:-1]):
        refused = service.get("/api/v1/stats", token)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    for header in ("", "Bearer", "Basic bWU6bWU=", f"Token {service.tokens[ADMIN]}", service.tokens[ADMIN]):
        assert requests.get(f"{service.url}/api/v1/stats", headers={"Authorization": header}, timeout=10).status_code == 401
    assert requests.get(f"{service.url}/api/v1/stats?token={service.tokens[ADMIN]}", timeout=10).status_code == 401
    assert service.get("/api/v1/stats").status_code == 200


def test_a_revoked_token_and_one_of_a_removed_person_read_nothing(service: Served) -> None:
    from service.people import People

    token = api_tokens.issue(service.state, ADMIN, api_tokens.READ, "short-lived")
    assert service.get("/api/v1/stats", token).status_code == 200
    granted = api_tokens.checked(service.state, token)
    assert granted is not None
    api_tokens.revoke(service.state, ADMIN, granted.token_id)
    assert service.get("/api/v1/stats", token).status_code == 401
    People(service.state).add("gone")
    token = api_tokens.issue(service.state, "gone", api_tokens.READ, "")
    assert service.get("/api/v1/stats", token).status_code == 200
    People(service.state).remove("gone")
    assert service.get("/api/v1/stats", token).status_code == 401


def test_guessing_is_slowed_down_and_players_in_use_go_on(service: Served) -> None:
    fresh = api_tokens.issue(service.state, ADMIN, api_tokens.READ, "fresh")
    assert service.get("/api/v1/stats").status_code == 200
    statuses = [service.get("/api/v1/stats", f"guess-{number}").status_code for number in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    waits = service.get("/api/v1/stats", fresh)
    assert waits.status_code == 429
    assert 0 < int(waits.headers["Retry-After"]) <= 61
    assert service.get("/api/v1/stats").status_code == 200


INVALID = [
    ("/top/artists", {"limit": "0"}, "limit"),
    ("/top/artists", {"limit": "101"}, "limit"),
    ("/top/artists", {"limit": "1e2"}, "limit"),
    ("/top/artists", {"limit": "٣"}, "limit"),
    ("/top/artists", {"offset": "-1"}, "offset"),
    ("/top/artists", {"offset": "9" * 30}, "offset"),
    ("/top/artists", {"period": "decade"}, "period"),
    ("/top/artists", {"date": "2024-02-30"}, "date"),
    ("/top/artists", {"date": "1700000000"}, "date"),
    ("/top/artists", {"date": "9999-12-31", "period": "week"}, "date"),
    ("/top/artists", {"listener": ""}, "listener"),
    ("/top/artists", {"user_id": "ben"}, "user_id"),
    ("/recommendations", {"list": "../../etc/passwd"}, "list"),
    ("/year-in-music", {"year": "0"}, "year"),
    ("/now", {"limit": "NaN"}, "limit"),
]


@pytest.mark.parametrize(("path", "query", "name"), INVALID)
def test_what_cannot_be_meant_is_said_by_name(service: Served, path: str, query: dict[str, str], name: str) -> None:
    refused = service.get(f"/api/v1{path}", **query)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert [error["parameter"] for error in refused.json()["errors"]] == [name]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1&limit=2", 400),
        ("listener=me&listener=ben", 400),
        ("x=" + "y" * 3000, 400),
        ("limit=%ff", 422),
        ("limit=1%00", 422),
        ("limit=5", 200),
    ],
)
def test_malformed_queries(service: Served, query: str, status: int) -> None:
    assert service.get(f"/api/v1/top/artists?{query}", OTHER).status_code == status


def test_paths_lead_nowhere_else(service: Served) -> None:
    tricks = (
        "/api/v1/../../etc/passwd",
        "/api/v1/top/..%2f..%2fstate",
        "/api/v1/top/users",
        "/api/v1//stats",
        "/api/v1/stats/",
        "/api/v2/stats",
    )
    target = service.url.removeprefix("http://")
    for path in tricks:
        head = (f"GET {path} HTTP/1.1", f"Host: {target}", f"Authorization: Bearer {service.tokens[ADMIN]}", "Connection: close")
        with socket.create_connection(tuple(target.split(":")), timeout=10) as raw:
            raw.sendall("\r\n".join([*head, "", ""]).encode())
            answer = b"".join(iter(lambda: raw.recv(65536), b"")).decode()
        assert answer.startswith("HTTP/1.1 404"), path
        assert json.loads(answer.partition("\r\n\r\n")[2])["status"] == 404
    assert service.get("/api/v1/stats").status_code == 200


def test_bodies_are_refused_without_being_parsed(service: Served) -> None:
    held = {"Authorization": f"Bearer {service.tokens[ADMIN]}", "Content-Type": "application/json"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused = requests.request(method, f"{service.url}/api/v1/stats", data=b"[" * 500_000, headers=held, timeout=10)
        assert refused.status_code == 405
        assert refused.headers["Allow"] == "GET, HEAD"
    assert requests.get(f"{service.url}/api/v1/stats", data=b"[" * 500_000, headers=held, timeout=10).status_code == 200
    assert requests.post(f"{service.url}/api/v1/stats", data=b"[" * 5_000_000, headers=held, timeout=10).status_code == 413


def test_a_lakehouse_without_tables_has_empty_answers(tmp_path: Path) -> None:
    with served(tmp_path, tmp_path / "landing", tmp_path / "lakehouse") as empty:
        for path in PATHS:
            answer = empty.get(f"/api/v1{path}")
            if path == "/year-in-music":
                assert answer.status_code == 404
            else:
                assert answer.status_code == 200, answer.text
                assert set(answer.json()["snapshot"].values()) == {None}
        assert empty.get("/api/v1/stats", listener=OTHER).status_code == 404


def test_schemathesis_finds_nothing(service: Served, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{service.url}/api/v1/openapi.json"]
    options = ["--checks", "all", "--max-examples", "5", "--generation-deterministic", "--phases", "coverage,fuzzing"]
    held = ["--header", f"Authorization: Bearer {service.tokens[ADMIN]}"]
    done = subprocess.run([*command, *options, *held], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert f"Tested: {len(ENDPOINTS)}" in done.stdout
