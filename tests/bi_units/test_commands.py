"""What `scripts/bi.py` refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from bi import cli


def test_a_lakehouse_without_plays_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = tmp_path / "bi"
    monkeypatch.setenv("LAKEHOUSE_BI_DIR", str(stack))
    assert cli.main(["up", "--lakehouse", str(tmp_path / "nowhere")]) == cli.FAILED
    assert "nowhere holds no plays yet: `make run LAKEHOUSE=" in capsys.readouterr().err
    assert not stack.exists()
    assert not (tmp_path / "nowhere").exists()
