"""Register the tables of the lakehouse in Trino."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Exit code 0; 1 for drift found by --check, a table that Trino cannot read, or no Trino; 2 for a missing setting."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from bi.trino.client import TrinoError
    from bi.trino.registration import Registration, access_for
    from lakehouse.cli.errors import FAILED, OK, USAGE, invalid_settings, print_error
    from lakehouse.cli.places import find_lakehouse
    from lakehouse.plan import graph
    from lakehouse.private_files import keep_private
    from run_pipeline import PRODUCT

    keep_private()

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lakehouse", metavar="DIR", help="lakehouse folder (default: that of the last run in this folder)")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if Trino and the lakehouse differ")
    options = parser.parse_args()
    try:
        lakehouse = find_lakehouse(PRODUCT, options.lakehouse)
    except (ValidationError, SettingsError) as error:
        print_error(*invalid_settings(error))
        return USAGE
    access = access_for(lakehouse)
    if access is None:
        print_error(
            f"no Trino is set up for {lakehouse}; start one (make bi), or set TRINO_URL, TRINO_CA, TRINO_ETL_PASSWORD"
            " and TRINO_LAKEHOUSE in .env"
        )
        return USAGE
    try:
        with Registration(access, graph.load().values()) as registration:
            drift = registration.drift() if options.check else registration.register()
    except TrinoError as error:
        print_error(f"Trino at {access.url}: {error}")
        return FAILED
    for word, names in (("new", drift.new), ("moved", drift.moved), ("gone", drift.vanished)):
        for name in names:
            sys.stdout.write(f"{word:<8} {name}\n")
    for name, why in drift.refused.items():
        sys.stdout.write(f"refused  {name}: {why}\n")
    done = drift.known + (0 if options.check else len(drift.new) + len(drift.moved))
    sys.stdout.write(f"{done} tables registered\n")
    return FAILED if drift.refused or (options.check and drift) else OK


if __name__ == "__main__":
    sys.exit(main())
