#!/bin/sh
# Superset's own database (`init`), or its server (`serve`).
set -eu
export SUPERSET_DB_URI="postgresql+psycopg2://superset:${SUPERSET_DB_PASSWORD}@postgres:5432/superset"
unset SUPERSET_DB_PASSWORD
export SUPERSET_LISTENERS="${LAKEHOUSE_BI_DIR:-/bi}/listeners/superset.json"
case ${1:-} in
  init) exec python superset/bootstrap.py ;;
  # One worker: the limit of log-ins counts per process.
  serve)
    exec gunicorn --workers 1 --worker-class gthread --threads 8 --timeout 120 --graceful-timeout 5 \
      --bind 0.0.0.0:8088 'superset.app:create_app()'
    ;;
  *)
    echo "error: say init or serve" >&2
    exit 2
    ;;
esac
