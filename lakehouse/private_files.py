"""What the product writes is for its owner's eyes only."""

from __future__ import annotations

import os

FOR_OTHERS = 0o077


def keep_private() -> None:
    """Let this process and its children create files with mode 0600 and folders with 0700, or with fewer rights if so asked.

    Entry points call it first. Folders that are there keep their modes.
    """
    os.umask(os.umask(FOR_OTHERS) | FOR_OTHERS)
