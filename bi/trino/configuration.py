"""Trino's configuration: templates of `trino/`, rendered for this machine or for containers, with passwords and rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from bi import listeners
from bi.install import PLUGINS, TRINO_HOME
from bi.secrets import read_env, write_private
from bi.settings import BISettings
from bi.trino import access
from lakehouse.declare import Table
from lakehouse.settings import PROJECT_ROOT

TEMPLATES = PROJECT_ROOT / "trino"
DELTA_CATALOGS = ("lakehouse.properties", "lakehouse_etl.properties")
# Changes of these are seen by a running server.
WATCHED = ("rules.json", "password.db")


class AtTemplate(Template):
    """A template with @{name}, as ${ENV:NAME} is for Trino to fill in."""

    delimiter = "@"


@dataclass(frozen=True)
class Place:
    """Where Trino runs, as it sees it: its unpacked server, the stack's folder, the name and address it has there.

    `host` is the name by which it reaches itself, `bind` the address that it listens at, `postgres` is host:port.
    """

    server: str
    folder: str
    host: str
    bind: str
    port: int
    postgres: str

    @staticmethod
    def native(settings: BISettings) -> Place:
        """On this machine, from `.bi`."""
        postgres = f"127.0.0.1:{settings.postgres_port}"
        return Place(str(TRINO_HOME), str(settings.dir), "127.0.0.1", settings.host, settings.trino_port, postgres)

    @staticmethod
    def container() -> Place:
        """In the official image, beside a container `postgres`; which ports are open is said in the compose file."""
        return Place("/usr/lib/trino", "/bi", "trino", "0.0.0.0", 8443, "postgres:5432")  # noqa: S104


def render(settings: BISettings, place: Place, tables: Mapping[str, Table]) -> None:
    """Write `trino/etc` of the stack's folder: configuration, users with hashed passwords, and rules of access. Idempotent."""
    values = _values(settings, place)
    etc = settings.dir / "trino" / "etc"
    catalog = TEMPLATES / "catalog"
    for template in (TEMPLATES / "etc").iterdir():
        _write(etc / template.name, _filled(template, values))
    s3 = _filled(catalog / "s3.properties", values) if settings.s3_endpoint else ""
    for template in catalog.iterdir():
        if template.name != "s3.properties":
            more = s3 if template.name in DELTA_CATALOGS else ""
            _write(etc / "catalog" / template.name, _filled(template, values) + more)
    render_access(settings, tables)
    _link_plugins(settings.dir / "trino" / "plugin", Path(place.server) / "plugin")
    for folder in ("metastore", "data"):
        (settings.dir / "trino" / folder).mkdir(mode=0o700, exist_ok=True)


def render_access(settings: BISettings, tables: Mapping[str, Table]) -> None:
    """Write who may log in and what each may see; a running Trino reads both again within seconds."""
    etc = settings.dir / "trino" / "etc"
    known = read_env(settings.credentials)
    passwords = {user: known[f"TRINO_{user.upper()}_PASSWORD"] for user in access.USERS}
    logins = listeners.known(settings)
    passwords |= {login: listeners.password(settings, login) for login in logins}
    # Rules first: a user that no rule names can log in and see nothing.
    _write(etc / "rules.json", access.rules_json(tables, logins, listeners.admins(settings)))
    database = etc / "password.db"
    _write(database, access.password_database(passwords, database.read_text() if database.is_file() else ""))


def fingerprint(settings: BISettings) -> str:
    """A text that changes with whatever a running Trino would have to be started again for."""
    etc = settings.dir / "trino" / "etc"
    files = [path for path in sorted(etc.rglob("*")) if path.is_file() and path.name not in WATCHED]
    digest = hashlib.sha256()
    for path in [*files, settings.secrets, settings.key_and_certificate]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _values(settings: BISettings, place: Place) -> dict[str, str]:
    megabytes = int(settings.trino_memory[:-1]) * (1024 if settings.trino_memory.endswith("G") else 1)
    return {
        "folder": place.folder,
        "host": place.host,
        "bind": place.bind,
        "port": str(place.port),
        "postgres": place.postgres,
        "memory": settings.trino_memory,
        # Both together must stay below the heap, of which the server itself needs about a third.
        "query_memory": f"{megabytes // 3}MB",
        "headroom": f"{megabytes // 5}MB",
        "s3_endpoint": settings.s3_endpoint or "",
        "s3_region": settings.s3_region,
    }


def _filled(template: Path, values: Mapping[str, str]) -> str:
    lines = AtTemplate(template.read_text(encoding="utf-8")).substitute(values)
    # The launcher takes every line of jvm.config for an option.
    return re.sub(r"^#.*\n", "", lines, flags=re.MULTILINE)


def _write(path: Path, content: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        write_private(path, content.encode())


def _link_plugins(folder: Path, plugins: Path) -> None:
    """Links to the plugins that are used, wherever they will be: in a container's image they are not there yet."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in PLUGINS:
        link = folder / name
        if not link.is_symlink() or link.readlink() != plugins / name:
            link.unlink(missing_ok=True)
            link.symlink_to(plugins / name)
