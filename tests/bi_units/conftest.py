"""No setting of this machine reaches these tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("LAKEHOUSE_", "TRINO_")):
            monkeypatch.delenv(name)
