"""Each check with the thing really broken, and the whole set-up while nothing is."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shutil
import ssl
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bi import secrets
from bi.settings import BISettings
from lakehouse.cli.main import main
from lakehouse.engine import java
from lakehouse.storage.lakehouse import Lakehouse
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.ledger import HELD_KEYS, Ledger
from music.settings import ListeningSettings
from polling.places import AccountPlace
from polling.state import AccountState, save_state
from polling.tokens import Token, TokenStore
from run_pipeline import PRODUCT
from upkeep.checks import programs
from upkeep.checks.finding import Finding, SetUp
from upkeep.checks.names import settings as check_settings
from upkeep.doctor_command import CHECKS, looked_at

NOW = dt.datetime.now(dt.timezone.utc)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
RUN = {"run_id": "20260101T000000.000000Z-1", "started_at": NOW, "status": "succeeded", "engine": "embedded", "exit_code": 0}
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that others could reach, as pytest's own could not be, and no settings of this machine."""
    for name in [one for one in os.environ if one.startswith(("LAKEHOUSE_", "TRINO_", "LASTFM", "LISTENBRAINZ", "JAVA_HOME"))]:
        monkeypatch.delenv(name)
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LAKEHOUSE_BI_DIR", str(folder / "bi"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def set_up(home: Path) -> SetUp:
    """A lakehouse of one run, an account that was polled, and a landing folder; nothing is wrong."""
    before = os.umask(0o077)
    try:
        for name in ("landing/_api", "state"):
            (home / name).mkdir(parents=True)
        ledger = Ledger(home / "lakehouse")
        ledger.replace_run(RUN, NOW)
        ledger.open_held([], RUN["run_id"], NOW)
        ledger.write_files([landed("a.json")], RUN["run_id"], NOW)
        Lakehouse(home / "lakehouse").mark_format()
        (home / "lakehouse" / "_lock").touch()
        save_state(
            AccountPlace(home / "landing" / "_api", "lastfm_api", "x"), AccountState("lastfm_api", "x", "anna", polled_at=NOW)
        )
        TokenStore(home / "state", "spotify_api").write(token())
    finally:
        os.umask(before)
    places = {"landing": home / "landing", "dir": home / "lakehouse", "state_dir": home / "state"}
    settings = ListeningSettings(_env_file=None, engine="embedded", **places)
    return SetUp(settings, NOW + HOUR / 60)


def token(consented_at: dt.datetime = NOW) -> Token:
    return Token("spotify_api", "A1", "anna", "V", "app", "s", "secret-refresh", "secret-access", NOW + DAY, consented_at)


def landed(path: str) -> LandedFile:
    """A file that was read."""
    place = {"file_hash": path, "path": path, "container": path, "member": None, "container_bytes": 1, "container_modified_ns": 1}
    read = {"source": "s", "target": "t", "status": "ingested", "reason": None, "rows": 1, "parser": "p", "is_present": True}
    return LandedFile(**place, **read, listener="me", first_run_id="r", run_id="r")  # type: ignore[arg-type]


def one(name: str, set_up: SetUp) -> Finding:
    """The single finding of a check."""
    (finding,) = looked_at(name, set_up)
    assert finding.check == name
    assert finding.remedy
    return finding


def test_nothing_is_found_where_nothing_is_wrong(set_up: SetUp) -> None:
    assert {name: looked_at(name, set_up) for name in CHECKS} == {name: [] for name in CHECKS}


def test_packages_that_are_not_those_of_the_lock(set_up: SetUp, tmp_path: Path) -> None:
    lock = tmp_path / "requirements-run.lock"
    lock.write_text("pyarrow==0.0.1 \\\n    --hash=sha256:0\nno-such-package==1.0\ncolorama==9 ; sys_platform == 'nowhere' \\\n")
    (finding,) = programs.python(set_up, tmp_path)
    assert "pyarrow (" in finding.what
    assert "instead of 0.0.1" in finding.what
    assert "no-such-package (missing)" in finding.what
    assert "colorama" not in finding.what
    assert finding.remedy == "make setup"


def test_a_python_that_the_project_is_not_made_for(set_up: SetUp) -> None:
    assert [one.where for one in programs.python(set_up, running=(3, 9))] == [sys.executable]
    assert list(programs.python(set_up, running=(3, 13))) == []


def java_of(folder: Path, version: str) -> Path:
    launcher = folder / version / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}.0.1\"' >&2\n")
    launcher.chmod(0o755)
    return folder / version


def test_java_that_is_old_missing_or_without_jars(set_up: SetUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    monkeypatch.setattr(java, "JARS", jars)
    wanted = replace(set_up, settings=set_up.settings.model_copy(update={"engine": "auto"}))

    def found(home: Path) -> list[str]:
        monkeypatch.setenv("JAVA_HOME", str(home))
        return [f"{one.what}: {one.remedy}" for one in looked_at("java", replace(wanted, environment=dict(os.environ)))]

    monkeypatch.setenv("PATH", str(tmp_path))
    assert ["has no bin/java" in line for line in found(tmp_path / "nowhere")] == [True, False]
    assert "Java is not installed" in found(tmp_path / "nowhere")[1]
    # Its script needs a shell.
    monkeypatch.setenv("PATH", os.defpath)
    new, (old,) = java_of(tmp_path, "21"), found(java_of(tmp_path, "11"))
    assert "is not Java 17 or later" in old
    (without_jars,) = found(new)
    assert "Delta jars are missing: run `make setup`" in without_jars
    for number in range(2):
        (jars / f"delta-{number}.jar").touch()
    assert found(new) == []


def test_a_disk_that_is_nearly_full(set_up: SetUp) -> None:
    large = set_up.lakehouse / "silver" / "x.parquet"
    large.parent.mkdir(mode=0o700)
    with large.open("wb") as file:
        # A sparse file takes no room, and is as large as a lakehouse that the disk could not hold twice.
        file.truncate(3 * shutil.disk_usage(large).free)
    assert "are free on the disk of the lakehouse" in one("disk", set_up).what


@as_root
def test_files_of_another_user_and_folders_that_are_closed(set_up: SetUp, home: Path) -> None:
    stranger = set_up.lakehouse / "ops" / "pipeline_runs"
    os.chown(stranger, NOBODY, NOBODY)
    finding = one("permissions", set_up)
    assert (finding.where, finding.remedy) == (str(stranger), f"sudo chown -R 0:{os.getegid()} {set_up.lakehouse}")
    os.seteuid(NOBODY)
    try:
        found = looked_at("permissions", set_up)
        files = looked_at("lakehouse", set_up)
    finally:
        os.seteuid(0)
    assert {finding.where for finding in found} >= {str(set_up.lakehouse), str(set_up.settings.state_dir)}
    assert any("landing" in finding.what for finding in found)
    # What cannot be looked at is said, not passed over.
    assert len(files) == 1


def test_what_an_older_version_left_open(set_up: SetUp) -> None:
    set_up.lakehouse.chmod(0o755)
    opened = set_up.lakehouse / "_lakehouse.json"
    opened.chmod(0o644)
    finding = one("privacy", set_up)
    assert finding.remedy == f"chmod -R go= {set_up.lakehouse}"
    # Behind a closed door nobody reads it.
    set_up.lakehouse.chmod(0o700)
    assert looked_at("privacy", set_up) == []


def test_settings_in_a_file_that_others_read(set_up: SetUp, home: Path) -> None:
    (home / ".env").write_text("CLIENT_ID=x\n")
    (home / ".env").chmod(0o644)
    assert one("privacy", set_up).remedy == f"chmod 600 {home / '.env'}"
    (home / ".env").chmod(0o600)
    assert looked_at("privacy", set_up) == []


def test_files_that_were_not_written_to_the_end(set_up: SetUp, home: Path) -> None:
    parts = [
        home / "landing" / "_api" / "lastfm_api" / "_x.part",
        home / "state" / ".people.json.part",
        home / "landing" / ".dataset.csv.partial",
    ]
    staged, commit = (
        set_up.lakehouse / "_staging" / "r",
        set_up.lakehouse / "ops" / "held_keys" / "_delta_log" / "_commit_1.json.tmp",
    )
    for part in (*parts, commit):
        part.write_bytes(b"half")
    staged.mkdir(parents=True)
    assert {one.where for one in looked_at("half-written", replace(set_up, now=NOW + 2 * HOUR))} == {
        *map(str, parts),
        str(staged.parent),
        str(commit),
    }
    # A poll may be writing these, and a run that holds the lock has staged that.
    with (set_up.lakehouse / "_lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert looked_at("half-written", set_up) == []


def test_a_run_that_was_killed(set_up: SetUp) -> None:
    Ledger(set_up.lakehouse).replace_run({**RUN, "status": "running", "exit_code": None}, NOW)
    assert f"run {RUN['run_id']} was killed" in one("locks", set_up).what
    with (set_up.lakehouse / "_lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert looked_at("locks", set_up) == []


def test_a_server_of_the_stack_that_died(set_up: SetUp, home: Path) -> None:
    (home / "bi" / "run").mkdir(parents=True)
    (home / "bi" / "run" / "trino.pid").write_text("999999999 1.0")
    assert one("locks", set_up).remedy == "make bi"


def test_names_that_no_setting_has(set_up: SetUp, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".env").write_text("LAKEHOUSE_TIMEZNE=UTC\nLASTFM_USER={}\nOTHER_PROGRAM=1\nLAKEHOUSE_USER=me\nlakehouse_workers=2\n")
    found = {
        finding.what: finding.remedy
        for finding in looked_at("settings", replace(set_up, environment={"LAKEHOUSE_QQQQQQQQ": "1"}))
    }
    assert found == {
        "there is no setting LAKEHOUSE_TIMEZNE": "rename it to LAKEHOUSE_TIMEZONE",
        "there is no setting LASTFM_USER": "rename it to LASTFM_USERS",
        "there is no setting LAKEHOUSE_QQQQQQQQ": "remove it; .env.example lists all settings",
    }


def test_values_that_cannot_be_used(set_up: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_VERSION_DAYS", "0")
    monkeypatch.setenv("LAKEHOUSE_BI_TRINO_PORT", "80")
    found = [finding.what for finding in check_settings(replace(set_up, environment={}))]
    assert [name in line for name, line in zip(("trino_port", "version_days"), found, strict=True)] == [True, True]
    # Other checks pass over the stack, whose settings are unusable.
    assert looked_at("bi", set_up) == []


def test_tokens_that_end_or_cannot_be_read(set_up: SetUp) -> None:
    store = TokenStore(set_up.settings.state_dir, "spotify_api")
    store.write(token(NOW - 170 * DAY))
    assert one("tokens", set_up).remedy.startswith("lakehouse connect spotify")
    store.path("A1").write_text("{")
    finding = one("tokens", set_up)
    assert (finding.where, "secret" in str(finding)) == (str(store.path("A1")), False)
    store.write(token())
    (set_up.settings.state_dir / "people.json").write_text("[{")
    assert one("tokens", set_up).where.endswith("people.json")


def test_accounts_that_need_a_person(set_up: SetUp) -> None:
    inbox = set_up.settings.inbox_folder
    save_state(
        AccountPlace(inbox, "lastfm_api", "x"),
        AccountState("lastfm_api", "x", "anna", polled_at=NOW).refused(NOW, "private", "open it"),
    )
    assert one("polls", set_up).remedy == "open it"
    AccountPlace(inbox, "lastfm_api", "x").state.write_text("{")
    assert "unreadable" in one("polls", set_up).what


class Trino(BaseHTTPRequestHandler):
    """Answers a statement as Trino does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        columns = [{"name": "x", "type": "integer", "typeSignature": {"rawType": "integer", "arguments": []}}]
        stats = {"state": "FINISHED", "queued": False, "scheduled": True, "nodes": 1, "totalSplits": 1, "queuedSplits": 0}
        answer = json.dumps(
            {"id": "1", "infoUri": "http://localhost/", "columns": columns, "data": [[1]], "stats": stats}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def stack(set_up: SetUp, monkeypatch: pytest.MonkeyPatch) -> Iterator[BISettings]:
    """A stack for the lakehouse, as `make bi` prepares it, with something that answers like Trino."""
    server = HTTPServer(("127.0.0.1", 0), Trino)
    monkeypatch.setenv("LAKEHOUSE_BI_TRINO_PORT", str(server.server_port))
    settings = BISettings()
    secrets.prepare(settings, set_up.lakehouse)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.key_and_certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield settings
    server.shutdown()
    server.server_close()


def test_a_stack_that_is_as_it_should_be(stack: BISettings, set_up: SetUp) -> None:
    assert looked_at("bi", replace(set_up, environment=dict(os.environ))) == []


def test_a_stack_whose_trino_secrets_or_certificate_are_wrong(
    stack: BISettings, set_up: SetUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = replace(set_up, environment=dict(os.environ))
    assert "ends on" in one("bi", replace(here, now=NOW + 800 * DAY)).what
    stack.secrets.chmod(0o644)
    assert one("bi", here).remedy == f"chmod 600 {stack.secrets}"
    stack.secrets.chmod(0o600)
    secrets.write_env(stack.secrets, {"TRINO_SHARED_SECRET": "x"})
    assert "is missing" in one("bi", here).what
    secrets.prepare(stack, set_up.lakehouse)
    stack.certificate.write_text("no certificate")
    assert {finding.where for finding in looked_at("bi", here)} >= {str(stack.certificate)}


def test_a_trino_that_does_not_answer(set_up: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_BI_TRINO_PORT", "1025")
    secrets.prepare(BISettings(), set_up.lakehouse)
    assert "does not answer" in one("bi", replace(set_up, environment=dict(os.environ))).what


def test_a_clock_that_was_set_back(set_up: SetUp) -> None:
    written = set_up.lakehouse / "_lakehouse.json"
    os.utime(written, (NOW.timestamp() + 7200,) * 2)
    finding = one("clock", set_up)
    assert finding.where == str(written)
    assert "ahead of this machine's clock" in finding.what


def test_landing_files_that_nobody_reads(set_up: SetUp) -> None:
    unknown = replace(landed("notes.txt"), status="unknown", reason="no source knows it")
    Ledger(set_up.lakehouse).write_files(
        [landed("a.json"), unknown, replace(unknown, path="gone.txt", is_present=False)], "r", NOW
    )
    assert one("landing", set_up).where == str(set_up.settings.landing / "notes.txt")
    (set_up.settings.landing / "_mine.json").touch()
    assert len(looked_at("landing", set_up)) == 2


def test_a_landing_folder_that_is_not_there(set_up: SetUp) -> None:
    shutil.rmtree(set_up.settings.landing)
    assert one("landing", set_up).remedy.startswith("mkdir -p")


def test_a_lakehouse_of_a_newer_version(set_up: SetUp) -> None:
    (set_up.lakehouse / "_lakehouse.json").write_text('{"format": 99}')
    assert "newer version" in one("lakehouse", set_up).what


def test_a_folder_that_holds_something_else(set_up: SetUp) -> None:
    shutil.rmtree(set_up.lakehouse)
    (set_up.lakehouse / "photos").mkdir(parents=True)
    assert "no lakehouse" in one("lakehouse", set_up).what


def test_a_table_whose_files_or_log_are_damaged(set_up: SetUp) -> None:
    table = set_up.lakehouse / "ops" / "pipeline_runs"
    next(table.glob("*.parquet")).unlink()
    finding = one("lakehouse", set_up)
    assert "1 of its 1 files are missing" in finding.what
    assert finding.remedy == "restore it from a backup"
    silver = set_up.lakehouse / "silver" / "plays"
    shutil.copytree(table, silver)
    assert any(one.remedy.startswith(f"mv {silver} ") for one in looked_at("lakehouse", set_up))
    shutil.rmtree(silver)
    held = Ledger(set_up.lakehouse).path(HELD_KEYS)
    (held / "_delta_log" / f"{0:020}.json").write_text("{")
    assert len(looked_at("lakehouse", set_up)) == 2


def test_the_command_says_so_by_its_exit_code_and_changes_nothing(
    set_up: SetUp, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_STATE_DIR", str(home / "state"))
    monkeypatch.setenv("LAKEHOUSE_ENGINE", "embedded")
    words = ["doctor", "--lakehouse", str(set_up.lakehouse), "--landing", str(set_up.settings.landing), "--json"]
    before = {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in home.rglob("*")}
    assert main(PRODUCT, words) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    assert {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in home.rglob("*")} == before
    (set_up.settings.landing / "_mine.json").touch()
    assert main(PRODUCT, words[:-1]) == 1
    assert "mend:" in capsys.readouterr().out
    monkeypatch.setenv("LAKEHOUSE_WORKERS", "none")
    assert main(PRODUCT, words) == 1
    document = json.loads(capsys.readouterr().out)
    assert [one["check"] for one in document["findings"]] == ["settings"]
