"""An empty landing folder and no lakehouse yet, with no setting of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from music.settings import ListeningSettings
from tests.end_to_end.pipeline import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    for name in os.environ:
        if name.startswith("LAKEHOUSE_") or name == "ALLOW_SYNTHETIC":
            monkeypatch.delenv(name)
    monkeypatch.setitem(ListeningSettings.model_config, "env_file", None)
    return Pipeline(tmp_path)
