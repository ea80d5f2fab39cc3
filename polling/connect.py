"""The command `connect`: a person allows this application to read what an account played.

Exit codes: 0 connected, 1 the consent or the token was refused, 2 a setting is missing or there is no terminal.
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from typing import TYPE_CHECKING

from lakehouse.cli.errors import FAILED, OK, UsageError, print_error

if TYPE_CHECKING:
    from lakehouse.cli.product import Product

SOURCES = ("spotify",)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `connect`."""
    parser.add_argument("source", choices=SOURCES, help="the service whose account is connected")
    parser.add_argument("--user", metavar="NAME", help="the listener that the account's plays belong to (default me)")
    parser.add_argument("--no-browser", action="store_true", help="print the link, and paste the address that it leads to")


def call(product: Product, options: argparse.Namespace) -> int:
    """Connect an account; returns the exit code. Raises UsageError without a client id or a terminal, ValidationError."""
    del product
    from rich.console import Console

    from lakehouse.storage.tombstones import read_tombstones
    from polling.answers import AccountRefused, PollError
    from polling.settings import SpotifySettings
    from polling.spotify_consent import connect

    settings = SpotifySettings(**({} if options.user is None else {"user": options.user}))
    _check(settings.client_id is not None, settings.redirect_uri)
    if read_tombstones(settings.state_dir).hold(settings.user):
        raise UsageError(f"{settings.user!r} was forgotten; `lakehouse forget --lift {settings.user}` lets their plays in again")
    is_pasted = options.no_browser or not can_open_browser()
    try:
        connect(settings, Console(highlight=False, soft_wrap=True), is_named=options.user is not None, is_pasted=is_pasted)
    except AccountRefused as error:
        print_error(f"{error}; {error.remedy}")
        return FAILED
    except PollError as error:
        print_error(str(error))
        return FAILED
    return OK


def _check(has_client_id: bool, redirect_uri: str) -> None:
    """Raises UsageError where a person could not finish the walk."""
    from polling.spotify_access import DASHBOARD

    if not has_client_id:
        raise UsageError(
            f"CLIENT_ID is not set: create an app at {DASHBOARD} with the redirect URI {redirect_uri}, "
            "and put its client id into .env as CLIENT_ID"
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("connecting an account needs a person at a terminal; run `lakehouse connect spotify` in one")


def can_open_browser() -> bool:
    """Whether a browser opens on the screen of the person: not over SSH, and not without a screen."""
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        return False
    has_screen = any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform not in ("darwin", "win32") and not has_screen:
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
