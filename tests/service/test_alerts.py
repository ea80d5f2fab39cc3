"""The example alerts are YAML as Prometheus reads it, and name only metrics that exist."""

from __future__ import annotations

import re

import yaml

from lakehouse.settings import PROJECT_ROOT
from service.metrics import HELP

ALERTS = PROJECT_ROOT / "docker" / "alerts.yml"


def test_every_alert_is_complete_and_every_metric_exists() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    names, used = [], set[str]()
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        names.append(rule["alert"])
        used |= set(re.findall(r"\blakehouse_\w+", rule["expr"]))
    assert len(names) == len(set(names)) >= 10
    assert used <= set(HELP)
    assert "lakehouse_no_such_metric" not in HELP


def test_what_an_owner_has_to_know_has_an_alert() -> None:
    text = ALERTS.read_text()
    wanted = ("last_success", "last_run_seconds", "poll_lag", "retry_at", "open_gaps", "rule_failures", "consents_ending")
    assert [name for name in wanted if f"lakehouse_{name}" not in text] == []
