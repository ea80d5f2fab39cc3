"""Same arguments, same bytes; a folder that is whole or not there; arguments that cannot be are refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakehouse.settings import PROJECT_ROOT
from synthetic import generate as module
from synthetic.catalogue import CatalogueError
from synthetic.folder import FolderError
from synthetic.generate import ArgumentError, Progress
from tests.landing_files import CATALOGUE_HEADER, CATALOGUE_ROW, lines
from tests.synthetic.conftest import Generate


def bytes_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def script(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROJECT_ROOT / "scripts" / "generate_listeners.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=os.environ | environment)


def test_the_same_arguments_give_the_same_bytes_in_any_number_of_processes(
    generated: Generate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_PLAYS", 3_000)
    one = generated(tmp_path / "one", plant=2)
    two = generated(tmp_path / "two", plant=2, workers=2)
    assert len(one["files"]) == 3
    assert one == two
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert {file["name"]: file["sha256"] for file in one["files"]}.items() <= bytes_of(tmp_path / "one").items()


@pytest.mark.parametrize("change", [{"seed": 6}, {"plays": 201}, {"plant": 2}, {"end": dt.date(2023, 12, 31)}])
def test_other_arguments_give_other_bytes(generated: Generate, tmp_path: Path, change: dict[str, Any]) -> None:
    usual, other = generated(tmp_path / "usual"), generated(tmp_path / "other", **change)
    assert usual["files"][0]["sha256"] != other["files"][0]["sha256"]


def test_the_script_writes_the_same_bytes_whatever_the_hash_seed(catalogue: Path, generated: Generate, tmp_path: Path) -> None:
    generated(tmp_path / "here", plant=4)
    for seed in ("1", "2"):
        options = ["--listeners", "40", "--plays", "200", "--seed", "5", "--catalogue", str(catalogue), "--plant"]
        options += ["--end", "2024-01-01", "--out", str(tmp_path / seed), "--workers", seed]
        done = script(*options, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        assert "plays/s" in done.stdout
        assert "MB" in done.stdout
        assert bytes_of(tmp_path / seed) == bytes_of(tmp_path / "here")


def test_what_an_earlier_call_left_is_replaced_only_by_force(generated: Generate, tmp_path: Path) -> None:
    out = tmp_path / "out"
    generated(out, plant=2)
    before = bytes_of(out)
    with pytest.raises(FolderError, match="--force replaces them"):
        generated(out)
    assert bytes_of(out) == before
    generated(out, force=True)
    assert sorted(bytes_of(out)) == ["_listeners.csv", "_manifest.json", "listeners-00000.arrows"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_with_other_files_is_left_alone(generated: Generate, tmp_path: Path, force: bool) -> None:
    out = tmp_path / "landing"
    generated(out)
    (out / "my_spotify_data.zip").write_text("mine")
    before = bytes_of(out)
    with pytest.raises(FolderError, match=r"holds other files \(my_spotify_data.zip\)"):
        generated(out, force=force)
    assert bytes_of(out) == before


def test_a_generation_that_breaks_off_leaves_nothing_and_the_old_folder_intact(generated: Generate, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generated(tmp_path / "new", progress=stop)
    assert list(tmp_path.iterdir()) == []
    generated(tmp_path / "old")
    before = bytes_of(tmp_path / "old")
    with pytest.raises(KeyboardInterrupt):
        generated(tmp_path / "old", progress=stop, force=True, seed=9)
    assert bytes_of(tmp_path / "old") == before
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_what_a_killed_call_left_is_in_nobody_s_way(generated: Generate, tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "listeners-00000.arrows").write_text("half")
    generated(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"listeners": 0}, "listeners must be 1 to"),
        ({"plays": 14}, "plays must be 15 to"),
        ({"plays": 100_000}, "do not fit into 365 days: at most"),
        ({"seed": -1}, "seed must be"),
        ({"end": dt.date(2023, 1, 5)}, "at least 28 days, not 4"),
        ({"start": dt.date(2025, 1, 1)}, "at least 28 days"),
        ({"end": dt.date(2999, 1, 1)}, "2999-01-01 is in the future"),
        ({"start": dt.date(1999, 1, 1)}, "before 2006"),
        ({"plant": 1}, "1 taste groups: need at least 2"),
        ({"plant": 13}, "at most the catalogue's 12 genres"),
        ({"plant": 3, "listeners": 2}, "at least as many listeners as groups"),
        ({"workers": 0}, "workers must be 1 to"),
    ],
)
def test_arguments_that_cannot_be_are_refused(generated: Generate, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        generated(tmp_path / "out", **change)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "is not the Kaggle catalogue: no column album_name"),
        (lines(CATALOGUE_HEADER), "holds no track"),
        (lines(CATALOGUE_HEADER, CATALOGUE_ROW.replace("230666", "0")), "holds no track"),
        (lines(CATALOGUE_HEADER, CATALOGUE_ROW.replace("230666", "long")), "long"),
        (lines(CATALOGUE_HEADER, CATALOGUE_ROW, "1,2"), "Expected 21 columns, got 2"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(generated: Generate, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "dataset.csv"
    path.write_bytes(content)
    with pytest.raises(CatalogueError, match=message):
        generated(tmp_path / "out", catalogue=path)
    assert [found.name for found in tmp_path.iterdir()] == ["dataset.csv"]


def test_one_track_is_catalogue_enough(generated: Generate, tmp_path: Path) -> None:
    path = tmp_path / "dataset.csv"
    path.write_bytes(lines(CATALOGUE_HEADER, CATALOGUE_ROW))
    assert generated(tmp_path / "out", catalogue=path, listeners=1, plays=15)["plays"] >= 1


def test_the_script_says_in_a_line_what_is_wrong(catalogue: Path, tmp_path: Path) -> None:
    usual = ["--listeners", "3", "--out", str(tmp_path / "out")]
    for options, code, message in (
        ([*usual, "--catalogue", str(tmp_path / "none.csv")], 2, "none.csv"),
        ([*usual, "--catalogue", str(catalogue), "--end", "2999-01-01"], 2, "is in the future"),
        ([*usual, "--catalogue", str(catalogue), "--end", "soon"], 2, "--end"),
    ):
        done = script(*options)
        assert done.returncode == code
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_call_that_is_interrupted_says_so_and_leaves_nothing(catalogue: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(PROJECT_ROOT / "scripts" / "generate_listeners.py"), "--catalogue", str(catalogue)]
    command += ["--listeners", "100000", "--plays", "500", "--workers", "2", "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    assert "plays/s" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped; nothing was left behind" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_says_how_to_do_it_again(generated: Generate, catalogue: Path, tmp_path: Path) -> None:
    told = generated(tmp_path / "out", plant=2)
    assert told == json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert told["arguments"] == {
        "listeners": 40, "plays": 200, "seed": 5, "start": "2023-01-01", "end": "2024-01-01", "plant": 2,
    }  # fmt: skip
    assert told["catalogue_sha256"] == hashlib.sha256(catalogue.read_bytes()).hexdigest()
