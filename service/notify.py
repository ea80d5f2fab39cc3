"""The command `notify`: what needs a person is told once by the webhook, and again only when it comes back after it was well.

The scheduler calls it after every build and poll, in a process of its own. Exit codes: 0 nothing to tell or told, 1 not told (the
next call tries again), 2 wrong settings, 3 another process is telling.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Collection
from pathlib import Path

from filelock import FileLock, Timeout

from lakehouse.cli.errors import FAILED, LOCKED, OK, USAGE, print_error
from lakehouse.cli.product import Product
from polling.files import FILE_MODE, make_folder, write_file
from service.needs import RUN_FAILED, Need, needs
from service.webhook import WebhookError, send
from service.webhook_settings import WebhookSettings

FILE = "webhook.json"
FORMAT = 1
LOCK_SECONDS = 30
TEST = Need(RUN_FAILED, "test", "this is a test, and nothing failed", "")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which lakehouse, and what came of its last build."""
    parser.add_argument("--lakehouse", dest="dir", metavar="DIR", help="lakehouse folder (default: data/lakehouse)")
    parser.add_argument("--landing", metavar="DIR", help="folder of the raw files, with the inbox in it (default: data/landing)")
    parser.add_argument("--build-exit-code", type=int, metavar="CODE", help="what the build that has just ended returned")
    parser.add_argument("--test", action="store_true", help="send a test message, whether or not anything is wrong")


def call(product: Product, options: argparse.Namespace) -> int:
    """Look and tell. Raises pydantic.ValidationError and OSError."""
    del product
    settings = WebhookSettings(**{name: value for name in ("dir", "landing") if (value := getattr(options, name)) is not None})
    if settings.webhook_url is None:
        print_error("there is no webhook: set LAKEHOUSE_WEBHOOK_URL, see docs/how-to/monitoring.md")
        return USAGE
    try:
        if options.test:
            send(settings, [TEST])
            sys.stdout.write("the test message was taken\n")
            return OK
        told = notify(settings, dt.datetime.now(dt.timezone.utc), options.build_exit_code)
    except Timeout:
        print_error("another process is telling the webhook")
        return LOCKED
    except WebhookError as error:
        print_error(str(error))
        return FAILED
    sys.stdout.write(f"told: {len(told)}\n")
    return OK


def notify(settings: WebhookSettings, now: dt.datetime, build_exit_code: int | None = None) -> list[Need]:
    """Tell what is new, and remember it; returns that. Raises WebhookError, Timeout and OSError.

    What was not told is tried again by the next call. Killed between telling and remembering, it is told twice.
    """
    path = settings.state_dir / FILE
    make_folder(path.parent)
    with FileLock(path.with_name(f".{FILE}.lock"), timeout=LOCK_SECONDS, mode=FILE_MODE):
        before = _remembered(path)
        current = needs(settings, now, build_exit_code, before)
        new = [need for need in current if need.key not in before]
        lasting = before & {need.key for need in current}
        # What is well again is forgotten first: it is news when it comes back, whether or not this message is taken.
        if lasting != before:
            _remember(path, lasting)
        if new:
            send(settings, new)
            _remember(path, lasting | {need.key for need in new})
        return new


def _remembered(path: Path) -> set[str]:
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        return {str(key) for key in document["told"]}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(f"{path} cannot be read: remove it, and what needs somebody is told once more") from error


def _remember(path: Path, keys: Collection[str]) -> None:
    write_file(path, f"{json.dumps({'format': FORMAT, 'told': sorted(keys)}, indent=1)}\n".encode())
