"""The real listener's landing folder and lakehouse, as the tests on real files build them."""

from __future__ import annotations

from tests.real.conftest import embedded_lakehouse, real_landing

__all__ = ["embedded_lakehouse", "real_landing"]
