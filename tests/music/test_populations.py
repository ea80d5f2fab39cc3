"""Real and synthetic: the marks agree, and no other listener can have a synthetic id."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.settings import is_person
from music.populations import (
    SYNTHETIC_PREFIX,
    is_synthetic_id,
    is_synthetic_play,
    listeners_in,
    population,
    population_by_id,
    populations,
)

USERS = [("ann", False, "export"), (f"{SYNTHETIC_PREFIX}000001", True, "synthetic"), ("synthetica", False, "scrobble")]


def test_id_kind_and_flag_give_the_same_population(spark: SparkSession) -> None:
    users = spark.createDataFrame(USERS, "user_id string, is_synthetic boolean, source_kind string")
    expected = ["real", "synthetic", "real"]
    names = [population(F.col("is_synthetic")), population_by_id(), population(is_synthetic_play())]
    for column in names:
        assert [row[0] for row in users.select(column).collect()] == expected
    assert [is_synthetic_id(name) for name, *_ in USERS] == [False, True, False]
    assert populations(users) == ["real", "synthetic"]
    assert populations(users.where("is_synthetic")) == ["synthetic"]
    assert [row.user_id for row in listeners_in(users, "synthetic").collect()] == [f"{SYNTHETIC_PREFIX}000001"]


def test_no_real_listener_can_have_a_synthetic_id() -> None:
    assert not is_person(f"{SYNTHETIC_PREFIX}000001")
    assert is_person("synthetica")
