"""Ask the lakehouse in SQL, through Trino: a prompt, or `-c "SELECT ..."`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from bi.sql_console import main

    sys.exit(main())
