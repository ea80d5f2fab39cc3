"""The command `listener`: people of the service, each with one name and password there, in Trino and in Superset.

The password is made by the command and stands in a file that only its owner can read; people.json keeps a hash. Exit codes:
0 success, 1 something failed (the same command again continues), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from lakehouse.cli.console import near, plain
from lakehouse.cli.errors import FAILED, OK, USAGE, print_error
from lakehouse.cli.product import Product

if TYPE_CHECKING:
    from bi.settings import BISettings
    from service.settings import ServiceSettings

PREPARED = "`make bi` starts the stack; in Docker Compose, `docker compose up -d` does"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to do, with whom."""
    parser.add_argument("change", choices=("add", "remove", "list"), help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the listener: the name that their plays have")


def call(product: Product, options: argparse.Namespace) -> int:
    """Add, remove or list people. Raises pydantic.ValidationError and OSError."""
    del product
    from bi.process import StackError
    from bi.settings import BISettings
    from service.people import PersonError
    from service.private_file import PrivateFileError
    from service.settings import ServiceSettings

    settings, bi = ServiceSettings(), BISettings()
    if options.change != "list" and options.name is None:
        print_error(f"name the listener: lakehouse listener {options.change} NAME")
        return USAGE
    try:
        if options.change == "list":
            _list(settings)
        elif options.change == "add":
            _add(settings, bi, options.name)
        else:
            _remove(settings, bi, options.name)
    except PersonError as error:
        print_error(str(error))
        return USAGE
    except (PrivateFileError, StackError) as error:
        print_error(str(error))
        return FAILED
    return OK


def _list(settings: ServiceSettings) -> None:
    from service.people import People

    for person in People(settings.state_dir).all():
        _say(f"{plain(person.user_id, 200)}{'  (admin)' if person.is_admin else ''}")


def _add(settings: ServiceSettings, bi: BISettings, name: str) -> None:
    from bi import listeners, passwords
    from service.command import address
    from service.people import People

    people = People(settings.state_dir)
    if not any(person.is_admin for person in people.all()):
        people.add(settings.user, is_admin=True)
    person = people.add(name)
    name = person.user_id
    login = listeners.add(bi, name, is_admin=person.is_admin)
    password, known = listeners.password(bi, login), people.find(name)
    if known is None or known.password_hash is None or not passwords.is_right(password, known.password_hash):
        people.add(name, login=login, password_hash=passwords.hashed(password))
    _say(login)
    _say(f"service   {address(settings.serve_host, settings.serve_port)}/login")
    _tell_stack(bi, "has the log-in", "gets the log-in")
    _say(f"password  in {near(listeners.credentials(bi, login))}")


def _remove(settings: ServiceSettings, bi: BISettings, name: str) -> None:
    from bi import listeners
    from service.api_tokens import revoke_all
    from service.people import People
    from service.sessions import Sessions

    is_known_to_stack = listeners.login_name(name) in listeners.known(bi)
    people = People(settings.state_dir)
    if people.find(name) is not None or not is_known_to_stack:
        people.remove(name)
    Sessions(settings.state_dir).end_all(name)
    tokens = revoke_all(settings.state_dir, name)
    if is_known_to_stack:
        listeners.remove(bi, name)
    _say(f"service   log-in and sessions are gone, and {tokens} tokens; plays stay")
    _tell_stack(bi, "no longer has the log-in", "loses the log-in")


def _tell_stack(bi: BISettings, done: str, later: str) -> None:
    """Bring Trino and Superset up to date where they are there; otherwise say when they will be. Raises StackError."""
    from bi.superset.server import SupersetServer
    from bi.trino.configuration import render_access
    from lakehouse.plan import graph

    if not (bi.dir / "trino" / "etc").is_dir():
        _say(f"Trino     was never started here, and {later} when it is: {PREPARED}")
        _say(f"Superset  was never started here, and {later} when it is")
        return
    render_access(bi, graph.load())
    _say(f"Trino     {done}; a running one knows within seconds")
    superset = SupersetServer(bi)
    if superset.server.process() is None:
        _say(f"Superset  is not running here, and {later} when it starts: {PREPARED}")
    else:
        superset.bring_listeners()
        _say(f"Superset  {done}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
