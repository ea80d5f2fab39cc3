"""Log-ins of listeners in Trino and Superset: they see their own rows and nobody else's, an admin all rows."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any

from bi import passwords
from bi.process import StackError
from bi.secrets import read_env, write_env, write_private
from bi.settings import BISettings

PREFIX = "listener_"
PLAIN = re.compile(r"(?=.{1,40}$)[a-z0-9]+(_[a-z0-9]+)*")
LONGEST = 32
HASH_DIGITS = 12


def known(settings: BISettings) -> dict[str, str]:
    """Log-in name to user_id of every listener who has a log-in. Raises StackError when the list cannot be read."""
    path = _list(settings)
    if not path.is_file():
        return {}
    try:
        return {str(login): str(user_id) for login, user_id in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise StackError(f"{path} is not a list of log-ins; remove it and add the listeners again") from error


def of_lakehouse(lakehouse: Path) -> set[str]:
    """Every user_id that the lakehouse has."""
    from lakehouse.storage import delta

    return {str(row["user_id"]) for row in delta.read_rows(lakehouse / "silver" / "users", ["user_id"])}


def login_name(user_id: str) -> str:
    """A log-in name of letters, digits and _ that no other user_id has: a plain one as it is, else with a hash."""
    if PLAIN.fullmatch(user_id):
        return PREFIX + user_id
    readable = re.sub(r"[^a-z0-9]+", "_", user_id.lower()).strip("_")[:LONGEST]
    # Two underscores, which no plain name has, keep both kinds apart.
    return f"{PREFIX}{readable}__{hashlib.sha256(user_id.encode()).hexdigest()[:HASH_DIGITS]}"


def credentials(settings: BISettings, login: str) -> Path:
    """The file with the log-in's address, name and password."""
    return settings.dir / "listeners" / f"{login}.env"


def password(settings: BISettings, login: str) -> str:
    """The log-in's password; a new one is made where its file is gone."""
    path = credentials(settings, login)
    found = read_env(path).get("TRINO_PASSWORD") or secrets.token_urlsafe(24)
    places = {key: value for key, value in read_env(settings.credentials).items() if key in ("TRINO_URL", "TRINO_CA")}
    write_env(path, places | {"TRINO_USER": login, "TRINO_PASSWORD": found})
    return found


def add(settings: BISettings, user_id: str, *, is_admin: bool = False) -> str:
    """Give a listener a log-in, unless they have one; returns its name. An admin's log-in sees the rows of everybody."""
    logins = known(settings)
    login = login_name(user_id)
    if logins.get(login, user_id) != user_id:
        raise StackError(f"the log-in {login} already belongs to {logins[login]!r}; remove that first")
    secret, entries = password(settings, login), superset_users(settings)
    stored = entries.get(login, {}).get("password_hash")
    if stored is None or not passwords.is_right(secret, stored):
        stored = passwords.hashed(secret)
    _write(settings, logins | {login: user_id}, entries | {login: {"password_hash": stored, "is_admin": is_admin}})
    return login


def remove(settings: BISettings, user_id: str) -> str:
    """Take a listener's log-in away; returns its name. Raises StackError when they have none."""
    logins = known(settings)
    login = login_name(user_id)
    if logins.get(login) != user_id:
        raise StackError(f"{user_id!r} has no log-in; `lakehouse bi listener list` lists the log-ins")
    users = {name: user for name, user in superset_users(settings).items() if name != login}
    _write(settings, {name: other for name, other in logins.items() if name != login}, users)
    credentials(settings, login).unlink(missing_ok=True)
    return login


def superset_file(settings: BISettings) -> Path:
    """The log-ins as Superset takes them over: no password is in it, only its hash."""
    return settings.dir / "listeners" / "superset.json"


def superset_users(settings: BISettings) -> dict[str, dict[str, Any]]:
    """What `superset_file` holds: `password_hash` and `is_admin` by log-in name. Raises StackError when it cannot be read."""
    path = superset_file(settings)
    if not path.is_file():
        return {}
    try:
        return {str(login): dict(user) for login, user in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise StackError(f"{path} is not a list of log-ins; remove it and add the listeners again") from error


def admins(settings: BISettings) -> set[str]:
    """The log-ins that see the rows of everybody."""
    return {login for login, user in superset_users(settings).items() if user.get("is_admin")} & set(known(settings))


def _list(settings: BISettings) -> Path:
    return settings.dir / "listeners" / "list.json"


def _write(settings: BISettings, logins: dict[str, str], users: dict[str, dict[str, Any]]) -> None:
    for path, content in ((superset_file(settings), users), (_list(settings), logins)):
        write_private(path, (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())
