"""The one type of a model's figures: what it refuses, and what the ledger keeps of it."""

from __future__ import annotations

import json
import math
from dataclasses import fields

import pytest

from models.common.metric import FIELDS, Metric, rows_of


def test_populations_stand_in_the_key_and_never_in_the_split() -> None:
    metrics = [Metric(name, "test", "rmse", value=1.0, n=3) for name in ("real", "synthetic", "catalogue")]
    assert len({(m.population, m.split, m.metric) for m in metrics}) == 3
    for split in ("test_synthetic", "test, temporal, novel only, real"):
        with pytest.raises(ValueError, match="names a population"):
            Metric("synthetic", split, "rmse", value=1.0, n=3)


def test_unknown_populations_and_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="no population 'everybody'"):
        Metric("everybody", "test", "rmse", value=1.0, n=3)
    with pytest.raises(ValueError, match="n is -1"):
        Metric("real", "test", "rmse", value=1.0, n=-1)


def test_rows_can_be_kept_as_json() -> None:
    row = rows_of([Metric("real", "test", "rmse", value=math.nan, n=3, low=math.inf, skill=0.5, note="doubtful")])[0]
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (row["value"], row["low"], row["skill"], row["n"], row["note"]) == (None, None, 0.5, 3, "doubtful")


def test_tables_read_every_field() -> None:
    assert [field.split(":")[0].strip() for field in FIELDS.split(",")] == [field.name for field in fields(Metric)]
