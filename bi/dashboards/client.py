"""Superset's REST interface: log in, import, delete, give roles, ask for a chart's data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import requests

from bi.dashboards.bundle import OURS, Bundle
from bi.dashboards.declaration import DashboardError
from bi.settings import start_command

SECONDS = 120
PAGE = 1000
KINDS = ("dashboard", "chart", "dataset")
# Who sees the dashboards, beside the administrator.
VIEWERS = ("Listener", "Admin")


class Superset:
    """A log-in; use as a context manager. Every method raises DashboardError with what Superset said."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        # Settings of the environment (proxies, .netrc) would send our password elsewhere.
        self.session.trust_env = False
        login = {"username": user, "password": password, "provider": "db", "refresh": False}
        token = self.call("POST", "security/login", json=login)["access_token"]
        self.session.headers.update({"Authorization": f"Bearer {token}", "Referer": self.url})
        self.session.headers["X-CSRFToken"] = self.call("GET", "security/csrf_token/")["result"]

    def __enter__(self) -> Superset:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.session.close()

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The JSON answer to a request below /api/v1/."""
        try:
            answer = self.session.request(method, f"{self.url}/api/v1/{path}", timeout=SECONDS, **options)
        except requests.RequestException as error:
            raise DashboardError(f"Superset does not answer at {self.url}: `{start_command()}` starts it ({error})") from error
        if answer.status_code == requests.codes.too_many_requests:
            raise DashboardError("Superset accepts ten log-ins per minute: try again in a minute")
        if not answer.ok:
            raise DashboardError(f"Superset refused {method} {path}: {answer.status_code} {_said(answer)}")
        found: dict[str, Any] = answer.json()
        return found

    def all(self, kind: str, *columns: str) -> list[dict[str, Any]]:
        """Every chart, dataset or dashboard."""
        query = f"(page_size:{PAGE},columns:!({','.join(columns)}))"
        found: list[dict[str, Any]] = self.call("GET", f"{kind}/", params={"q": query})["result"]
        return found

    def load(self, bundle: Bundle) -> None:
        """Import the bundle over what is there, and let viewers see its dashboards."""
        archive = {"bundle": ("lakehouse.zip", bundle.archive(), "application/zip")}
        # Sparse: the connection is there already, and its password is none of ours.
        self.call("POST", "assets/import/", files=archive, data={"sparse": "true"})
        self._give_roles(bundle)

    def state(self) -> str:
        """A hash of all that an import of ours made and when each was last changed, by whomever."""
        found = [part for kind in KINDS for part in self.all(kind, "uuid", "changed_on_utc")]
        told = sorted(f"{part['uuid']} {part['changed_on_utc']}" for part in found if part["uuid"].startswith(OURS))
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def clean(self, bundle: Bundle) -> None:
        """Delete what is ours and not in the bundle."""
        for kind, kept in zip(KINDS, (bundle.dashboards, bundle.charts, bundle.datasets), strict=True):
            self._delete(kind, kept)

    def _give_roles(self, bundle: Bundle) -> None:
        known = self.call("GET", "dashboard/related/roles", params={"q": f"(page_size:{PAGE})"})["result"]
        wanted = sorted(role["value"] for role in known if role["text"] in VIEWERS)
        if len(wanted) != len(VIEWERS):
            raise DashboardError(f"Superset lacks one of the roles {', '.join(VIEWERS)}: `{start_command()}` makes them")
        for found in self.all("dashboard", "id", "uuid", "roles.id"):
            if found["uuid"] in bundle.dashboards and sorted(role["id"] for role in found["roles"]) != wanted:
                self.call("PUT", f"dashboard/{found['id']}", json={"roles": wanted})

    def _delete(self, kind: str, kept: Iterable[str]) -> None:
        """Delete what was made by an import of ours, as its uuid tells, and is not kept; what people made stays."""
        kept = set(kept)
        ours = [found for found in self.all(kind, "id", "uuid") if found["uuid"].startswith(OURS)]
        gone = [str(found["id"]) for found in ours if found["uuid"] not in kept]
        if gone:
            self.call("DELETE", f"{kind}/", params={"q": f"!({','.join(gone)})"})

    def data(self, dataset: int, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of one query on a dataset, as a chart asks for them."""
        body = {"datasource": {"id": dataset, "type": "table"}, "queries": [query], "result_type": "full", "force": True}
        answer = self.call("POST", "chart/data", json=body)["result"][0]
        if answer.get("error"):
            raise DashboardError(str(answer["error"]))
        rows: list[dict[str, Any]] = answer["data"]
        return rows


def _said(answer: requests.Response) -> str:
    try:
        return json.dumps(answer.json())
    except ValueError:
        return "(see its log)"
