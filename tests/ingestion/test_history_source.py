"""What a source of listening history states: a fact that is missing, impossible or contradicted is refused by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import IO, Any

import pyarrow as pa
import pytest

from ingestion import history_facts, sources, text_lines
from ingestion.history_source import UNSTATED, SourceFacts, SourceKind, facts_of, kinds_of
from lakehouse.declare import DeclarationError, Sample, Source

RADIO = SourceKind(
    name="radio", ts="end", rank=25, window_seconds=90, compared_with=("end",), repeat_seconds=0, sources_overlap=False
)
STATED = {"kinds": (RADIO,), "rank_in_kind": 0, "has_scrobbler_ts": False}


class CarRadio:
    """A source of rows of listening history that states nothing about them."""

    name = "car_radio"
    target = "listening_history"

    def recognises(self, sample: Sample) -> bool:
        raise NotImplementedError

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError


def source(name: str = "car_radio", without: str | None = None, **changes: Any) -> Source:
    """The source with all facts stated but `without`."""
    stated = {fact: value for fact, value in (STATED | changes).items() if fact != without}
    declared: Source = type("Stated", (CarRadio,), {"name": name, **stated})()
    return declared


def refusal(*declared: Source) -> str:
    with pytest.raises(DeclarationError) as caught:
        facts_of(declared)
    return str(caught.value)


def test_stated_facts_are_collected() -> None:
    assert facts_of([source()]) == (SourceFacts("car_radio", (RADIO,), 0, False),)


@pytest.mark.parametrize("fact", [field.name for field in fields(SourceFacts) if field.name != "source"])
def test_a_source_without_a_fact_is_refused(fact: str) -> None:
    assert refusal(source(without=fact)) == f"source car_radio: {fact} is not stated"


@pytest.mark.parametrize("fact", [field.name for field in fields(SourceKind) if field.name != "name"])
def test_a_kind_without_a_fact_is_refused(fact: str) -> None:
    stated = {field.name: getattr(RADIO, field.name) for field in fields(SourceKind) if field.name != fact}
    assert refusal(source(kinds=(SourceKind(**stated),))) == f"source car_radio: kind radio: {fact} is not stated"


def test_a_kind_without_a_name_is_refused() -> None:
    assert refusal(source(kinds=(replace(RADIO, name=UNSTATED),))) == "source car_radio: kind ?: name is not stated"


def test_a_source_without_kinds_is_refused() -> None:
    assert refusal(source(kinds=())) == "source car_radio: kinds is empty"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ts": "middle"}, "'middle' is not one of start, end"),
        ({"compared_with": ("end", "middle")}, "'middle' is not one of start, end"),
        ({"window_seconds": 0}, "window_seconds and compared_with must both be given"),
        ({"window_seconds": -1}, "window_seconds and compared_with must both be given"),
        ({"compared_with": ()}, "window_seconds and compared_with must both be given"),
    ],
)
def test_a_kind_that_cannot_be_compared_is_refused(changes: dict[str, Any], reason: str) -> None:
    assert refusal(source(kinds=(replace(RADIO, **changes),))).startswith(f"source car_radio: kind radio: {reason}")


@pytest.mark.parametrize(
    "changes",
    [
        {"ts": "start"},
        {"rank": 26},
        {"window_seconds": 91},
        {"compared_with": ("start",)},
        {"sources_overlap": True},
    ],
)
def test_two_sources_of_one_kind_have_to_agree(changes: dict[str, Any]) -> None:
    [fact] = changes
    other = source("home_radio", kinds=(replace(RADIO, **changes),), rank_in_kind=1)
    assert refusal(source(), other) == f"source home_radio: kind radio: {fact} differs from that of car_radio"


def test_two_kinds_of_one_rank_are_refused() -> None:
    """Neither would be the richer, and a play that both hold would be counted twice."""
    other = source("television", kinds=(replace(RADIO, name="screen"),))
    assert refusal(source(), other) == "kinds radio (source car_radio) and screen (source television) have the same rank 25"


def test_two_sources_of_one_rank_in_their_kind_are_refused() -> None:
    assert refusal(source(), source("home_radio")) == (
        "sources car_radio and home_radio have the same rank_in_kind 0 in kind radio"
    )


@pytest.mark.parametrize("part", ["name", "target", "recognises", "read"])
def test_a_source_that_lacks_a_part_is_refused(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {name: getattr(CarRadio, name) for name in ("name", "target", "recognises", "read") if name != part}
    monkeypatch.setattr(text_lines, "SOURCES", (type("HalfASource", (), parts)(),), raising=False)
    with pytest.raises(DeclarationError, match=rf"HalfASource: {part} is not stated"):
        sources("kaggle_tracks")


def test_two_sources_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "SOURCES", (source("lastfm_1k"),), raising=False)
    with pytest.raises(DeclarationError, match="two sources are named lastfm_1k"):
        sources("kaggle_tracks")


def test_a_source_that_is_found_has_to_state_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_lines, "SOURCES", (source(without="kinds"),), raising=False)
    with pytest.raises(DeclarationError, match=re.escape("source car_radio: kinds is not stated")):
        history_facts()


def test_richer_kinds_and_sources_come_first() -> None:
    """The order of the design: export > api > account_data > scrobble; the API has no landing files."""
    facts = history_facts()
    ours = ("export", "account_data", "scrobble", "synthetic")
    assert tuple(kind.name for kind in kinds_of(facts) if kind.name in ours) == ours
    scrobblers = [one for one in facts if "scrobble" in [kind.name for kind in one.kinds]]
    in_order = sorted(scrobblers, key=lambda one: one.rank_in_kind)
    services = ["listenbrainz", "lastfm_uts_csv", "lastfm_1k", "lastfm_csv"]
    assert [one.source for one in in_order if one.source in services] == services
