"""Connections to Trino: HTTPS, a password, and the certificate that is ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from trino.dbapi import Connection

# Seconds until a server that does not answer is taken to be down, and that an answer may take.
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 60.0
SOURCE = "lakehouse"


class TrinoError(Exception):
    """Trino cannot be asked, or refuses; the message says why."""


def connect(url: str, certificate: str, user: str, password: str, catalog: str | None = None, **options: Any) -> Connection:
    """A connection to the Trino at `url` (https://host:port), not yet tried. Close it when done.

    Raises TrinoError for an address that cannot be meant; a password is never sent without TLS.
    """
    import requests
    from trino.auth import BasicAuthentication
    from trino.dbapi import connect as connect_to

    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname:
        raise TrinoError(f"TRINO_URL is {url!r}: it must be https://HOST:PORT")
    session = requests.Session()
    # Settings of the environment (REQUESTS_CA_BUNDLE, proxies, .netrc) would replace our certificate and password.
    session.trust_env = False
    session.verify = certificate or True
    connected: Connection = connect_to(  # type: ignore[no-untyped-call]
        host=address.hostname,
        port=address.port or 443,
        http_scheme="https",
        user=user,
        auth=BasicAuthentication(user, password),
        http_session=session,
        catalog=catalog,
        source=SOURCE,
        max_attempts=1,
        request_timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
        **options,
    )
    return connected


def rows(connection: Connection, sql: str) -> list[list[Any]]:
    """All rows of a statement. Raises TrinoError with what the server said."""
    from trino.exceptions import Error, HttpError

    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        return list(cursor.fetchall())
    except (Error, HttpError, OSError) as error:
        raise TrinoError(said(error)) from error


def said(error: Exception) -> str:
    """What went wrong, in one line, from an error of the client."""
    from trino.exceptions import HttpError, TrinoConnectionError, TrinoQueryError

    if isinstance(error, TrinoQueryError):
        return re.sub(r"\s+", " ", str(error.message))
    text = re.sub(r"\s+", " ", str(error))
    if isinstance(error, HttpError) and text.startswith("error 401"):
        return "wrong user name or password"
    if "certificate verify failed" in text:
        return "its certificate does not match the one in TRINO_CA"
    if isinstance(error, TrinoConnectionError) and text.startswith("failed to"):
        return "it does not answer"
    return text
