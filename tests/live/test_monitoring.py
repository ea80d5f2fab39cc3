"""/healthz and /metrics by a real server: who may ask, what they say, and that no listener is named."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests
from deltalake import DeltaTable
from prometheus_client.parser import text_string_to_metric_families

from polling.places import AccountPlace
from polling.state import AccountState, Gap, Refusal, save_state
from polling.tokens import Token, TokenStore
from service.metrics import HELP
from tests.built import built
from tests.live import service_lakehouse
from tests.live.api_server import Served, served

UTC = dt.timezone.utc
NOW = dt.datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
LISTENER, ACCOUNT = "unmistakable-listener", "unmistakable-account"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With two accounts: one that waits, has a gap, and a consent that ends; one that is refused."""
    folder = built("service", service_lakehouse.build, tmp_path_factory.mktemp("monitored"))
    inbox = folder / "landing" / "_api"
    waiting = AccountState("spotify_api", ACCOUNT, LISTENER, polled_at=NOW - 2 * HOUR, cursor=NOW - 3 * HOUR, retry_at=NOW + HOUR)
    gap = Gap(NOW - DAY, NOW - HOUR, NOW - HOUR)
    save_state(AccountPlace(inbox, "spotify_api", ACCOUNT), replace(waiting, gaps=(gap,)))
    refusal = Refusal(NOW, NOW, 1, f"{LISTENER} was refused", "connect")
    refused = AccountState("lastfm_api", ACCOUNT, LISTENER, polled_at=NOW - DAY, refusal=refusal)
    save_state(AccountPlace(inbox, "lastfm_api", ACCOUNT), refused)
    token = Token(
        "spotify_api", ACCOUNT, LISTENER, "Vega", "app", "scope", "secret-refresh", "secret-access", NOW, NOW - 160 * DAY
    )
    with served(folder, folder / "landing", folder / "lakehouse") as running:
        TokenStore(running.state, "spotify_api").write(token)
        yield running


def samples(service: Served) -> dict[tuple[str, ...], float]:
    """Every sample by name and the values of its labels, which stand in alphabetical order."""
    answer = service.get("/metrics", token=None)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_health_is_a_status_and_nothing_else(service: Served) -> None:
    answer = service.get("/healthz", token=None)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_that_cannot_be_written_is_not_healthy(service: Served) -> None:
    service.state.chmod(0o500)
    try:
        answer = service.get("/healthz", token=None)
    finally:
        service.state.chmod(0o700)
    assert (answer.status_code, answer.json()) == (503, {"status": "failing"})


def test_a_state_folder_that_is_a_file_is_not_healthy(service: Served) -> None:
    moved = service.state.rename(service.state.with_name("moved"))
    try:
        service.state.write_text("")
        answer = service.get("/healthz", token=None)
    finally:
        service.state.unlink()
        moved.rename(service.state)
    assert (answer.status_code, answer.json()) == (503, {"status": "failing"})
    assert service.get("/healthz", token=None).status_code == 200


def test_the_figures_are_those_of_the_tables_and_accounts(service: Served) -> None:
    found = samples(service)
    (run,) = DeltaTable(service.root / "ops" / "pipeline_runs").to_pyarrow_table().to_pylist()
    assert found["lakehouse_last_success_timestamp_seconds",] == run["finished_at"].timestamp()
    assert found["lakehouse_last_run_seconds",] == pytest.approx((run["finished_at"] - run["started_at"]).total_seconds())
    assert found["lakehouse_last_run_failed",] == 0
    assert found["lakehouse_runs", "succeeded"] == 1
    kept = sum(row["kept"] for row in DeltaTable(service.root / "ops" / "reconciliation").to_pyarrow_table().to_pylist())
    assert sum(value for key, value in found.items() if key[:2] == ("lakehouse_plays", "kept")) == kept > 300
    assert found["lakehouse_listeners",] == 2
    assert found["lakehouse_accounts", "spotify_api", "waiting"] == 1
    assert found["lakehouse_accounts", "lastfm_api", "refused"] == 1
    assert found["lakehouse_poll_lag_seconds", "spotify_api"] == pytest.approx(7200 + 1800, abs=1800)
    assert found["lakehouse_retry_at_timestamp_seconds", "spotify_api"] == (NOW + HOUR).timestamp()
    assert found["lakehouse_open_gaps", "spotify_api"] == 1
    assert found["lakehouse_open_gaps", "lastfm_api"] == 0
    assert found["lakehouse_build_lag_seconds",] > 365 * 86_400
    assert found["lakehouse_consents_ending",] == 1
    assert found["lakehouse_consents_ended",] == 0
    assert found["lakehouse_rule_failures", "fail"] == 0
    assert found["lakehouse_held_listeners",] == 0
    assert 0 < found["lakehouse_disk_free_bytes", "state"] <= found["lakehouse_disk_total_bytes", "state"]
    assert found["process_resident_memory_bytes",] > 0


def test_every_metric_is_described_and_nobody_is_named(service: Served) -> None:
    text = service.get("/metrics", token=None).text
    assert set(re.findall(r"^# HELP (lakehouse_\w+) ", text, re.M)) == set(HELP)
    for name in (LISTENER, ACCOUNT, "Vega", "secret", "ben", str(service.root)):
        assert name not in text, name


def test_other_machines_need_an_admins_token(service: Served) -> None:
    def asked(token: str | None, header: str) -> requests.Response:
        return service.get("/metrics", token, headers={header: "203.0.113.9"})

    for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        assert asked(None, header).status_code == 401
        assert asked("guess", header).status_code == 401
        assert asked("me-submit", header).status_code == 403
        assert asked("ben", header).status_code == 403
        assert asked("me", header).status_code == 200
    assert service.get("/metrics", token=None).status_code == 200


def test_prometheus_gets_the_format_it_asks_for(service: Served) -> None:
    answer = service.get("/metrics", token=None, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
