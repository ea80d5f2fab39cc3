"""Backups of a lakehouse that changes, restored elsewhere: the same tables, and a run there that finds nothing new."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lakehouse.settings import PROJECT_ROOT
from lakehouse.storage.lock import locked
from tests.end_to_end.pipeline import Answer, Pipeline, days
from upkeep.backup_store import Store
from upkeep.tombstones import bury

ONLY = ("--only", "gold.top_artists", "--only", "ops")
# A restore that is killed once it has written so many files.
KILLED = """
import os, signal, sys
import upkeep.restore as restore
from lakehouse.cli.main import main
from run_pipeline import PRODUCT
write, left = restore._write, iter(range(30))
def counted(*arguments):
    write(*arguments)
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
restore._write = counted
main(PRODUCT, sys.argv[1:])
"""


class Home(Pipeline):
    """A lakehouse with a state folder and a folder of backups."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.state, self.backups = folder / "state", folder / "backups"

    def back_up(self, *options: str) -> Answer:
        return self.call("backup", str(self.backups), "--landing", str(self.landing), *options)

    def backed_up(self, *options: str) -> str:
        answer = self.back_up("--json", *options)
        assert answer.code == 0, answer.text
        return str(answer.document["backup_id"])

    def restore(self, backups: Path, *options: str) -> Answer:
        return self.call("restore", str(backups), "--landing", str(self.landing), *options)

    def everything(self) -> dict[str, Any]:
        """All rows of all tables, lineage too, and all landing files."""
        paths = sorted(self.root.glob("[bsgo]*/*"))
        tables = {f"{path.parent.name}.{path.name}": self.rows(f"{path.parent.name}.{path.name}") for path in paths}
        return tables | {
            str(path.relative_to(self.landing)): path.read_bytes() for path in self.landing.rglob("*") if path.is_file()
        }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backup") / "built"
    home = Home(folder)
    home.write("listeners/anna/a.json", days(3))
    home.write("listeners/bob/b.json", days(4, month=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEHOUSE_STATE_DIR", str(home.state))
        home.build(*ONLY)
    return folder


@pytest.fixture
def home(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    shutil.copytree(built, tmp_path / "home")
    (tmp_path / "home" / "lakehouse" / "_built_from.json").unlink()
    home = Home(tmp_path / "home")
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(home.state))
    return home


@pytest.fixture
def elsewhere(tmp_path: Path) -> Home:
    return Home(tmp_path / "elsewhere")


def test_changes_are_restored_elsewhere_as_they_were(home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first, as_first = home.backed_up(), home.everything()
    for month in (3, 4):
        home.write(f"listeners/anna/{month}.json", days(3, month=month))
        home.build(*ONLY)
        home.backed_up()
    assert home.back_up("--json").document["new_files"] == 0
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(elsewhere.state))
    answer = elsewhere.restore(home.backups)
    assert answer.code == 0, answer.text
    assert elsewhere.everything() == home.everything()
    report = elsewhere.build(*ONLY).document
    assert (report["new_files"], report["outcomes"], report["engine_started"]) == ([], [], False)
    earlier = Home(elsewhere.home / "earlier")
    assert earlier.restore(home.backups, "--at", first).code == 0
    assert earlier.everything() == as_first
    assert home.back_up("--keep", "1").code == 0
    assert len(Store(home.backups).ids()) == 1
    assert home.back_up("--verify").code == 0


def test_only_empty_folders_are_written_to(home: Home, elsewhere: Home) -> None:
    home.backed_up()
    elsewhere.write("own.json", days(1))
    answer = elsewhere.restore(home.backups)
    assert (answer.code, list(elsewhere.root.glob("*/*"))) == (2, [])
    assert "landing is not empty (own.json)" in answer.err
    (elsewhere.landing / "own.json").unlink()
    assert elsewhere.restore(home.backups, "--dry-run").code == 0
    assert not any(elsewhere.landing.iterdir())
    assert elsewhere.restore(home.backups).code == 0


def test_a_damaged_backup_is_refused_and_named(home: Home, elsewhere: Home) -> None:
    home.backed_up()
    store = Store(home.backups)
    file = next(file for file in store.manifest(store.ids()[-1]).files if file.path == "listeners/anna/a.json")
    content = store.object(file.digest).read_bytes()
    store.object(file.digest).write_bytes(content[:-1] + b"!")
    for answer in (elsewhere.restore(home.backups), home.back_up("--verify")):
        assert answer.code == 1
        assert f"{store.object(file.digest)} is damaged: it is landing/listeners/anna/a.json" in answer.err
    assert not any(path for path in elsewhere.root.rglob("*") if path.is_file())
    store.object(file.digest).write_bytes(content)
    assert elsewhere.restore(home.backups).code == 0


def test_secrets_come_only_with_the_passphrase(home: Home, elsewhere: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    token, passphrase = home.state / "tokens" / "spotify_api" / "x.json", home.home / "passphrase"
    token.parent.mkdir(parents=True)
    token.write_text("a secret token")
    passphrase.write_text("correct horse\n")
    passphrase.chmod(0o600)
    home.backed_up()
    assert home.back_up("--with-secrets").code == 2
    home.backed_up("--with-secrets", "--passphrase-file", str(passphrase))
    assert not any(b"a secret token" in path.read_bytes() for path in home.backups.rglob("*") if path.is_file())
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(elsewhere.state))
    restored = elsewhere.restore(home.backups, "--passphrase-file", str(passphrase))
    assert restored.code == 0, restored.text
    assert (elsewhere.state / "tokens" / "spotify_api" / "x.json").read_text() == "a secret token"
    passphrase.write_text("another horse\n")
    other = Home(elsewhere.home / "other")
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(other.state))
    answer = other.restore(home.backups, "--passphrase-file", str(passphrase))
    assert (answer.code, any(other.landing.iterdir())) == (1, False)
    assert "cannot be read with that passphrase" in answer.err


def test_who_was_forgotten_since_is_not_restored(home: Home, elsewhere: Home) -> None:
    home.backed_up()
    bury(home.state, "anna")
    answer = elsewhere.restore(home.backups, "--json")
    assert answer.document["forgotten"] == 1
    assert {row["user_id"] for row in elsewhere.rows("silver.plays")} == {"bob"}
    assert [path.name for path in (elsewhere.landing / "listeners").iterdir()] == ["bob"]


def test_nothing_is_copied_while_a_run_holds_the_lock(home: Home) -> None:
    with locked(home.root):
        assert home.back_up().code == 3
        assert home.call("forget", "anna", "--landing", str(home.landing)).code == 3
    assert not home.backups.exists()
    assert home.back_up().code == 0


def test_a_killed_backup_counts_for_nothing_and_the_next_one_is_whole(home: Home) -> None:
    _kill(home, ("backup", str(home.backups), "--landing", str(home.landing)), lambda: any(home.backups.glob("objects/*/*")))
    assert Store(home.backups).ids() == []
    home.backed_up()
    assert home.back_up("--verify").code == 0
    assert not any(home.backups.glob("objects/*.part"))


def test_a_killed_restore_is_no_lakehouse_until_another_one_finishes_it(home: Home, elsewhere: Home) -> None:
    home.backed_up()
    words = elsewhere.arguments("restore", (str(home.backups), "--landing", str(elsewhere.landing)))
    done = subprocess.run([sys.executable, "-c", KILLED, *words], cwd=PROJECT_ROOT, env=dict(os.environ), check=False)
    assert done.returncode == -signal.SIGKILL
    assert any(elsewhere.root.glob("*/*/_delta_log/*.json"))
    answer = elsewhere.run(*ONLY)
    assert (answer.code, "is not restored yet" in answer.err) == (2, True)
    assert elsewhere.restore(home.backups).code == 0
    assert elsewhere.everything() == home.everything()
    assert elsewhere.build(*ONLY).document["outcomes"] == []


def _kill(home: Home, words: tuple[str, ...], is_time: Any) -> None:
    """Kill the command, and say that it was at work."""
    process = home.start(*words, env=dict(os.environ))
    until = time.monotonic() + 120
    while not is_time():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()


def test_a_manifest_cannot_lead_out_of_its_folder(home: Home, elsewhere: Home) -> None:
    backup_id = home.backed_up()
    store = Store(home.backups)
    manifest = store.manifest(backup_id)
    path = home.backups / "manifests" / f"{backup_id}.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"sha256": "0" * 64}))
    assert elsewhere.restore(home.backups).code == 1
    from dataclasses import replace

    store.write_manifest(replace(manifest, files=(replace(manifest.files[0], path="../../out"), *manifest.files[1:])))
    answer = elsewhere.restore(home.backups)
    assert (answer.code, "leads out of its folder" in answer.err) == (1, True)
    assert not list(elsewhere.root.parent.parent.glob("out"))
