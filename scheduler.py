"""The entry point of the scheduler: polls the connected accounts and builds the lakehouse, until stopped."""

from __future__ import annotations

import sys

from lakehouse.private_files import keep_private
from scheduling.program import main

if __name__ == "__main__":
    keep_private()
    sys.exit(main())
