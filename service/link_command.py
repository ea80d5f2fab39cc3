"""The command `link`: print a link that logs a person in, once and within ten minutes.

Where there is nobody yet, it makes the owner of the lakehouse (LAKEHOUSE_USER), who is its admin.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from urllib.parse import urlencode

from lakehouse.cli.errors import FAILED, OK, USAGE, print_error
from lakehouse.cli.product import Product


def add_options(parser: argparse.ArgumentParser) -> None:
    """Whom it logs in."""
    parser.add_argument("--user", metavar="NAME", help="a person of `lakehouse listener list` (default: the admin)")


def call(product: Product, options: argparse.Namespace) -> int:
    """Print the link. Raises pydantic.ValidationError and OSError."""
    del product
    from service.command import address
    from service.links import PATH, Links
    from service.people import People, PersonError
    from service.private_file import PrivateFileError
    from service.settings import ServiceSettings

    settings = ServiceSettings()
    people = People(settings.state_dir)
    try:
        admins = [person for person in people.all() if person.is_admin] or [people.add(settings.user, is_admin=True)]
        known = people.find(options.user or admins[0].user_id)
        if known is None:
            print_error(f"there is no person {options.user!r}; `lakehouse listener add NAME` adds one")
            return USAGE
        query = urlencode({"key": Links(settings.state_dir).issue(known.person, dt.datetime.now(dt.timezone.utc))})
    except PersonError as error:
        print_error(str(error))
        return USAGE
    except PrivateFileError as error:
        print_error(str(error))
        return FAILED
    names = ("127.0.0.1", *settings.serve_names)
    for name in names:
        sys.stdout.write(f"{address(name, settings.serve_port)}{PATH}?{query}\n")
    sys.stderr.write(f"logs {known.person.user_id} in, once, within ten minutes\n")
    return OK
