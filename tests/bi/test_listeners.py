"""A listener's own log-in shows their rows of every table and nobody else's, whatever they ask and whatever they are called."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from deltalake import DeltaTable

from bi import listeners
from bi.console.prompt import login_of
from bi.process import StackError
from bi.trino.access import OPEN_LAYERS
from bi.trino.client import TrinoError
from lakehouse.plan import graph
from tests.bi.conftest import Stack
from tests.bi.small_lakehouse import HOSTILE, LISTENER
from tests.bi.test_access import READS, WRITES

TABLES = [t for t in graph.load().values() if t.layer in OPEN_LAYERS and not t.is_model]
OF_LISTENERS = [t.name for t in TABLES if any(c.name == "user_id" for c in t.columns)]
OTHERS = [t.name for t in TABLES if t.name not in OF_LISTENERS]
EVERYBODY = "synthetic:000011"
# Files are read again every 2 s, which the configuration says.
SECONDS = 5.0


def wait_until(stack: Stack, login: str, *, can_log_in: bool) -> float:
    """Seconds until the log-in works, or does not any more."""
    began = time.monotonic()
    while (not stack.refusal(login, "SELECT 1")) != can_log_in:
        assert time.monotonic() - began < 6 * SECONDS
        time.sleep(0.2)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def logins(stack: Stack) -> Iterator[dict[str, str]]:
    """Log-in name to user_id of two listeners, one of whom is called like a piece of SQL."""
    found = {}
    for user_id in (LISTENER, HOSTILE):
        added = stack.script("scripts/bi.py", "listener", "add", user_id)
        assert added.returncode == 0, added.stderr
        found[added.stdout.splitlines()[0]] = user_id
    for login in found:
        wait_until(stack, login, can_log_in=True)
    yield found
    for user_id in found.values():
        assert stack.script("scripts/bi.py", "listener", "remove", user_id).returncode == 0


def counted(stack: Stack, name: str) -> Counter[str]:
    """Rows per listener, read without Trino."""
    users = DeltaTable(stack.lakehouse / name.replace(".", "/")).to_pyarrow_table(columns=["user_id"])["user_id"]
    return Counter(users.to_pylist())


def test_the_console_takes_a_listener_by_either_name(stack: Stack, logins: dict[str, str]) -> None:
    for login, user_id in logins.items():
        assert login_of(stack.settings, user_id).user == login_of(stack.settings, login).user == login
    with pytest.raises(StackError, match="no log-in 'nobody'"):
        login_of(stack.settings, "nobody")


def test_every_table_shows_all_own_rows_and_no_other(stack: Stack, logins: dict[str, str]) -> None:
    there = [name for name in OF_LISTENERS if (stack.lakehouse / name.replace(".", "/")).is_dir()]
    assert len(there) > 40

    def look(login: str, name: str) -> list[list[Any]]:
        return stack.ask(login, f"SELECT user_id, count(*) FROM lakehouse.{name} GROUP BY user_id")

    pairs = [(login, name) for login in logins for name in there]
    with ThreadPoolExecutor(4) as pool:
        seen = dict(zip(pairs, pool.map(lambda pair: look(*pair), pairs), strict=True))
    for name in there:
        rows = counted(stack, name)
        for login, user_id in logins.items():
            assert seen[login, name] == [[user_id, rows[user_id]]] * bool(rows[user_id]), name
    assert sum(map(bool, seen.values())) > 80


OWN_QUERIES = {
    "all rows": "SELECT DISTINCT user_id FROM gold.daily_listening",
    "with true": "SELECT DISTINCT user_id FROM gold.daily_listening WHERE user_id IS NOT NULL OR 1 = 1",
    "others by name": f"SELECT user_id FROM gold.daily_listening WHERE user_id = '{EVERYBODY}'",
    "not me": "SELECT user_id FROM gold.daily_listening WHERE user_id NOT IN (SELECT user_id FROM silver.users)",
    "join": "SELECT DISTINCT b.user_id FROM gold.daily_listening a RIGHT JOIN gold.top_artists b ON a.plays <> b.rank",
    "full join": "SELECT DISTINCT a.user_id FROM gold.user_metrics a FULL JOIN gold.user_metrics b ON a.user_id <> b.user_id",
    "cross join": "SELECT DISTINCT b.user_id FROM gold.user_metrics a, gold.user_metrics b",
    "cte": "WITH x AS (TABLE gold.user_metrics), y AS (SELECT * FROM x) SELECT DISTINCT user_id FROM y",
    "subquery": "SELECT (SELECT max(user_id) FROM silver.users)",
    "exists": f"SELECT 'x' WHERE EXISTS (SELECT 1 FROM silver.users WHERE user_id = '{EVERYBODY}')",
    "union": "SELECT user_id FROM gold.user_metrics UNION SELECT user_id FROM silver.sessions",
    "except": "SELECT user_id FROM silver.plays EXCEPT SELECT user_id FROM silver.users",
    "aggregate": "SELECT array_join(array_agg(DISTINCT user_id), ',') FROM silver.plays",
    "grouping sets": "SELECT user_id FROM silver.plays GROUP BY CUBE (user_id) HAVING user_id IS NOT NULL",
    "window": "SELECT DISTINCT lag(user_id) OVER (ORDER BY plays) FROM gold.daily_listening WHERE plays >= 0",
    "recursion": "WITH RECURSIVE r (u) AS (SELECT user_id FROM silver.users UNION ALL SELECT u FROM r WHERE 1 = 0) TABLE r",
    "first version": "SELECT DISTINCT user_id FROM gold.daily_listening FOR VERSION AS OF 0",
    "now": "SELECT DISTINCT user_id FROM silver.users FOR TIMESTAMP AS OF current_timestamp - INTERVAL '1' SECOND",
    "sample": "SELECT DISTINCT user_id FROM silver.plays TABLESAMPLE BERNOULLI (100)",
    "prepared": "EXECUTE IMMEDIATE 'SELECT DISTINCT user_id FROM silver.users'",
    # An error would tell that a row of somebody else was looked at.
    "error": "SELECT DISTINCT user_id FROM silver.plays WHERE 1 / if(user_id = '{0}', 1, 0) = 1",
    "error in a join": "SELECT a.user_id FROM silver.users a JOIN silver.users b ON 1 / if(a.user_id = '{0}', 1, 0) = 1",
    "error in a sum": "SELECT min(user_id) FROM silver.plays HAVING sum(1 / if(user_id = '{0}', 1, 0)) > 0",
}


@pytest.mark.parametrize("what", OWN_QUERIES)
def test_no_query_shows_a_row_of_somebody_else(stack: Stack, logins: dict[str, str], what: str) -> None:
    for login, user_id in logins.items():
        found = stack.ask(login, OWN_QUERIES[what].replace("{0}", user_id.replace("'", "''")))
        assert {row[0] for row in found} <= {user_id, None}


def test_statistics_tell_of_own_rows_only(stack: Stack, logins: dict[str, str]) -> None:
    for login in logins:
        rows = stack.ask(login, "SHOW STATS FOR lakehouse.gold.daily_listening")
        assert len(rows) > 1
        assert [row for row in rows if row[4:] != [None, None, None]] == []


def test_what_names_no_listener_is_closed(stack: Stack, logins: dict[str, str]) -> None:
    for login in logins:
        listed = stack.ask(login, "SELECT table_schema || '.' || table_name FROM lakehouse.information_schema.tables")
        assert {row[0] for row in listed if "information_schema" not in row[0]} <= set(OF_LISTENERS)
        described = stack.ask(
            login, "SELECT DISTINCT table_schema || '.' || table_name FROM lakehouse.information_schema.columns"
        )
        assert {row[0] for row in described if "information_schema" not in row[0]} <= set(OF_LISTENERS)
        assert stack.ask(login, "SHOW CATALOGS") == [["lakehouse"]]
        for name in OTHERS:
            assert "Access Denied" in stack.refusal(login, f"SELECT * FROM lakehouse.{name} LIMIT 1"), name


@pytest.mark.parametrize("what", [*READS, *WRITES])
def test_listeners_are_refused(stack: Stack, logins: dict[str, str], what: str) -> None:
    assert "Access Denied" in stack.refusal(next(iter(logins)), (READS | WRITES)[what])


@pytest.mark.parametrize("view", ["history", "partitions", "properties", "transactions"])
def test_listeners_do_not_see_what_a_table_is_made_of(stack: Stack, logins: dict[str, str], view: str) -> None:
    for login in logins:
        assert stack.refusal(login, f'SELECT * FROM lakehouse.silver."plays${view}"')


def test_only_known_listeners_get_a_log_in(stack: Stack) -> None:
    refused = stack.script("scripts/bi.py", "listener", "add", "nobody' OR 1=1--")
    assert refused.returncode == 1
    assert "has no listener" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_log_in_comes_and_goes_within_seconds(stack: Stack) -> None:
    login = listeners.login_name(EVERYBODY)
    assert stack.script("scripts/bi.py", "listener", "add", EVERYBODY).returncode == 0
    assert wait_until(stack, login, can_log_in=True) < SECONDS
    # The rules may be read a moment later than the passwords; until then there is nothing to see.
    own = [[EVERYBODY]]
    end = time.monotonic() + SECONDS
    while not (found := _users(stack, login)) and time.monotonic() < end:
        time.sleep(0.2)
    assert found == own
    assert stack.script("scripts/bi.py", "listener", "add", EVERYBODY).returncode == 0
    assert _users(stack, login) == own
    password = listeners.credentials(stack.settings, login)
    before = stack.login(login)
    assert stack.script("scripts/bi.py", "listener", "remove", EVERYBODY).returncode == 0
    assert not password.exists()
    end = time.monotonic() + 2 * SECONDS
    while True:
        try:
            stack.ask_as(before, "SELECT count(*) FROM silver.users")
        except TrinoError:
            break
        assert time.monotonic() < end
        time.sleep(0.2)


def _users(stack: Stack, login: str) -> list[list[object]]:
    try:
        return stack.ask(login, "SELECT user_id FROM silver.users")
    except TrinoError:
        return []
