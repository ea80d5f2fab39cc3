"""Rules of access, log-in names and hashed passwords."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi import listeners, passwords, secrets
from bi.process import StackError
from bi.settings import BISettings
from bi.trino import access
from lakehouse.plan import graph

TABLES = graph.load()
WORST = ["x' OR '1'='1", 'say "no"', "a\\b", "שלום", "🎵", "x|etl", ".*", "etl", "me;--", "u' OR user_id LIKE '%", "", "''"]


def first_match(rules: list[dict[str, Any]], **asked: str) -> dict[str, Any]:
    """The rule that counts: Trino takes the first whose patterns match whole."""
    return next(r for r in rules if all(re.fullmatch(r.get(key, ".*"), value) for key, value in asked.items()))


def rules_with(*user_ids: str) -> dict[str, list[dict[str, Any]]]:
    return access.rules(TABLES, {listeners.login_name(u): u for u in user_ids})


@pytest.mark.parametrize("user", ["bi", "analyst", "nobody", "listener_x", "ETL", "etl2"])
def test_only_etl_has_the_catalog_that_registers(user: str) -> None:
    rule = first_match(rules_with("me")["catalogs"], user=user, catalog="lakehouse_etl")
    assert rule["allow"] == "none"


@pytest.mark.parametrize("kind", ["tables", "procedures", "functions"])
def test_whoever_no_rule_names_has_no_privilege(kind: str) -> None:
    asked = {"user": "nobody", "catalog": "lakehouse", "schema": "gold", "table": "plays", "procedure": "x", "function": "x"}
    assert first_match(rules_with("me")[kind], **asked)["privileges"] == []
    assert first_match(rules_with("me")["queries"], user="nobody")["allow"] == []


@pytest.mark.parametrize("table", ["daily_listening$history", "daily_listening$partitions"])
def test_metadata_of_tables_is_closed(table: str) -> None:
    for user in ("bi", "analyst", "listener_me"):
        rule = first_match(rules_with("me")["tables"], user=user, catalog="lakehouse", schema="gold", table=table)
        assert rule["privileges"] == []


def test_every_table_that_names_listeners_is_filtered_and_no_other_open() -> None:
    rules = rules_with("me")["tables"]
    assert {"gold.daily_listening", "gold.similar_tracks", "bronze.listening_history"} <= set(TABLES)
    for declared in TABLES.values():
        rule = first_match(rules, user="listener_me", catalog="lakehouse", schema=declared.layer, table=declared.short_name)
        names_listeners = any(c.name == "user_id" for c in declared.columns) and declared.layer in ("silver", "gold", "ops")
        assert rule["privileges"] == (["SELECT"] if names_listeners and not declared.is_model else []), declared.name
        assert ("filter" in rule) == bool(rule["privileges"])


@pytest.mark.parametrize("user_id", WORST)
def test_a_filter_is_one_literal_whatever_the_listener_is_called(user_id: str) -> None:
    rules = json.loads(access.rules_json(TABLES, {listeners.login_name(user_id): user_id}))["tables"]
    filters = {rule["filter"] for rule in rules if "filter" in rule}
    assert filters == {f"user_id = {access.sql_literal(user_id)}"}
    literal = access.sql_literal(user_id)
    assert re.fullmatch(r"'(?:[^']|'')*'", literal)
    assert literal[1:-1].replace("''", "'") == user_id


@given(st.text(max_size=60), st.text(max_size=60))
def test_log_in_names_are_safe_and_of_one_listener_each(one: str, other: str) -> None:
    name = listeners.login_name(one)
    assert re.fullmatch(r"listener_[a-z0-9_]{1,46}", name)
    assert one == other or name != listeners.login_name(other)


def test_plain_names_stay_readable() -> None:
    assert listeners.login_name("me") == "listener_me"
    assert listeners.login_name("lastfm1k:user_000001").startswith("listener_lastfm1k_user_000001__")
    assert listeners.login_name("a__b").startswith("listener_a_b__")


def test_passwords_keep_their_hash_until_they_change() -> None:
    first = access.password_database({"bi": "one", "etl": "two"}, "")
    assert access.password_database({"bi": "one", "etl": "two"}, first) == first
    changed = access.password_database({"bi": "three", "etl": "two"}, first)
    assert changed.splitlines()[1] == first.splitlines()[1]
    assert bcrypt.checkpw(b"three", changed.splitlines()[0].split(":", 1)[1].encode())
    assert "one" not in first
    assert access.password_database({"bi": "one"}, first) == first.splitlines()[0] + "\n"


def test_listeners_come_and_go(tmp_path: Path) -> None:
    settings = BISettings(dir=tmp_path / "bi")
    secrets.prepare(settings, tmp_path)
    for user_id in WORST:
        login = listeners.add(settings, user_id)
        assert listeners.add(settings, user_id) == login
    assert sorted(listeners.known(settings).values()) == sorted(WORST)
    files = list((settings.dir / "listeners").iterdir())
    # Beside passwords the list, and what Superset takes over.
    assert len(files) == len(WORST) + 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    for user_id in WORST:
        assert not listeners.credentials(settings, listeners.remove(settings, user_id)).exists()
    assert listeners.known(settings) == {}
    with pytest.raises(StackError, match="has no log-in"):
        listeners.remove(settings, "me")


def test_a_damaged_list_of_log_ins_is_named(tmp_path: Path) -> None:
    settings = BISettings(dir=tmp_path / "bi")
    secrets.write_private(settings.dir / "listeners" / "list.json", b"{")
    with pytest.raises(StackError, match=r"list\.json is not a list of log-ins"):
        listeners.known(settings)


def test_superset_asks_as_listeners_with_a_log_in_and_as_nobody_else() -> None:
    rules = rules_with("me", "x|etl")["impersonation"]
    for user_id in ("me", "x|etl"):
        login = listeners.login_name(user_id)
        assert first_match(rules, original_user="bi", new_user=login)["allow"] is True
        assert first_match(rules, original_user="analyst", new_user=login)["allow"] is False
    for new_user in ("etl", "bi", "analyst", "listener_nobody", "listener_me2", ""):
        assert first_match(rules, original_user="bi", new_user=new_user)["allow"] is False
    assert first_match(rules_with()["impersonation"], original_user="bi", new_user="listener_me")["allow"] is False


def test_the_log_in_of_an_admin_sees_the_rows_of_everybody_and_no_more_than_bi() -> None:
    logins = {"listener_me": "me", "listener_anna": "anna"}
    rules = access.rules(TABLES, logins, {"listener_me"})
    for table in ("daily_listening", "similar_tracks"):
        asked = {"catalog": "lakehouse", "schema": "gold", "table": table}
        of_admin = first_match(rules["tables"], user="listener_me", **asked)
        assert of_admin == first_match(rules["tables"], user="bi", **asked)
        assert "filter" not in of_admin
    filtered = first_match(rules["tables"], user="listener_anna", catalog="lakehouse", schema="gold", table="daily_listening")
    assert filtered["filter"] == "user_id = 'anna'"
    for catalog in ("lakehouse_etl", "notes"):
        assert first_match(rules["catalogs"], user="listener_me", catalog=catalog)["allow"] == "none"


def test_superset_gets_a_hash_that_only_the_password_fits(tmp_path: Path) -> None:
    settings = BISettings(dir=tmp_path / "bi")
    login = listeners.add(settings, "anna")
    path, secret = listeners.superset_file(settings), listeners.password(settings, login)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in path.read_text()
    before = listeners.superset_users(settings)[login]["password_hash"]
    assert passwords.is_right(secret, before)
    assert not passwords.is_right(secret[:-1], before)
    assert not passwords.is_right("", None)
    # Added again, nothing changes that Superset would have to take over.
    assert listeners.add(settings, "anna") == login
    assert listeners.superset_users(settings)[login]["password_hash"] == before
    assert listeners.admins(settings) == set()
    listeners.add(settings, "anna", is_admin=True)
    assert listeners.admins(settings) == {login}
    listeners.remove(settings, "anna")
    assert listeners.superset_users(settings) == {}
    assert listeners.admins(settings) == set()
