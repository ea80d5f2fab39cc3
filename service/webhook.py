"""Sending messages to the webhook of the settings: plain JSON, or as ntfy and Discord take them. Its address is in no message."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3

from polling.plain_session import PlainSession
from polling.redaction import Redaction, hide_in_logs
from polling.timed_connection import Deadline
from service.needs import Need
from service.webhook_settings import Kind, WebhookSettings

SECONDS = 15.0
"""of one message, from connecting to the status of the answer"""
MOST_DISCORD = 2000
MOST_NTFY = 4096
"""characters and bytes that these take; a longer message becomes a file at ntfy"""
USER_AGENT = "listening-lakehouse"


class WebhookError(Exception):
    """A message that was not taken; the text says why, without the address."""


class Body(NamedTuple):
    """What is posted."""

    content: bytes
    headers: Mapping[str, str]


def send(settings: WebhookSettings, needs: Sequence[Need]) -> None:
    """Post one message about all of these. Raises WebhookError unless the answer is 2xx; redirects are refused."""
    if settings.webhook_url is None:
        raise WebhookError("there is no address: set LAKEHOUSE_WEBHOOK_URL")
    body = SHAPES[settings.webhook_kind](needs)
    status = _post(settings.webhook_url.get_secret_value(), body)
    if 300 <= status < 400:
        raise WebhookError(f"the webhook answers with HTTP {status}; redirects are refused: set the address that it leads to")
    if not 200 <= status < 300:
        raise WebhookError(f"the webhook answers with HTTP {status}")


def _post(address: str, body: Body) -> int:
    """The status of the answer, whose body is not read."""
    parts = urlsplit(address)
    # Logs of libraries have the host apart from the rest.
    hide_in_logs(Redaction.of([address, *(part for part in (parts.path, parts.query, parts.password or "") if len(part) > 1)]))
    deadline = Deadline()
    deadline.start(SECONDS)
    headers = {"User-Agent": USER_AGENT, **body.headers}
    try:
        with (
            PlainSession(deadline) as session,
            session.post(
                address, data=body.content, headers=headers, stream=True, allow_redirects=False, timeout=(SECONDS / 2, SECONDS)
            ) as answer,
        ):
            return answer.status_code
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        failure = WebhookError(f"the webhook cannot be reached ({type(error).__name__})")
    # Outside of the handler: errors of libraries hold the whole address.
    raise failure


def _as_json(needs: Sequence[Need]) -> Body:
    events = [{"kind": n.kind, "title": n.title, "message": n.message, "remedy": n.remedy} for n in needs]
    return Body(json.dumps({"source": "listening-lakehouse", "events": events}).encode(), {"Content-Type": "application/json"})


def _as_ntfy(needs: Sequence[Need]) -> Body:
    # A header takes ASCII only, so nothing from outside stands in one.
    headers = {"Content-Type": "text/plain; charset=utf-8", "Title": "Listening lakehouse", "Priority": "high", "Tags": "warning"}
    return Body(_shortened(needs, MOST_NTFY, lambda text: len(text.encode())).encode(), headers)


def _as_discord(needs: Sequence[Need]) -> Body:
    text = _shortened(needs, MOST_DISCORD, len)
    # Without allowed mentions, a listener named @everyone calls nobody.
    document = {"username": "Listening lakehouse", "content": text, "allowed_mentions": {"parse": []}}
    return Body(json.dumps(document).encode(), {"Content-Type": "application/json"})


SHAPES: Mapping[Kind, Callable[[Sequence[Need]], Body]] = {"json": _as_json, "ntfy": _as_ntfy, "discord": _as_discord}


def _shortened(needs: Sequence[Need], most: int, size: Callable[[str], int]) -> str:
    """A paragraph each; those that do not fit are counted."""
    paragraphs = [f"{need.title}: {need.message}." + (f" Remedy: {need.remedy}." if need.remedy else "") for need in needs]
    for shown in range(len(paragraphs), 0, -1):
        more = [] if shown == len(paragraphs) else [f"And {len(paragraphs) - shown} more: `lakehouse status` lists them."]
        text = "\n\n".join([*paragraphs[:shown], *more])
        if size(text) <= most:
            return text
    return f"{len(paragraphs)} things need somebody: `lakehouse status` lists them."
