"""Who may do what in Trino: rules of access, generated from the table declarations, and hashed passwords."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import bcrypt

from lakehouse.declare import Table

USERS = ("etl", "bi", "analyst")
READERS = ("bi", "analyst")
OPEN_LAYERS = ("silver", "gold", "ops")
LISTENER_COLUMN = "user_id"
ROUNDS = 10
# Names with a $ are Trino's own views of a table ("t$history", "t$partitions"), which no row filter holds for.
NO_METADATA = "[^$]*"
# What clients ask to describe tables; it lists only what who asks may see. Nothing else of `system` is open.
DESCRIPTIONS = {"metadata": "table_comments", "jdbc": "[^$]*"}

Rule = dict[str, Any]


def rules_json(tables: Mapping[str, Table], logins: Mapping[str, str], admins: Collection[str] = ()) -> str:
    """The content of rules.json; `logins` is log-in name to user_id of listeners who have one, `admins` are those who see all."""
    return json.dumps(rules(tables, logins, admins), indent=1, ensure_ascii=False) + "\n"


def rules(tables: Mapping[str, Table], logins: Mapping[str, str], admins: Collection[str] = ()) -> dict[str, list[Rule]]:
    """Rules of Trino's file-based access control. The first that matches counts, and the last of each list denies.

    `etl` registers tables; `bi` and `analyst` read silver, gold and ops; `analyst` has tables of their own in `notes`; a
    listener reads their own rows of every table of these layers that has a `user_id`, and no other table; an admin among them
    reads what `bi` reads. Superset logs in as `bi` and asks as the listener who looks.
    """
    readers = "|".join([*READERS, *sorted(admins)])
    listeners = "|".join(logins)
    everyone = "|".join(dict.fromkeys([*READERS, *sorted(admins), *logins]))
    return {
        "catalogs": [
            {"user": "etl", "catalog": "lakehouse_etl|system", "allow": "all"},
            {"user": everyone, "catalog": "lakehouse", "allow": "read-only"},
            {"user": readers, "catalog": "system", "allow": "read-only"},
            {"user": "analyst", "catalog": "notes", "allow": "all"},
            {"allow": "none"},
        ],
        "schemas": [{"user": "etl", "catalog": "lakehouse_etl", "owner": True}, {"owner": False}],
        "tables": [
            {
                "user": "etl",
                "catalog": "lakehouse_etl",
                "privileges": ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP", "GRANT_SELECT"],
            },
            {"user": "etl", "catalog": "system", "privileges": ["SELECT"]},
            *[
                {"user": readers, "catalog": "system", "schema": schema, "table": table, "privileges": ["SELECT"]}
                for schema, table in DESCRIPTIONS.items()
            ],
            {"user": everyone, "catalog": "lakehouse", "schema": "information_schema", "privileges": ["SELECT"]},
            {
                "user": readers,
                "catalog": "lakehouse",
                "schema": "|".join(OPEN_LAYERS),
                "table": NO_METADATA,
                "privileges": ["SELECT"],
            },
            {"user": "analyst", "catalog": "notes", "schema": "information_schema", "privileges": ["SELECT"]},
            {
                "user": "analyst",
                "catalog": "notes",
                "schema": "notes",
                "table": NO_METADATA,
                "privileges": ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP"],
            },
            *[rule for login, user_id in logins.items() if login not in admins for rule in _own_rows(tables, login, user_id)],
            {"privileges": []},
        ],
        "procedures": [
            {"user": "etl", "catalog": "lakehouse_etl", "schema": "system", "privileges": ["EXECUTE"]},
            {"privileges": []},
        ],
        "functions": [{"privileges": []}],
        "queries": [
            {"user": "etl", "allow": ["execute", "view", "kill"]},
            {"user": "|".join([readers, listeners]) if logins else readers, "allow": ["execute"]},
            {"allow": []},
        ],
        "system_information": [{"allow": []}],
        "impersonation": [
            *([{"original_user": "bi", "new_user": listeners, "allow": True}] if logins else []),
            {"original_user": ".*", "new_user": ".*", "allow": False},
        ],
        "system_session_properties": [{"user": "etl", "allow": True}, {"allow": False}],
        "catalog_session_properties": [{"user": "etl", "allow": True}, {"allow": False}],
        "authorization": [{"original_user": ".*", "new_user": ".*", "allow": False}],
    }


def _own_rows(tables: Mapping[str, Table], login: str, user_id: str) -> list[Rule]:
    """One rule a layer: all its tables that name listeners, filtered."""
    named: dict[str, list[str]] = {layer: [] for layer in OPEN_LAYERS}
    for table in tables.values():
        if table.layer in named and not table.is_model and any(c.name == LISTENER_COLUMN for c in table.columns):
            named[table.layer].append(table.short_name)
    return [
        {
            "user": login,
            "catalog": "lakehouse",
            "schema": layer,
            "table": "|".join(sorted(names)),
            "privileges": ["SELECT"],
            "filter": f"{LISTENER_COLUMN} = {sql_literal(user_id)}",
        }
        for layer, names in named.items()
        if names
    ]


def sql_literal(text: str) -> str:
    """A string literal of Trino's SQL, in which only the quote has a meaning."""
    return "'" + text.replace("'", "''") + "'"


def password_database(passwords: Mapping[str, str], before: str) -> str:
    """The content of password.db; a password that is in `before` keeps its hash, so that nothing changes without need."""
    hashes = dict(line.split(":", 1) for line in before.splitlines() if ":" in line)
    lines = []
    for user, password in passwords.items():
        secret = password.encode()
        if user not in hashes or not bcrypt.checkpw(secret, hashes[user].encode()):
            hashes[user] = bcrypt.hashpw(secret, bcrypt.gensalt(ROUNDS)).decode()
        lines.append(f"{user}:{hashes[user]}\n")
    return "".join(lines)
