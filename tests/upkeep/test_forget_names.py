"""The ways in which a listener's names are written, and where such a text is something else."""

from __future__ import annotations

import gzip

import pytest

from tests.polling.envelopes_of import envelope, lastfm_body, lastfm_track
from upkeep.forget_identity import Identity
from upkeep.forget_inbox import listener_in

ZOE = Identity("Zoë O'Q", frozenset({("lastfm_api", "zoe_fm")}), frozenset({"Zoe from Ulm"}))


@pytest.mark.parametrize(
    "text",
    [
        "listeners/Zoë O'Q/history.json",
        "listeners/Zoe\u0308 O'Q/history.json",
        "_api/submitted_listens/Zo%C3%AB O%27Q/2026-11/x.jsonl",
        "/user/Zo%C3%AB%20O%27Q/listens",
        "user_id = 'Zoë O''Q'",
        r'{"listener": "Zo\u00eb O\'Q"}'.replace("\\'", "'"),
        "account ZOE_FM (listener ...)",
        "connected Zoe from Ulm",
    ],
)
def test_a_text_that_names_the_listener(text: str) -> None:
    assert ZOE.is_in(text)
    assert not ZOE.is_in(ZOE.redacted(text))


@pytest.mark.parametrize("text", ["Zoë", "zoe_fm2", "listeners/Zoë O'Quist/x", "azoe_fm"])
def test_a_text_that_names_somebody_else(text: str) -> None:
    assert not ZOE.is_in(text)
    assert ZOE.redacted(text) == text


def test_received_files_say_whose_they_are() -> None:
    track = lastfm_track(1_700_000_000) | {"note": '"listener": "mallory"'}
    content = envelope("lastfm_api", lastfm_body([track]), [0], listener='an"na').content()
    assert listener_in(content) == 'an"na'
    assert listener_in(gzip.compress(content)) == 'an"na'
    assert listener_in(b'{"format": "listening-lakehouse/journal/1", "listener": "bob", "journal": "x"}\n{}') == "bob"
    assert listener_in(b"\x1f\x8bbroken") is None
    assert listener_in(b"ts,track\n") is None
