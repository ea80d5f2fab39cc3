"""GET /metrics: how runs and polls fare, as Prometheus reads it; counts and times without anybody's name."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.ledger import Ledger
from music.consent import ANNOUNCED
from music.envelopes import SPOTIFY_API
from music.populations import is_synthetic_id
from polling.announcement import accounts_and_gaps
from polling.tokens import TokenStore
from service.access import is_of_this_machine, reader
from service.api.problems import ApiError
from service.disks import disks

FINISHED = ("succeeded", "failed", "killed")
DISPOSITIONS = ("kept", "duplicate", "quarantined", "set_aside")
HELP = {
    "lakehouse_last_success_timestamp_seconds": "end of the last run that succeeded",
    "lakehouse_last_run_timestamp_seconds": "start of the last run that is over",
    "lakehouse_last_run_seconds": "seconds that the last run took; absent if it was killed",
    "lakehouse_last_run_failed": "1 if the last run failed or was killed, else 0",
    "lakehouse_runs": "runs in ops.pipeline_runs by status",
    "lakehouse_plays": "rows of listening history by format and disposition, as ops.reconciliation has them",
    "lakehouse_listeners": "listeners with a play, without synthetic ones",
    "lakehouse_accounts": "connected accounts by source and status",
    "lakehouse_poll_lag_seconds": "seconds since the last good poll, of the account of the source that waits longest",
    "lakehouse_build_lag_seconds": "seconds by which the newest play in the tables is older than the newest that was received",
    "lakehouse_retry_at_timestamp_seconds": "when the source may be asked again, the last of its accounts; absent if none waits",
    "lakehouse_open_gaps": "intervals by source in which plays may be missing",
    "lakehouse_rule_failures": "rules that did not pass in the last run, by severity",
    "lakehouse_held_listeners": "listeners whose earlier rows stay in a table, as newer ones break a rule",
    "lakehouse_consents_ending": "consents that end within 30 days",
    "lakehouse_consents_ended": "consents that have ended, or that the source refuses",
    "lakehouse_next_consent_end_timestamp_seconds": "when the first consent ends; absent without one",
    "lakehouse_disk_free_bytes": "free bytes of the disk of each folder",
    "lakehouse_disk_total_bytes": "size of the disk of each folder",
}
Row = Mapping[str, Any]


class LakehouseCollector(Collector):
    """Reads the ledger, the states of the inbox and the tokens whenever it is asked."""

    def __init__(self, settings: Settings, now: dt.datetime) -> None:
        self._settings, self._now, self._ledger = settings, now, Ledger(settings.dir)

    def collect(self) -> Iterator[Metric]:
        yield from self._runs()
        yield from self._plays()
        yield from self._accounts()
        yield from self._consents()
        yield from self._disks()

    def _runs(self) -> Iterator[Metric]:
        runs = self._ledger.runs()
        over = [run for run in runs if run["status"] in FINISHED]
        yield _gauge("lakehouse_runs", ("status",), Counter((run["status"],) for run in runs))
        ends = [run["finished_at"] for run in over if run["status"] == "succeeded"]
        yield _one("lakehouse_last_success_timestamp_seconds", max(ends).timestamp() if ends else None)
        last: Row = over[0] if over else {}
        started, finished = last.get("started_at"), last.get("finished_at")
        yield _one("lakehouse_last_run_timestamp_seconds", started.timestamp() if started else None)
        yield _one("lakehouse_last_run_seconds", (finished - started).total_seconds() if started and finished else None)
        yield _one("lakehouse_last_run_failed", float(last["status"] != "succeeded") if last else None)
        yield _gauge("lakehouse_rule_failures", ("severity",), self._broken_rules(last.get("run_id")))
        held = {key.user_id for key in self._ledger.held()}
        yield _one("lakehouse_held_listeners", len(held))

    def _broken_rules(self, run_id: str | None) -> Mapping[tuple[str, ...], float]:
        failed = Counter[tuple[str, ...]]({("fail",): 0, ("warn",): 0})
        if run_id is not None:
            of_run = (ds.field("run_id") == run_id) & (ds.field("status") != "PASS")
            rows = delta.read_rows(self._table("ops.qa_validation_results"), ["status"], of_run)
            failed.update((row["status"].lower(),) for row in rows)
        return failed

    def _plays(self) -> Iterator[Metric]:
        plays = Counter[tuple[str, ...]]()
        for row in delta.read_rows(self._table("ops.reconciliation"), ["source", *DISPOSITIONS]):
            plays.update({(row["source"] or "unknown", name): row[name] for name in DISPOSITIONS})
        yield _gauge("lakehouse_plays", ("source", "disposition"), plays)

    def _accounts(self) -> Iterator[Metric]:
        users = delta.read_rows(self._table("silver.users"), ["user_id", "kept", "last_played_at"])
        people = [user for user in users if user["kept"] and not is_synthetic_id(user["user_id"])]
        yield _one("lakehouse_listeners", len(people))
        accounts, gaps = accounts_and_gaps(self._settings, self._now)
        yield _gauge("lakehouse_accounts", ("source", "status"), Counter((one["source"], one["status"]) for one in accounts))
        polled = _by_source(accounts, "polled_at")
        lags = {source: (self._now - min(times)).total_seconds() for source, times in polled.items()}
        yield _gauge("lakehouse_poll_lag_seconds", ("source",), lags)
        waits = {source: max(times).timestamp() for source, times in _by_source(accounts, "retry_at", self._now).items()}
        yield _gauge("lakehouse_retry_at_timestamp_seconds", ("source",), waits)
        received = [time for times in _by_source(accounts, "cursor").values() for time in times]
        built = [user["last_played_at"] for user in people if user["last_played_at"]]
        lag = (max(received) - max(built)).total_seconds() if received and built else None
        yield _one("lakehouse_build_lag_seconds", lag and max(lag, 0.0))
        open_gaps = Counter({one["source"]: 0 for one in accounts})
        open_gaps.update(gap["source"] for gap in gaps)
        yield _gauge("lakehouse_open_gaps", ("source",), open_gaps)

    def _consents(self) -> Iterator[Metric]:
        tokens = TokenStore(self._settings.state_dir, SPOTIFY_API).accounts()
        lasting = [token.consent_ends for token in tokens if token.refused_at is None and token.consent_ends > self._now]
        yield _one("lakehouse_consents_ending", sum(end <= self._now + ANNOUNCED for end in lasting))
        yield _one("lakehouse_consents_ended", len(tokens) - len(lasting))
        yield _one("lakehouse_next_consent_end_timestamp_seconds", min(lasting).timestamp() if lasting else None)

    def _disks(self) -> Iterator[Metric]:
        sizes = disks(self._settings)
        yield _gauge("lakehouse_disk_free_bytes", ("folder",), {name: size.free for name, size in sizes.items()})
        yield _gauge("lakehouse_disk_total_bytes", ("folder",), {name: size.total for name, size in sizes.items()})

    def _table(self, name: str) -> Path:
        return self._settings.dir.joinpath(*name.split("."))


def _by_source(accounts: Iterable[Row], column: str, after: dt.datetime | None = None) -> dict[str, list[dt.datetime]]:
    """The times in the column, later ones than `after` only."""
    times = dict[str, list[dt.datetime]]()
    for one in accounts:
        time = one.get(column)
        if time is not None and (after is None or time > after):
            times.setdefault(one["source"], []).append(time)
    return times


def _gauge(name: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, HELP[name], labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key) if isinstance(key, tuple) else [key], value)
    return family


def _one(name: str, value: float | None) -> Metric:
    return _gauge(name, (), {} if value is None else {(): value})


def metrics(request: Request) -> Response:
    """Everything at once; for this machine, or with an admin's token of scope read."""
    try:
        if not is_of_this_machine(request) and not reader(request).is_admin:
            raise ApiError(403, "the figures of all listeners need an admin's token")
    except ApiError as error:
        return error.response()
    registry = CollectorRegistry()
    registry.register(LakehouseCollector(request.app.state.settings, dt.datetime.now(dt.timezone.utc)))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), 200, {"Cache-Control": "no-store", "Content-Type": content_type})


ROUTES: list[BaseRoute] = [Route("/metrics", metrics, methods=["GET"])]
