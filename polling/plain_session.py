"""A session of requests that asks only the host it is given, with the authorisation it is given, and ends in time."""

from __future__ import annotations

import requests

from polling.timed_connection import Deadline, TimedAdapter


class PlainSession(requests.Session):
    """Every exchange ends by `deadline`, which is started before it; nothing is tried again."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        # With an authorisation of its own, requests does not look into ~/.netrc, which would replace ours.
        self.auth = _unchanged
        for scheme in ("https://", "http://"):
            self.mount(scheme, TimedAdapter(deadline))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests would read the whole body of a redirect without a limit, even of one that it does not follow."""
        return None


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
