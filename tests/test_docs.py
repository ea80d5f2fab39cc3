"""The generated documents say what the code says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from bi.settings import BISettings
from bi.trino import registration
from music.settings import ListeningSettings

ROOT = Path(__file__).resolve().parent.parent


def test_the_table_catalogue_is_the_one_the_declarations_give() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    from build_docs import catalogue

    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == catalogue(), "run `make docs`"


def test_the_example_settings_name_every_setting() -> None:
    named = set(re.findall(r"^#?([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {
        str(field.validation_alias or f"{settings.model_config.get('env_prefix')}{name.upper()}")
        for settings in (ListeningSettings, BISettings)
        for name, field in settings.model_fields.items()
    }
    assert named == {*wanted, *registration.NAMES, "TRINO_JAVA_HOME"}
