"""Make Trino know the tables of the lakehouse, where they are now; `--check` only says what differs, and exits 1 then."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Exit code 0; 1 for drift found by --check, a table that Trino cannot read, or no Trino; 2 for a missing setting."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from pydantic import ValidationError

    from bi.trino.client import TrinoError
    from bi.trino.registration import Registration, access_for
    from lakehouse.plan import graph
    from lakehouse.settings import Settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lakehouse", metavar="DIR", help="the lakehouse (default data/lakehouse, or LAKEHOUSE_DIR)")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when Trino and the lakehouse differ")
    options = parser.parse_args()
    try:
        lakehouse = (Settings() if options.lakehouse is None else Settings(dir=options.lakehouse)).dir
    except ValidationError as error:
        sys.stderr.write(f"error: {error.errors()[0]['msg'].removeprefix('Value error, ')}\n")
        return 2
    access = access_for(lakehouse)
    if access is None:
        sys.stderr.write(
            f"error: no Trino is set up for {lakehouse}: start one (make bi), or set TRINO_URL, TRINO_CA, TRINO_ETL_PASSWORD"
            " and TRINO_LAKEHOUSE in .env\n"
        )
        return 2
    try:
        with Registration(access, graph.load().values()) as registration:
            drift = registration.drift() if options.check else registration.register()
    except TrinoError as error:
        sys.stderr.write(f"error: Trino at {access.url}: {error}\n")
        return 1
    for word, names in (("new", drift.new), ("moved", drift.moved), ("gone", drift.vanished)):
        for name in names:
            sys.stdout.write(f"{word:<8} {name}\n")
    for name, why in drift.refused.items():
        sys.stdout.write(f"refused  {name}: {why}\n")
    done = drift.known + (0 if options.check else len(drift.new) + len(drift.moved))
    sys.stdout.write(f"{done} tables registered\n")
    return 1 if drift.refused or (options.check and drift) else 0


if __name__ == "__main__":
    sys.exit(main())
