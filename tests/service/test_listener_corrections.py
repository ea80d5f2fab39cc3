"""What a listener accepts and rejects: lines of their own file, as runs read them, and nobody else's."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from corrections.check import corrections_files
from ingestion import corrections as source
from lakehouse.declare import Sample
from service import corrections
from service.corrections import Corrections, CorrectionsError, Suggestion
from service.settings import ServiceSettings
from tests.landing_files import HOSTILE_NAMES


def suggestion(name: str, other: str = "Radiohead", key: str = "k") -> Suggestion:
    line = dict.fromkeys(corrections.FIELDS, "") | {"action": "merge", "kind": "artist", "from_artist": name, "to_artist": other}
    return Suggestion(key, "artist", name, 2, other, 5, None, line | {"note": "2 and 5 plays"})


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    places = {name: tmp_path / name for name in ("landing", "dir", "inbox", "state_dir")}
    return ServiceSettings(_env_file=None, **places)


def lines_of(path: Path) -> list[dict[str, str]]:
    """The lines of a file, as ingestion reads them."""
    reader = source.Corrections()
    content = path.read_bytes()
    assert reader.recognises(Sample("x.csv", content.decode()))
    return [row for batch in reader.read(io.BytesIO(content), "anna") for row in batch.to_pylist()]


def test_an_accepted_line_is_in_the_listeners_file_once_and_can_be_taken_back(settings: ServiceSettings) -> None:
    decided, one = Corrections(settings), suggestion("Radiohaed")
    decided.accept("anna", one)
    decided.accept("anna", one)
    path = settings.inbox_folder / "listeners" / "anna" / "corrections.csv"
    (line,) = lines_of(path)
    assert (line["from_artist"], line["to_artist"], line["surplus"]) == ("Radiohaed", "Radiohead", None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert decided.open("anna", [one, suggestion("Muze", "Muse", "m")]) == [suggestion("Muze", "Muse", "m")]
    assert decided.open("ben", [one]) == [one]
    assert (decided.accepted("ben"), [p.name for p in path.parent.parent.iterdir()]) == ([], ["anna"])
    (kept,) = decided.accepted("anna")
    assert not decided.take_back("ben", kept.key)
    assert decided.take_back("anna", kept.key)
    # The header stays: a file that vanishes would keep its last lines in force.
    assert (lines_of(path), decided.open("anna", [one])) == ([], [one])


@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES.values() if "\x00" not in name])
def test_any_name_comes_back_as_it_was(settings: ServiceSettings, name: str) -> None:
    decided = Corrections(settings)
    decided.accept("anna", suggestion(name))
    decided.accept("anna", suggestion("after"))
    assert [line.cells["from_artist"] for line in decided.accepted("anna")] == [name, "after"]
    first, second = lines_of(settings.inbox_folder / "listeners" / "anna" / "corrections.csv")
    assert (first["from_artist"], second["from_artist"]) == (name, "after")


def test_a_rejected_suggestion_is_remembered_for_its_listener(settings: ServiceSettings) -> None:
    one, other = suggestion("Camilo", "Camila", "c"), suggestion("Radiohaed")
    Corrections(settings).reject("anna", one)
    decided = Corrections(settings)
    assert (decided.open("anna", [one, other]), decided.rejected("anna")) == ([other], 1)
    assert decided.open("ben", [one, other]) == [one, other]
    decided.forget_rejections("anna")
    assert decided.open("anna", [one, other]) == [one, other]


def test_a_file_with_other_columns_is_left_alone(settings: ServiceSettings) -> None:
    path = settings.inbox_folder / "listeners" / "anna" / "corrections.csv"
    path.parent.mkdir(parents=True)
    path.write_text("action,kind,own\nmerge,artist,x\n")
    with pytest.raises(CorrectionsError, match="columns of its own"):
        Corrections(settings).accept("anna", suggestion("Radiohaed"))
    assert path.read_text() == "action,kind,own\nmerge,artist,x\n"


@pytest.mark.parametrize("inbox", ["landing/_api", "inbox", "landing/received"])
def test_the_check_of_corrections_sees_the_accepted_lines(tmp_path: Path, inbox: str) -> None:
    settings = ServiceSettings(_env_file=None, landing=tmp_path / "landing", inbox=tmp_path / inbox, state_dir=tmp_path / "state")
    Corrections(settings).accept("anna", suggestion("Radiohaed"))
    (settings.landing / "listeners" / "ben").mkdir(parents=True)
    (settings.landing / "listeners" / "ben" / "corrections.csv").write_text("action,kind\n")
    found = corrections_files(settings.landing, "me", settings.inbox_folder)
    assert {name: owner for name, (owner, _) in found.items()} == {
        "_api/listeners/anna/corrections.csv": "anna",
        "listeners/ben/corrections.csv": "ben",
    }


def test_the_columns_are_those_of_the_source() -> None:
    assert corrections.FIELDS == source.FIELDS
