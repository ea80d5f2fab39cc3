"""The BI stack: its certificate, its secrets, and whether Trino answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from cryptography import x509

from bi.secrets import PASSWORDS, SERVER_SECRETS, read_env
from bi.settings import BISettings
from bi.trino.client import TrinoError, connect, rows
from bi.trino.registration import access_for
from lakehouse.private_files import FOR_OTHERS
from upkeep.checks.finding import Finding, SetUp, command

SOON = dt.timedelta(days=30)


def stack(set_up: SetUp) -> Iterator[Finding]:
    """What is wrong with a stack that was set up here; nothing where none was, or where it is another person's."""
    settings = BISettings()
    try:
        is_there = settings.credentials.is_file()
    except PermissionError:
        return
    if is_there:
        yield from _credentials(settings)
        yield from _certificate(settings, set_up.now)
    access = access_for(set_up.lakehouse, set_up.environment)
    if access is None:
        return
    try:
        with connect(access.url, access.certificate, "etl", access.password) as connection:
            rows(connection, "SELECT 1")
    except TrinoError as error:
        yield Finding("bi", f"Trino: {error}", access.url, "make bi")


def _credentials(settings: BISettings) -> Iterator[Finding]:
    for path, names in ((settings.credentials, PASSWORDS), (settings.secrets, SERVER_SECRETS)):
        missing = sorted(set(names) - read_env(path).keys())
        if missing:
            yield Finding("bi", f"{missing[0]} is missing", str(path), "make bi")
        if path.is_file() and path.stat().st_mode & FOR_OTHERS:
            yield Finding("bi", "others can read the passwords", str(path), command("chmod", "600", path))


def _certificate(settings: BISettings, now: dt.datetime) -> Iterator[Finding]:
    path, remedy = settings.certificate, f"{command('rm', settings.certificate)} && make bi"
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        yield Finding("bi", f"Trino's certificate cannot be read: {error}", str(path), remedy)
        return
    if ends - now < SOON:
        word = "ended" if ends < now else "ends"
        yield Finding("bi", f"Trino's certificate {word} on {ends:%Y-%m-%d}", str(path), remedy)
