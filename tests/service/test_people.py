"""People, their links and their sessions in the state folder; and the commands that make them."""

from __future__ import annotations

import datetime as dt
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bi import listeners, passwords
from bi.settings import BISettings
from lakehouse.cli.main import main
from run_pipeline import PRODUCT
from service.attempts import Attempts
from service.links import Links
from service.people import People, PersonError
from service.private_file import PrivateFileError
from service.sessions import Sessions
from service.settings import ServiceSettings
from upkeep.tombstones import bury, lift

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a state folder and a stack that was never started."""
    monkeypatch.chdir(tmp_path)
    for name in ("STATE_DIR", "BI_DIR", "DIR", "LANDING"):
        monkeypatch.setenv(f"LAKEHOUSE_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("LAKEHOUSE_USER", "olga")
    return tmp_path


def say(*words: str) -> int:
    return main(PRODUCT, words)


def test_the_first_link_makes_the_owner_who_is_the_admin(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert say("link") == 0
    people = People(home / "state_dir")
    assert [(person.user_id, person.is_admin) for person in people.all()] == [("olga", True)]
    out = capsys.readouterr().out
    assert out.startswith("http://127.0.0.1:8090/enter?key=")
    person = Links(home / "state_dir").whose(out.strip().partition("key=")[2], dt.datetime.now(dt.timezone.utc))
    assert person is not None
    assert person.user_id == "olga"
    assert say("link", "--user", "anna") == 2
    assert "listener add NAME" in capsys.readouterr().err
    people.add("anna")
    assert say("link", "--user", "anna") == 0


def test_a_link_names_every_address_when_the_service_is_reached_from_elsewhere(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_SERVE_HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("LAKEHOUSE_SERVE_NAMES", '["music.example.org", "192.168.1.10"]')
    assert say("link") == 0
    places = [line.partition("/enter")[0] for line in capsys.readouterr().out.splitlines()]
    assert places == ["http://127.0.0.1:8090", "http://music.example.org:8090", "http://192.168.1.10:8090"]


def test_one_person_for_service_trino_and_superset(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state, bi = home / "state_dir", BISettings(_env_file=None, dir=home / "bi_dir")
    assert say("listener", "add", "anna") == 0
    out = capsys.readouterr().out
    assert out.count("was never started here") == 2
    people, login = People(state), listeners.login_name("anna")
    assert [person.user_id for person in people.all()] == ["olga", "anna"]
    password = listeners.password(bi, login)
    assert password not in out
    known = people.by_login(login)
    assert known is not None
    assert known.person.user_id == "anna"
    assert passwords.is_right(password, known.password_hash)
    assert passwords.is_right(password, listeners.superset_users(bi)[login]["password_hash"])
    for path in (state / "people.json", listeners.credentials(bi, login), listeners.superset_file(bi)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert password not in (state / "people.json").read_text()
    before = (state / "people.json").read_bytes()
    assert say("listener", "add", "anna") == 0
    assert (state / "people.json").read_bytes() == before
    assert say("listener", "add", "olga") == 0
    assert listeners.admins(bi) == {listeners.login_name("olga")}
    secret = Sessions(state).begin(known.person, dt.datetime.now(dt.timezone.utc))
    assert say("listener", "remove", "anna") == 0
    assert people.find("anna") is None
    assert Sessions(state).find(secret, dt.datetime.now(dt.timezone.utc)) is None
    assert "anna" not in (state / "sessions.json").read_text()
    assert login not in listeners.known(bi)
    assert say("listener", "remove", "anna") == 2


@pytest.mark.parametrize("name", ["_anna", "a/b", "../anna", "synthetic:1", "", "a\nb", "x" * 300])
def test_an_impossible_name_makes_nobody(home: Path, name: str) -> None:
    assert say("listener", "add", name) == 2
    assert [person.user_id for person in People(home / "state_dir").all()] == ["olga"]
    assert not (home / "bi_dir").exists()


def test_a_forgotten_name_comes_back_only_once_that_is_lifted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = home / "state_dir"
    bury(state, "anna")
    assert say("listener", "add", "anna") == 2
    assert "lakehouse forget --lift" in capsys.readouterr().err
    assert "anna" not in {person.user_id for person in People(state).all()}
    lift(state, "anna")
    assert say("listener", "add", "anna") == 0
    assert "anna" in {person.user_id for person in People(state).all()}


def test_a_person_has_the_name_of_the_folder_whatever_form_it_is_typed_in(tmp_path: Path) -> None:
    assert People(tmp_path).add("Zoe\u0308").user_id == "Zo\u00eb"


def test_the_only_admin_stays_while_there_are_others(tmp_path: Path) -> None:
    people = People(tmp_path)
    people.add("olga", is_admin=True)
    people.add("anna")
    with pytest.raises(PersonError, match="only admin"):
        people.remove("olga")
    people.remove("anna")
    people.remove("olga")
    assert people.all() == []


def test_what_several_processes_change_at_once_is_all_there(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: People(tmp_path).add(f"p{number}"), range(40)))
    assert len(People(tmp_path).all()) == 40


def test_a_link_is_used_once_even_by_many_at_the_same_time(tmp_path: Path) -> None:
    person = People(tmp_path).add("anna")
    key = Links(tmp_path).issue(person, NOW)
    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(lambda _: Links(tmp_path).use(key, NOW), range(16)))
    assert [one for one in used if one is not None] == [person]


def test_old_links_and_sessions_are_forgotten(tmp_path: Path) -> None:
    person = People(tmp_path).add("anna")
    links, sessions = Links(tmp_path), Sessions(tmp_path)
    links.issue(person, NOW)
    sessions.begin(person, NOW)
    later = NOW + dt.timedelta(days=31)
    links.issue(person, later)
    sessions.begin(person, later)
    assert {name: len(json.loads((tmp_path / name).read_text())) for name in ("links.json", "sessions.json")} == {
        "links.json": 1,
        "sessions.json": 1,
    }


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"anna": 1}', b"\xff"])
def test_a_damaged_file_lets_nobody_in_and_names_itself_and_the_remedy(tmp_path: Path, content: bytes) -> None:
    people = People(tmp_path)
    people.add("anna")
    (tmp_path / "people.json").write_bytes(content)
    with pytest.raises(PrivateFileError, match=r"people\.json cannot be read; restore it"):
        people.find("anna")
    with pytest.raises(PrivateFileError):
        people.add("ben")
    assert (tmp_path / "people.json").read_bytes() == content


@pytest.mark.parametrize(
    "names", ['["http://a.example"]', '["a.example:80"]', '["*"]', '[""]', "a.example", '["a b"]', '["*.a.example"]']
)
def test_names_that_could_not_be_meant_are_refused(names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_SERVE_NAMES", names)
    with pytest.raises(ValueError, match="serve_names"):
        ServiceSettings(_env_file=None)
    monkeypatch.setenv("LAKEHOUSE_SERVE_NAMES", '["A.example", "192.168.1.10", "[fe80::1]"]')
    assert ServiceSettings(_env_file=None).serve_names == ("a.example", "192.168.1.10", "[fe80::1]")


def test_failures_are_counted_by_name_and_forgotten() -> None:
    attempts = Attempts(most=2, seconds=60.0)
    for _ in range(2):
        assert attempts.is_allowed("anna")
        attempts.failed("anna")
    assert not attempts.is_allowed("anna")
    assert attempts.is_allowed("ben")
    soon = Attempts(most=1, seconds=0.0)
    soon.failed("anna")
    assert soon.is_allowed("anna")
