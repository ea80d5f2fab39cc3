"""Settings: names that nobody reads, and values that cannot be used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from bi.settings import BISettings
from lakehouse.cli.errors import invalid_settings
from lakehouse.settings import ENV_FILES, PROJECT_ROOT
from polling.accounts import AccountSettings
from polling.settings import MetadataSettings, SpotifySettings
from upkeep.checks.finding import Finding, SetUp
from upkeep.settings import UpkeepSettings

EXAMPLE = ".env.example"
PREFIX = "LAKEHOUSE_"
CLASSES: tuple[type[BaseSettings], ...] = (AccountSettings, MetadataSettings, SpotifySettings, UpkeepSettings, BISettings)
# Other programs have settings too: a name without the prefix is only meant for this one if it nearly is one of its names.
ALIKE, NEARLY = 0.6, 0.85


def settings(set_up: SetUp, example: Path = PROJECT_ROOT / EXAMPLE) -> Iterator[Finding]:
    """Names that no setting has, with the one that may be meant, and values that are refused."""
    known = set(re.findall(r"^#?([A-Z0-9_]+)=", example.read_text(encoding="utf-8"), re.MULTILINE))
    places = {str(file.absolute()): dotenv_values(file, interpolate=False) for file in ENV_FILES if file.is_file()}
    for where, values in {**places, "the environment": set_up.environment}.items():
        for name in sorted(values.keys() - known):
            is_own = name.upper().startswith(PREFIX)
            close = _alike(name.upper(), known, is_own=is_own)
            if name.upper() in known:
                # Names count whatever their case.
                continue
            if is_own or close:
                remedy = f"rename it to {close[0]}" if close else f"remove it; {EXAMPLE} lists all settings"
                yield Finding("settings", f"there is no setting {name}", where, remedy)
    yield from _refused()


def _alike(name: str, known: set[str], *, is_own: bool) -> list[str]:
    """The setting that may be meant, if any."""
    if not is_own:
        return difflib.get_close_matches(name, known, 1, NEARLY)
    # The prefix alone would make any two names alike.
    rests = [one.removeprefix(PREFIX) for one in known if one.startswith(PREFIX)]
    return [f"{PREFIX}{rest}" for rest in difflib.get_close_matches(name.removeprefix(PREFIX), rests, 1, ALIKE)]


def _refused() -> Iterator[Finding]:
    said = set()
    for kind in CLASSES:
        try:
            kind()
        except (ValidationError, SettingsError) as error:
            # Classes share settings, and so their problems.
            said.update(invalid_settings(error))
    for line in sorted(said):
        yield Finding("settings", line, "the environment or .env", f"correct it; {EXAMPLE} says what each setting is")
