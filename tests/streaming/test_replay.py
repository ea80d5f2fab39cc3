"""An export as the listens that a player would have sent, and the options that cannot be meant."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from lakehouse.cli.main import main
from run_pipeline import PRODUCT
from streaming.errors import StreamError
from streaming.replay import listens_in
from tests.landing_files import extended

MB = 2**20


def test_an_export_becomes_listens_with_their_starts(tmp_path: Path) -> None:
    played = extended(ts="2024-03-01T10:03:00Z", ms_played=180_000)
    podcast = {**played, "spotify_track_uri": None, "master_metadata_track_name": None, "master_metadata_album_artist_name": None}
    with zipfile.ZipFile(tmp_path / "my_spotify_data.zip", "w") as archive:
        archive.writestr("Streaming_History_Audio_2024_0.json", json.dumps([played, podcast]))
    [listen] = listens_in(tmp_path / "my_spotify_data.zip", "anna", 100 * MB)
    assert (listen["user_id"], listen["listened_at"], listen["ms_played"]) == ("anna", "2024-03-01T10:00:00.000Z", 180_000)
    assert listen["track_name"] == played["master_metadata_track_name"] and listen["track_uri"] == played["spotify_track_uri"]


def test_a_file_without_plays_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(StreamError, match="no listening history"):
        list(listens_in(tmp_path / "notes.txt", "anna", MB))
    with pytest.raises(StreamError, match="is no file"):
        list(listens_in(tmp_path / "none.zip", "anna", MB))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stream", "--replay", "x.zip"], "--replay and --user"),
        (["stream", "--user", "anna"], "--replay and --user"),
        (["stream", "--json"], "--refused"),
        (["stream", "--landing", "/nowhere"], "does not exist"),
        (["stream", "--replay", "x.zip", "--user", "../anna"], "listener's name"),
        (["generate", "--listeners", "1", "--catalogue", "x.csv"], "--to-kafka"),
        (["generate", "--listeners", "1", "--catalogue", "x.csv", "--out", "x", "--to-kafka"], "one of the two"),
        (["generate", "--listeners", "1", "--catalogue", "x.csv", "--out", "x", "--topic", "t"], "need --to-kafka"),
    ],
)
def test_options_that_cannot_be_meant(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(PRODUCT, words) == 2
    assert told in capsys.readouterr().err
