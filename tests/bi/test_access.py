"""What each log-in may do in Trino: the refusals, each tried for real, and what is open."""

from __future__ import annotations

import stat

import pytest
import requests

from bi.secrets import read_env
from bi.trino.client import TrinoError, connect, rows
from lakehouse.plan import graph
from lakehouse.storage import delta
from tests.bi.conftest import Stack

TABLE = "lakehouse.gold.daily_listening"
WRITES = {
    "insert": f"INSERT INTO {TABLE} SELECT * FROM {TABLE}",
    "delete": f"DELETE FROM {TABLE}",
    "update": f"UPDATE {TABLE} SET plays = 0",
    "merge": f"MERGE INTO {TABLE} t USING {TABLE} s ON t.user_id = s.user_id WHEN MATCHED THEN DELETE",
    "truncate": f"TRUNCATE TABLE {TABLE}",
    "drop": f"DROP TABLE {TABLE}",
    "rename": f"ALTER TABLE {TABLE} RENAME TO lakehouse.gold.other",
    "add column": f"ALTER TABLE {TABLE} ADD COLUMN x integer",
    "drop column": f"ALTER TABLE {TABLE} DROP COLUMN plays",
    "set properties": f"ALTER TABLE {TABLE} SET PROPERTIES change_data_feed_enabled = true",
    "owner": f"ALTER TABLE {TABLE} SET AUTHORIZATION bi",
    "optimize": f"ALTER TABLE {TABLE} EXECUTE optimize",
    "create table": "CREATE TABLE lakehouse.gold.mine (a integer)",
    "create table as": f"CREATE TABLE lakehouse.gold.mine AS SELECT * FROM {TABLE}",
    "create view": f"CREATE VIEW lakehouse.gold.mine AS SELECT * FROM {TABLE}",
    "create schema": "CREATE SCHEMA lakehouse.mine",
    "drop schema": "DROP SCHEMA lakehouse.gold CASCADE",
    "create function": "CREATE FUNCTION lakehouse.gold.one() RETURNS integer RETURN 1",
    "comment": f"COMMENT ON TABLE {TABLE} IS 'x'",
    "comment on a column": f"COMMENT ON COLUMN {TABLE}.plays IS 'x'",
    "grant": f"GRANT SELECT ON {TABLE} TO USER bi",
    "deny": f"DENY SELECT ON {TABLE} TO USER etl",
    "role": "CREATE ROLE mine",
    "analyze": f"ANALYZE {TABLE}",
    "register": "CALL lakehouse.system.register_table('gold', 'mine', 'local:///tmp/x')",
    "register by etl's catalog": "CALL lakehouse_etl.system.register_table('gold', 'mine', 'local:///tmp/x')",
    "unregister": "CALL lakehouse.system.unregister_table('gold', 'daily_listening')",
    "unregister by etl's catalog": "CALL lakehouse_etl.system.unregister_table('gold', 'daily_listening')",
    "vacuum": "CALL lakehouse.system.vacuum('gold', 'daily_listening', '7d')",
    "drop statistics": "CALL lakehouse.system.drop_extended_stats('gold', 'daily_listening')",
    "flush": "CALL lakehouse.system.flush_metadata_cache()",
    "kill a query": "CALL system.runtime.kill_query('20240101_000000_00000_aaaaa', 'x')",
    "session property": "SET SESSION query_max_run_time = '1d'",
    "catalog property": "SET SESSION lakehouse.vacuum_min_retention = '0s'",
}
READS = {
    "bronze": "SELECT * FROM lakehouse.bronze.listening_history LIMIT 1",
    "bronze's tables": "SHOW TABLES FROM lakehouse.bronze",
    "bronze's columns": "SHOW COLUMNS FROM lakehouse.bronze.listening_history",
    "etl's catalog": "SELECT * FROM lakehouse_etl.gold.daily_listening LIMIT 1",
    "history": 'SELECT * FROM lakehouse.gold."daily_listening$history"',
    "partitions": 'SELECT * FROM lakehouse.gold."daily_listening$partitions"',
    "changes": "SELECT * FROM TABLE(lakehouse.system.table_changes('gold', 'daily_listening', 0))",
    "mark": "SELECT * FROM lakehouse.registration.mark",
    "queries of others": "SELECT * FROM system.runtime.queries",
    "nodes": "SELECT * FROM system.runtime.nodes",
    "catalog properties": "SELECT * FROM system.metadata.schema_properties",
    "database as it is": "SELECT * FROM TABLE(notes.system.query(query => 'SELECT 1'))",
    "statement as it is": "CALL notes.system.execute('SELECT 1')",
}
ONLY_FOR_ANALYSTS = {
    "notes": "SHOW TABLES FROM notes.notes",
    "table in notes": "CREATE TABLE notes.notes.mine (a integer)",
    "schema in notes": "SHOW SCHEMAS FROM notes",
}
OUTSIDE_NOTES = {
    "schema in notes": "CREATE SCHEMA notes.mine",
    "other schema of notes": "CREATE TABLE notes.public.mine (a integer)",
}


@pytest.mark.parametrize("user", ["bi", "analyst"])
@pytest.mark.parametrize("what", [*WRITES, *READS])
def test_readers_are_refused(stack: Stack, user: str, what: str) -> None:
    before = delta.version(stack.lakehouse / "gold" / "daily_listening")
    said = stack.refusal(user, (WRITES | READS)[what])
    assert "Access Denied" in said, said
    assert delta.version(stack.lakehouse / "gold" / "daily_listening") == before


@pytest.mark.parametrize("what", ONLY_FOR_ANALYSTS)
def test_bi_has_no_notes(stack: Stack, what: str) -> None:
    assert "Access Denied" in stack.refusal("bi", ONLY_FOR_ANALYSTS[what])


@pytest.mark.parametrize("what", OUTSIDE_NOTES)
def test_analysts_stay_in_their_own_schema(stack: Stack, what: str) -> None:
    assert "Access Denied" in stack.refusal("analyst", OUTSIDE_NOTES[what])


def test_system_tables_of_postgres_are_not_there(stack: Stack) -> None:
    assert "does not exist" in stack.refusal("analyst", "SELECT * FROM notes.pg_catalog.pg_authid")


def test_analysts_have_tables_of_their_own(stack: Stack) -> None:
    name = "notes.notes.favourite_artists"
    stack.ask("analyst", f"DROP TABLE IF EXISTS {name}", f"CREATE TABLE {name} (artist varchar, stars integer)")
    stack.ask("analyst", f"INSERT INTO {name} VALUES ('Artist ''0', 5), ('nobody', 1)")
    joined = f"SELECT count(*) FROM {name} n JOIN lakehouse.gold.artist_stats a ON a.artist_name = n.artist"
    assert stack.ask("analyst", joined)[0][0] > 0
    stack.ask("analyst", f"UPDATE {name} SET stars = 4 WHERE artist = 'nobody'", f"DELETE FROM {name} WHERE stars = 5")
    assert stack.ask("analyst", f"SELECT * FROM {name}") == [["nobody", 4]]
    stack.ask("analyst", f"DROP TABLE {name}")


@pytest.mark.parametrize("user", ["bi", "analyst"])
def test_readers_see_every_open_table_and_no_other(stack: Stack, user: str) -> None:
    found = stack.ask(user, "SELECT table_schema || '.' || table_name FROM lakehouse.information_schema.tables")
    names = {row[0] for row in found if not row[0].startswith("information_schema")}
    open_tables = {name for name, t in graph.load().items() if t.layer in ("silver", "gold", "ops") and not t.is_model}
    assert names == {name for name in open_tables if (stack.lakehouse / name.replace(".", "/")).is_dir()}
    catalogs = {row[0] for row in stack.ask(user, "SHOW CATALOGS")}
    assert catalogs == {"lakehouse", "system"} | ({"notes"} if user == "analyst" else set())


@pytest.mark.parametrize("user", ["etl", "bi", "analyst"])
def test_nobody_speaks_for_another(stack: Stack, user: str) -> None:
    login = stack.login(user)
    with requests.Session() as session:
        session.trust_env, session.verify, session.auth = False, login["certificate"], (user, login["password"])
        for other in {"etl", "bi", "analyst", "nobody"} - {user}:
            said = session.post(f"{login['url']}/v1/statement", "SELECT 1", headers={"X-Trino-User": other}, timeout=30)
            # Trino refuses with the request, or once the query has left the queue.
            while said.ok and (more := said.json().get("nextUri")):
                assert "data" not in said.json()
                said = session.get(more, timeout=30)
            assert f"User {user} cannot impersonate user {other}" in said.text


def test_wrong_and_missing_passwords_are_refused(stack: Stack) -> None:
    login = stack.login("bi")
    for user, password in (("bi", "wrong"), ("bi", ""), ("nobody", login["password"]), ("", ""), ("etl", login["password"])):
        with pytest.raises(TrinoError):
            rows(connect(**login | {"user": user, "password": password}), "SELECT 1")


def test_a_log_in_without_rules_can_do_nothing(stack: Stack) -> None:
    etc = stack.settings.dir / "trino" / "etc"
    assert '"queries"' in (etc / "rules.json").read_text()
    assert "nobody" not in (etc / "password.db").read_text()


def test_secret_files_are_their_owner_s(stack: Stack) -> None:
    private = [
        path
        for path in stack.settings.dir.rglob("*")
        if path.is_file()
        and path.suffix != ".pid"
        and "trino/data" not in str(path)
        and "trino/metastore" not in str(path)
        and "postgres" not in path.parts
    ]
    assert len(private) > 15
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in private} == {"0o600"}
    secrets = {**read_env(stack.settings.credentials), **read_env(stack.settings.secrets)}
    assert len({value for key, value in secrets.items() if "PASSWORD" in key or "SECRET" in key}) >= 12
