"""The command line of the lakehouse: run, status, tables, show, check."""

from __future__ import annotations

import sys

from lakehouse.cli import main

if __name__ == "__main__":
    sys.exit(main())
