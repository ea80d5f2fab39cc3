"""The SQL console: a prompt over Trino with a history, or statements from the command line or standard input."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from bi import listeners
from bi.console.output import OUTPUTS, Result
from bi.console.statements import split
from bi.process import StackError
from bi.secrets import credentials, read_env
from bi.settings import BISettings, problems_of, start_command
from bi.trino.client import TrinoError, connect, said
from lakehouse.cli.console import Terminal, forget_stdout
from lakehouse.cli.product import Product

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

OK, FAILED, USAGE = 0, 1, 2
HELP = r"""A statement ends with ; and may span several lines. Ctrl-C cancels the running statement or clears the line.
\d          schemas and tables
\d TABLE    columns of a table, with their descriptions
\q          quit (also Ctrl-D)"""
TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY 1, 2"
FETCH_ROWS = 500


@dataclass(frozen=True)
class Login:
    """Who asks which server."""

    url: str
    certificate: str
    user: str
    password: str


def login_of(settings: BISettings, user: str) -> Login:
    """The log-in of `analyst`, `bi`, `etl` or a listener, from the stack's files. Raises StackError where there is none."""
    known = credentials(settings)
    if not known:
        raise StackError(f"{settings.credentials} does not exist; start the stack (`{start_command()}`)")
    login, password = user, known.get(f"TRINO_{user.upper()}_PASSWORD")
    if password is None:
        # By its own name, or by the listener's, as `listener add` and `listener remove` take it.
        logins = listeners.known(settings)
        login = user if user in logins else listeners.login_name(user)
        password = read_env(listeners.credentials(settings, login)).get("TRINO_PASSWORD") if login in logins else None
    if password is None:
        raise StackError(f"there is no log-in {user!r}; use analyst, bi, or one that `lakehouse bi listener list` shows")
    return Login(known["TRINO_URL"], known["TRINO_CA"], login, password)


class SqlConsole:
    """Runs statements and shows what they return; use as a context manager."""

    def __init__(self, login: Login, output: str, stream: TextIO, errors: Console, *, max_rows: int | None, is_raw: bool) -> None:
        self.login, self.stream, self.errors = login, stream, errors
        self.output = OUTPUTS[output](stream, max_rows=max_rows, is_raw=is_raw)
        self.connection = connect(login.url, login.certificate, login.user, login.password, "lakehouse")

    def __enter__(self) -> SqlConsole:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()  # type: ignore[no-untyped-call]

    def run(self, text: str) -> bool:
        """Run one statement, or a command with a backslash; whether it went well. Ctrl-C cancels it at the server, too."""
        from trino.exceptions import Error, HttpError, TrinoConnectionError

        cursor = self.connection.cursor()
        try:
            cursor.execute(statement_of(text))
            names = [column[0] for column in cursor.description or []]
            self.output.show(Result(names, _fetched(cursor), str(cursor.update_type or "")))
            self.stream.flush()
        except KeyboardInterrupt:
            self.errors.print("cancelled")
        except TrinoConnectionError as error:
            self.errors.print(Text(f"error: Trino at {self.login.url}: {said(error)}; `{start_command()}` starts the stack"))
        except (Error, HttpError, TrinoError) as error:
            self.errors.print(Text(f"error: {said(error)}"))
        except BrokenPipeError:
            # A reader that has seen enough (`| head`).
            forget_stdout()
            return True
        except OSError as error:
            # Such as a certificate file that is not there.
            self.errors.print(Text(f"error: {said(error)}"))
        else:
            return True
        finally:
            # Ends at the server what was not read to its end; where that fails, the server's limit of time ends it.
            with contextlib.suppress(Error, HttpError):
                cursor.cancel()
        return False


def statement_of(text: str) -> str:
    """The statement itself, or what a command with a backslash asks. Raises TrinoError for an unknown one."""
    words = text.split()
    if not text.startswith("\\"):
        return text
    if words[0] == "\\d" and len(words) <= 2:
        return TABLES if len(words) == 1 else f"DESCRIBE {words[1]}"
    raise TrinoError(f"{words[0]} is not a command; \\? lists them")


def _fetched(cursor: Any) -> Iterator[Sequence[Any]]:
    while found := cursor.fetchmany(FETCH_ROWS):
        yield from found


def prompt(console: SqlConsole, history: Path) -> None:
    """Ask for statements until \\q or Ctrl-D."""
    session = _session(history)
    console.errors.print(Text(f"{console.login.user} at {console.login.url}; \\? for help, \\q to quit"))
    while True:
        try:
            text = session.prompt("sql> ", prompt_continuation="...> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text == "\\q":
            return
        if text == "\\?":
            console.errors.print(Text(HELP))
            continue
        for statement in split(text).all:
            if not console.run(statement):
                break


def _session(history: Path) -> PromptSession[str]:
    """A prompt whose Enter goes on to the next line until a statement is complete; the history is its owner's alone."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    os.close(os.open(history, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    history.chmod(0o600)
    keys = KeyBindings()

    @keys.add("enter", filter=Condition(lambda: _is_complete(get_app().current_buffer.text)))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return PromptSession(history=FileHistory(str(history)), key_bindings=keys, multiline=True)


def _is_complete(text: str) -> bool:
    parts = split(text)
    return not text.strip() or text.lstrip().startswith("\\") or bool(parts.complete and not parts.rest)


def add_options(options: argparse.ArgumentParser) -> None:
    """The options of `sql`."""
    options.add_argument(
        "-c", dest="statements", action="append", metavar="SQL", help="run these statements, separated by ;, and exit"
    )
    options.add_argument("--user", default="analyst", help="analyst (default), bi, or a listener with a log-in")
    form = options.add_mutually_exclusive_group()
    form.add_argument("--csv", dest="output", action="store_const", const="csv", default="table", help="CSV with a header")
    form.add_argument("--json", dest="output", action="store_const", const="json", help="one JSON object per row")
    options.add_argument("--raw", action="store_true", help="CSV: do not prefix text like =1+1 with an apostrophe")
    options.add_argument(
        "--max-rows", type=_count, metavar="N", help="rows to show (default: 1000 as a table, all as CSV or JSON)"
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows")
    return int(text)


def call(product: Product, options: argparse.Namespace) -> int:
    """Exit code 0; 1 when a statement failed or there is no server; 2 for a wrong option or setting."""
    del product
    errors = Terminal(stderr=True)
    if sys.stdout is None or (sys.stdin is None and options.statements is None):
        errors.print("error: standard input or output is closed")
        return USAGE
    try:
        settings = BISettings()
        login = login_of(settings, options.user)
        with SqlConsole(login, options.output, sys.stdout, errors, max_rows=options.max_rows, is_raw=options.raw) as console:
            if options.statements is None and sys.stdin.isatty():
                prompt(console, settings.dir / "sql_history")
                return OK
            text = sys.stdin.buffer.read().decode("utf-8") if options.statements is None else ";\n".join(options.statements)
            # The first that fails is the last.
            return OK if all(console.run(statement) for statement in split(text).all) else FAILED
    except KeyboardInterrupt:
        errors.print("stopped")
        return FAILED
    except UnicodeDecodeError as error:
        errors.print(f"error: the input is not UTF-8 at byte {error.start}")
        return USAGE
    except ValidationError as error:
        for problem in problems_of(error):
            errors.print(Text(f"error: {problem}"))
        return USAGE
    except (StackError, TrinoError) as error:
        errors.print(Text(f"error: {error}"))
        return FAILED
