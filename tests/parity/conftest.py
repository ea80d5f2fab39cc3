"""The real files' lakehouses."""

from __future__ import annotations

from tests.real.conftest import embedded_lakehouse, real_landing, spark_lakehouse

__all__ = ["embedded_lakehouse", "real_landing", "spark_lakehouse"]
