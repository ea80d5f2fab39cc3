"""Audio features measured by the Spotify API, while it serves them."""

from __future__ import annotations

from pyspark.sql import DataFrame

from ingestion import sources
from lakehouse.rules import between
from lakehouse.table import column, table
from silver.features import FEATURE_COLUMNS, RANGES
