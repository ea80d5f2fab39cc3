"""Importing dashboards again: nothing changes, what was edited changes, what was removed is gone, what people made stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bi.dashboards.bundle import Bundle, build
from bi.dashboards.client import Superset
from bi.dashboards.command import declared
from bi.dashboards.declaration import FOLDER
from lakehouse.plan import graph
from tests.bi.conftest import Stack
from tests.bi.small_lakehouse import LISTENER

KINDS = {
    "chart": ("id", "uuid", "slice_name", "params", "viz_type", "description"),
    "dataset": ("id", "uuid", "table_name", "sql"),
    "dashboard": ("id", "uuid", "slug", "json_metadata", "position_json", "css", "roles.id"),
}


@pytest.fixture
def folder(tmp_path: Path, admin: Superset) -> Iterator[Path]:
    """A copy of the declarations; afterwards the real ones are imported again."""
    copy = tmp_path / "dashboards"
    shutil.copytree(FOLDER, copy)
    load(admin, FOLDER)
    yield copy
    load(admin, FOLDER)


def load(admin: Superset, folder: Path) -> Bundle:
    tables = graph.load()
    bundle = build(declared(tables, folder), tables, LISTENER)
    admin.load(bundle)
    admin.clean(bundle)
    return bundle


def state(admin: Superset) -> dict[str, dict[str, Any]]:
    """What Superset has of charts, datasets and dashboards, by uuid; an import renews when a chart was changed, and no more."""
    parts = [found for kind, columns in KINDS.items() for found in admin.all(kind, *columns)]
    # Superset tells roles in any order.
    return {str(found["uuid"]): found | {"roles": sorted(role["id"] for role in found.get("roles", []))} for found in parts}


def edit(folder: Path, name: str, change: Any) -> None:
    path = folder / f"{name}.yaml"
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def test_a_second_import_changes_nothing(admin: Superset, folder: Path) -> None:
    before = state(admin)
    bundle = load(admin, folder)
    assert state(admin) == before
    assert {uuid for uuid in before if uuid.startswith("11573e9a")} == {*bundle.charts, *bundle.datasets, *bundle.dashboards}


def test_the_command_imports_only_what_superset_does_not_hold(stack: Stack, admin: Superset, folder: Path) -> None:
    stack.script("scripts/build_dashboards.py")
    before = admin.state()
    assert "nothing new" in stack.script("scripts/build_dashboards.py").stdout
    assert admin.state() == before
    chart = next(c for c in admin.all("chart", "id", "slice_name") if c["slice_name"] == "How many plays?")
    admin.call("PUT", f"chart/{chart['id']}", json={"slice_name": "Edited by somebody"})
    assert "nothing new" not in stack.script("scripts/build_dashboards.py").stdout
    assert "How many plays?" in {c["slice_name"] for c in admin.all("chart", "slice_name")}


def test_an_edited_chart_changes_and_no_other(admin: Superset, folder: Path) -> None:
    def shorten(content: dict[str, Any]) -> None:
        chart = next(c for row in content["rows"] for c in row["charts"] if c["title"] == "Whom do you hear most?")
        chart["limit"] = 7

    before = state(admin)
    edit(folder, "overview", shorten)
    load(admin, folder)
    after = state(admin)
    charts = [uuid for uuid in after if "params" in after[uuid] and after[uuid] != before[uuid]]
    assert [after[uuid]["slice_name"] for uuid in charts] == ["Whom do you hear most?"]
    assert json.loads(after[charts[0]]["params"])["row_limit"] == 7
    assert after.keys() == before.keys()


def test_what_is_removed_is_gone_and_what_people_made_stays(admin: Superset, folder: Path) -> None:
    dataset = next(d for d in admin.all("dataset", "id", "table_name") if d["table_name"] == "daily_listening")
    own = {
        "slice_name": "My own",
        "viz_type": "table",
        "datasource_id": dataset["id"],
        "datasource_type": "table",
        "params": "{}",
    }
    made = admin.call("POST", "chart/", json=own)["id"]
    try:
        edit(folder, "overview", lambda content: content["rows"].pop())
        (folder / "health.yaml").unlink()
        bundle = load(admin, folder)
        titles = {chart["slice_name"] for chart in admin.all("chart", "slice_name")}
        assert "Do you skip more than you used to?" not in titles
        assert "Do the rules hold?" not in titles
        assert "My own" in titles
        assert {d["slug"] for d in admin.all("dashboard", "slug")} == set(bundle.dashboards.values())
    finally:
        admin.call("DELETE", f"chart/{made}")
