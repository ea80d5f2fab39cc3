#!/bin/sh
# Make Trino know the tables of the lakehouse that is shown, and Superset the dashboards.
set -eu
attempts=1
# `docker compose restart` starts all services at once, and the servers take a while to answer.
until python scripts/register_tables.py --lakehouse "$TRINO_LAKEHOUSE" && python scripts/build_dashboards.py; do
  [ "$attempts" -lt 20 ] || exit 1
  attempts=$((attempts + 1))
  sleep 10
done
