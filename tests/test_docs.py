"""The generated documents say what the code says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lakehouse.settings import Settings

ROOT = Path(__file__).resolve().parent.parent


def test_the_table_catalogue_is_the_one_the_declarations_give() -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    from build_docs import catalogue

    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == catalogue(), "run `make docs`"


def test_the_example_settings_name_every_setting() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = {str(f.validation_alias or f"LAKEHOUSE_{name.upper()}") for name, f in Settings.model_fields.items()}
    assert named == wanted
