"""Names that an ISRC makes one recording, and codes that are not believed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

import bronze.track_metadata  # noqa: F401
import silver.named_ids  # noqa: F401
from silver.merged_names import MOST_NAMES, merged_names
from tests.frames import collect, frame

Coded = tuple[str, str | None, int | None]


def merged(spark: SparkSession, *ids: Coded) -> dict[str, str]:
    """By name, the name whose recording it is part of; each id has a name, an ISRC and a length in s."""
    named = [{"track_id": f"t{number}", "name_id": name} for number, (name, _, _) in enumerate(ids)]
    told = [
        {"track_id": f"t{number}", "isrc": isrc, "duration_ms": None if seconds is None else seconds * 1000}
        for number, (_, isrc, seconds) in enumerate(ids)
    ]
    result = merged_names(frame(spark, "silver.named_ids", named), frame(spark, "bronze.track_metadata", told))
    return {row["name_id"]: row["recording_id"] for row in collect("silver.merged_names", result)}


def test_names_of_one_isrc_are_one_recording(spark: SparkSession) -> None:
    ids: list[Coded] = [("b", "I1", 200), ("a", "I1", 203), ("c", "I2", 200), ("c", "I3", 200), ("d", None, 200)]
    assert merged(spark, *ids) == {"b": "a"}


def test_names_are_joined_through_other_names(spark: SparkSession) -> None:
    chain: list[Coded] = [("e", "I1", 1), ("d", "I1", 1), ("d", "I2", 1), ("a", "I2", 1), ("a", "I3", 1), ("c", "I3", 1)]
    assert merged(spark, *chain) == {"c": "a", "d": "a", "e": "a"}


def test_an_isrc_of_tracks_of_different_lengths_is_not_believed(spark: SparkSession) -> None:
    assert merged(spark, ("a", "I1", 200), ("b", "I1", 211)) == {}
    assert merged(spark, ("a", "I1", 200), ("b", "I1", 210), ("c", "I1", None)) == {"b": "a", "c": "a"}


def test_a_wrong_code_that_connects_too_many_names_joins_none(spark: SparkSession) -> None:
    two = [("a", "I1", None), ("b", "I1", None), ("c", "I1", None), ("d", "I2", None), ("e", "I2", None), ("f", "I2", None)]
    assert merged(spark, *two) == {"b": "a", "c": "a", "e": "d", "f": "d"}
    wrong = [("a", "X", None), ("f", "X", None)]
    assert merged(spark, *two, *wrong) == {}
    assert merged(spark, *[(f"n{number}", "I1", None) for number in range(MOST_NAMES + 1)]) == {}


def test_without_isrcs_nothing_is_merged(spark: SparkSession) -> None:
    assert merged(spark, ("a", None, 1), ("b", None, 1)) == {}


NAMES = st.sampled_from("abcdefgh")
CODES = st.sampled_from(["I1", "I2", "I3", "I4", "I5"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.tuples(NAMES, CODES), max_size=14))
def test_names_are_merged_as_a_plain_search_merges_them(spark: SparkSession, pairs: set[tuple[str, str]]) -> None:
    assert merged(spark, *[(name, isrc, None) for name, isrc in sorted(pairs)]) == expected(pairs)


def expected(pairs: set[tuple[str, str]]) -> dict[str, str]:
    """Components of the names, by codes of at most MOST_NAMES names, that are no larger than that."""
    groups = [{name for name, code in pairs if code == isrc} for isrc in {code for _, code in pairs}]
    components = _joined([group for group in groups if len(group) <= MOST_NAMES])
    return {name: min(one) for one in components if len(one) <= MOST_NAMES for name in one if name != min(one)}


def _joined(groups: Iterable[set[str]]) -> list[set[str]]:
    components = list(groups)
    while True:
        for first, second in itertools.combinations(components, 2):
            if first & second:
                components.remove(first)
                components.remove(second)
                components.append(first | second)
                break
        else:
            return components
