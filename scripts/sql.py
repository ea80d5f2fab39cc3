"""Ask the lakehouse in SQL, through Trino: a prompt, or `-c "SELECT ..."`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    try:
        from bi.console.prompt import main

        sys.exit(main())
    except KeyboardInterrupt:
        # Pressed while what it needs is still being loaded.
        sys.exit("stopped")
