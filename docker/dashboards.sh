#!/bin/sh
# Make Trino know the tables of the lakehouse that is shown, and Superset the dashboards.
set -eu
python scripts/register_tables.py --lakehouse "$TRINO_LAKEHOUSE"
python scripts/build_dashboards.py
