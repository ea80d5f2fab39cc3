"""The limit of log-ins. Its file comes late in the alphabet, as nobody can log in for a minute afterwards."""

from __future__ import annotations

import re

import requests

from bi.secrets import read_env
from tests.bi.conftest import Stack

ALLOWED = 10


def test_the_eleventh_log_in_of_a_minute_is_refused_whatever_its_password(stack: Stack) -> None:
    known = read_env(stack.settings.credentials)
    url = known["SUPERSET_URL"]
    with requests.Session() as session:
        session.trust_env = False
        login = {"username": "admin", "password": "wrong", "provider": "db"}
        answers = [session.post(f"{url}/api/v1/security/login", json=login, timeout=60).status_code for _ in range(ALLOWED + 1)]
        right = session.post(
            f"{url}/api/v1/security/login", json=login | {"password": known["SUPERSET_ADMIN_PASSWORD"]}, timeout=60
        )
        token = re.search(r'csrf_token[^>]*value="([^"]+)"', session.get(f"{url}/login/", timeout=60).text)
        assert token is not None
        filled = {"username": "admin", "password": "wrong", "csrf_token": token.group(1)}
        form = [session.post(f"{url}/login/", data=filled, timeout=60) for _ in range(ALLOWED + 1)]
    assert set(answers) <= {requests.codes.unauthorized, requests.codes.too_many_requests}
    assert answers[-1] == requests.codes.too_many_requests
    assert right.status_code == requests.codes.too_many_requests
    assert form[-1].status_code == requests.codes.too_many_requests
