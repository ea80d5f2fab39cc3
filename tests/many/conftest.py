"""The real listener's landing folder and lakehouse, as the tests on real files build them."""

from __future__ import annotations

from tests.real.conftest import real_landing

__all__ = ["real_landing"]
