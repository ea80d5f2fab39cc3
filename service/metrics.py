"""GET /metrics: how runs and polls fare, as Prometheus reads it; counts and times without anybody's name."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from music.consent import ANNOUNCED
from service.access import is_of_this_machine, reader
from service.api_errors import ApiError
from service.api_tokens import TokensError
from service.disks import Disk, disks

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

HELP = {
    "lakehouse_snapshot_timestamp_seconds": "when the tables were last looked at for these figures; absent if that never worked",
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


class SnapshotCollector:
    """The metrics of a snapshot of the lakehouse, as of `now`; of the disks alone where there is no snapshot."""

    def __init__(self, snapshot: Row | None, sizes: Mapping[str, Disk], now: dt.datetime) -> None:
        self._snapshot, self._sizes, self._now = snapshot, sizes, now

    def collect(self) -> Iterator[Metric]:
        """Every metric, with no sample where there is nothing to say."""
        snapshot = self._snapshot
        yield _gauge("lakehouse_disk_free_bytes", ("folder",), {name: disk.free for name, disk in self._sizes.items()})
        yield _gauge("lakehouse_disk_total_bytes", ("folder",), {name: disk.total for name, disk in self._sizes.items()})
        yield _one("lakehouse_snapshot_timestamp_seconds", _seconds(snapshot["made_at"]) if snapshot else None)
        if snapshot is not None:
            facts: Row = snapshot["metrics"]
            yield from _runs(facts)
            yield _gauge("lakehouse_plays", ("source", "disposition"), {(s, name): n for s, name, n in facts["plays"]})
            yield _gauge("lakehouse_rule_failures", ("severity",), facts["broken_rules"])
            yield _one("lakehouse_held_listeners", len({one["user_id"] for one in snapshot["held"]}))
            yield from self._accounts(snapshot["accounts"], snapshot["gaps"])
            yield from self._lag(snapshot["accounts"], snapshot["listeners"])
            yield from self._consents(facts["consents"])

    def _accounts(self, accounts: Iterable[Row], gaps: Iterable[Row]) -> Iterator[Metric]:
        yield _gauge("lakehouse_accounts", ("source", "status"), Counter((one["source"], one["status"]) for one in accounts))
        polled = _by_source(accounts, "polled_at")
        now = self._now.timestamp()
        yield _gauge("lakehouse_poll_lag_seconds", ("source",), {source: now - min(times) for source, times in polled.items()})
        waits = {source: max(times) for source, times in _by_source(accounts, "retry_at").items() if max(times) > now}
        yield _gauge("lakehouse_retry_at_timestamp_seconds", ("source",), waits)
        open_gaps = Counter({one["source"]: 0 for one in accounts})
        open_gaps.update(gap["source"] for gap in gaps)
        yield _gauge("lakehouse_open_gaps", ("source",), open_gaps)

    def _lag(self, accounts: Iterable[Row], listeners: Iterable[Row]) -> Iterator[Metric]:
        people = [one for one in listeners if one["kept"] and not one["is_synthetic"]]
        yield _one("lakehouse_listeners", len(people))
        received = [time for times in _by_source(accounts, "cursor").values() for time in times]
        built = [_seconds(one["last_played_at"]) for one in people if one["last_played_at"]]
        yield _one("lakehouse_build_lag_seconds", max(max(received) - max(built), 0.0) if received and built else None)

    def _consents(self, consents: Iterable[Row]) -> Iterator[Metric]:
        now = self._now.timestamp()
        every = [(_seconds(one["ends"]), one["is_refused"]) for one in consents]
        lasting = [end for end, is_refused in every if end > now and not is_refused]
        yield _one("lakehouse_consents_ending", sum(end <= now + ANNOUNCED.total_seconds() for end in lasting))
        yield _one("lakehouse_consents_ended", len(every) - len(lasting))
        yield _one("lakehouse_next_consent_end_timestamp_seconds", min(lasting, default=None))


def _runs(facts: Row) -> Iterator[Metric]:
    yield _gauge("lakehouse_runs", ("status",), facts["runs"])
    yield _one("lakehouse_last_success_timestamp_seconds", _seconds(facts["last_success"]) if facts["last_success"] else None)
    last: Row = facts["last_run"] or {}
    started, finished = (_seconds(last[name]) if last.get(name) else None for name in ("started_at", "finished_at"))
    yield _one("lakehouse_last_run_timestamp_seconds", started)
    yield _one("lakehouse_last_run_seconds", finished - started if started and finished else None)
    yield _one("lakehouse_last_run_failed", float(last["status"] != "succeeded") if last else None)


def _by_source(accounts: Iterable[Row], column: str) -> dict[str, list[float]]:
    """The times in the column, in seconds since 1970."""
    times = dict[str, list[float]]()
    for one in accounts:
        if one.get(column):
            times.setdefault(one["source"], []).append(_seconds(one[column]))
    return times


def _seconds(moment: str) -> float:
    return dt.datetime.fromisoformat(moment).timestamp()


def _gauge(name: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    from prometheus_client.metrics_core import GaugeMetricFamily

    family = GaugeMetricFamily(name, HELP[name], labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key) if isinstance(key, tuple) else [key], value)
    return family


def _one(name: str, value: float | None) -> Metric:
    return _gauge(name, (), {} if value is None else {(): value})


def _is_allowed(request: Request) -> bool:
    """For this machine, or with an admin's token. Raises ApiError and TokensError."""
    return is_of_this_machine(request) or reader(request).is_admin


async def metrics(request: Request) -> Response:
    """Everything at once. The first call waits for a process that looks at the tables; later ones get what it last saw."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder

    try:
        if not await run_in_threadpool(_is_allowed, request):
            return ApiError(403, "the figures of all listeners need an admin's token").response()
    except ApiError as error:
        return error.response()
    except TokensError as error:
        return ApiError(503, str(error)).response()
    snapshot, _ = await request.app.state.snapshots.current()
    sizes = await run_in_threadpool(disks, request.app.state.settings)
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot, sizes, dt.datetime.now(dt.timezone.utc)))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), 200, {"Cache-Control": "no-store", "Content-Type": content_type})


ROUTES: list[BaseRoute] = [Route("/metrics", metrics, methods=["GET"])]
