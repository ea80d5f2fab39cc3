"""The filters above a dashboard, and the charts that each acts on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bi.dashboards.chart import Chart
from bi.dashboards.declaration import Dashboard, SelectFilter

LISTENER = "NATIVE_FILTER-listener"
USER = "user_id"


@dataclass(frozen=True)
class Filtered:
    """A chart as filters see it: its id within the bundle, its dataset's columns, whether that has a time."""

    id: int
    columns: frozenset[str]
    has_time: bool
    chart: Chart


def native_filters(
    dashboard: Dashboard, charts: Sequence[Filtered], datasets: Mapping[str, str], listener: str | None
) -> list[dict[str, Any]]:
    """Superset's configuration. `datasets`: name -> uuid, "" -> that of silver.users; `listener`: who is shown first.

    A filter acts on the charts whose dataset knows its column, and on no other, so that no chart claims to be filtered.
    """
    made = []
    for choice in dashboard.filters:
        if choice == "listener":
            target = {"datasetUuid": datasets[""], "column": {"name": USER}}
            value = [listener] if listener is not None else []
            made.append(_select(LISTENER, "Listener", target, value, multiple=False, required=True))
        elif choice == "period":
            shown = {"filterType": "filter_time", "targets": [{}], "defaultDataMask": {"filterState": {}, "extraFormData": {}}}
            made.append({"id": "NATIVE_FILTER-period", "name": "Period", **shown, "controlValues": {"enableEmptyFilter": False}})
        else:
            assert isinstance(choice, SelectFilter)  # noqa: S101
            target = {"datasetUuid": datasets[choice.data], "column": {"name": choice.column}}
            value = choice.default if isinstance(choice.default, list) else []
            filter_id = f"NATIVE_FILTER-{choice.title.lower().replace(' ', '_')}"
            first = choice.default == "first"
            one = _select(filter_id, choice.title, target, value, choice.multiple, required=first, first=first)
            has_listener = "listener" in dashboard.filters and choice.after_listener
            made.append(one | {"description": choice.description, "cascadeParentIds": [LISTENER] if has_listener else []})
    return [_scoped(each, charts) for each in made]


def _select(
    filter_id: str,
    title: str,
    target: Mapping[str, Any],
    value: list[str],
    multiple: bool,
    *,
    required: bool,
    first: bool = False,
) -> dict[str, Any]:
    column = target["column"]["name"]
    chosen = {"filters": [{"col": column, "op": "IN", "val": value}]} if value else {}
    state = {"value": value, "label": ", ".join(value)} if value else {}
    controls = {"multiSelect": multiple, "enableEmptyFilter": required, "defaultToFirstItem": first, "sortAscending": True}
    return {
        "id": filter_id,
        "name": title,
        "filterType": "filter_select",
        "targets": [target],
        "defaultDataMask": {"extraFormData": chosen, "filterState": state},
        "controlValues": {**controls, "searchAllOptions": True, "inverseSelection": False},
    }


def _scoped(made: dict[str, Any], charts: Sequence[Filtered]) -> dict[str, Any]:
    column = made["targets"][0].get("column", {}).get("name")
    acts = [c for c in charts if (column in c.columns if column else c.has_time) and made["name"] not in c.chart.ignores]
    excluded = [c.id for c in charts if c not in acts]
    scope = {"rootPath": ["ROOT_ID"], "excluded": excluded}
    return {"cascadeParentIds": [], "description": "", "type": "NATIVE_FILTER", **made, "scope": scope}
