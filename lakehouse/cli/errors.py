"""Exit codes, and what is said about an error that can be expected."""

from __future__ import annotations

import sys

OK, FAILED, USAGE, LOCKED = 0, 1, 2, 3


class UsageError(Exception):
    """An option that cannot be meant; the message says what can."""


def explained(error: Exception) -> tuple[int, list[str]] | None:
    """Exit code and message of an error that can be expected, a line each; None for any other."""
    # Imported only after something went wrong, as no command needs them all.
    import pyarrow as pa
    from deltalake.exceptions import DeltaError
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from lakehouse.cli.demo import DemoError
    from lakehouse.declare.column import DeclarationError
    from lakehouse.engine.base import EngineError, first_line
    from lakehouse.plan.graph import UnknownSelectorError
    from lakehouse.storage.lakehouse import NewerLakehouseError, UnfinishedRestoreError
    from lakehouse.storage.lock import LockedError
    from lakehouse.storage.tombstones import TombstoneError

    if isinstance(error, (ValidationError, SettingsError)):
        return USAGE, invalid_settings(error)
    if isinstance(error, (UnknownSelectorError, DeclarationError, UsageError, DemoError)):
        return USAGE, [str(error)]
    if isinstance(error, (NewerLakehouseError, UnfinishedRestoreError)):
        return USAGE, [str(error)]
    if isinstance(error, LockedError):
        return LOCKED, [str(error)]
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return FAILED, [f"{error.strerror or first_line(error)}{place}"]
    if isinstance(error, TombstoneError):
        return FAILED, [str(error)]
    if isinstance(error, (EngineError, DeltaError, pa.ArrowException)):
        return FAILED, [first_line(error)]
    return None


def print_error(*lines: str) -> None:
    """Print errors to standard error, a line each, without control characters."""
    from lakehouse.cli.here import typed
    from lakehouse.cli.sanitize import CONTROL

    sys.stderr.write("".join(f"error: {CONTROL.sub(' ', typed(line))}\n" for line in lines))


def invalid_settings(error: Exception) -> list[str]:
    """What is wrong with settings, a line each, by the setting's name."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return [str(error)]
    return [
        f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    ]
