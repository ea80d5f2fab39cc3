"""An empty landing folder and no lakehouse yet, with no setting of this machine."""

from __future__ import annotations

from tests.end_to_end.conftest import pipeline

__all__ = ["pipeline"]
