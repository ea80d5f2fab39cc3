"""The command `serve`: the web service, until it is stopped.

Exit codes: 0 stopped, 1 the address cannot be used, 2 wrong options or settings.
"""

from __future__ import annotations

import argparse
import signal
import socket

from lakehouse.cli.errors import FAILED, OK, print_error
from lakehouse.cli.product import Product


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which lakehouse is shown, and where the service listens."""
    parser.add_argument("--lakehouse", dest="dir", metavar="DIR", help="lakehouse folder (default: data/lakehouse)")
    parser.add_argument("--landing", metavar="DIR", help="folder of the raw files (default: data/landing)")
    parser.add_argument(
        "--host", dest="serve_host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument("--port", dest="serve_port", metavar="PORT", help="port to listen on (default: 8090)")


def call(product: Product, options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. Raises pydantic.ValidationError."""
    del product
    import uvicorn

    from service.access_log import log, start_log
    from service.app import create_app
    from service.server import configuration
    from service.settings import ServiceSettings

    names = ("dir", "landing", "serve_host", "serve_port")
    settings = ServiceSettings(**{name: value for name in names if (value := getattr(options, name)) is not None})
    try:
        bound = _bound(settings.serve_host, settings.serve_port)
    except OSError as error:
        place = f"{settings.serve_host}:{settings.serve_port}"
        print_error(f"{place} cannot be used ({error.strerror}); choose another with --port or LAKEHOUSE_SERVE_PORT")
        return FAILED
    start_log()
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises a signal again once it has stopped.
        signal.signal(number, lambda *_: None)
    log.info("serving at %s; `lakehouse link` prints a link to log in", address(settings.serve_host, settings.serve_port))
    uvicorn.Server(configuration(create_app(settings))).run(sockets=[bound])
    log.info("stopped")
    return OK


def address(host: str, port: int) -> str:
    """The URL of a host and port."""
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


def _bound(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that an address in use is known before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host.strip("[]"), port))
    except OSError:
        bound.close()
        raise
    return bound
