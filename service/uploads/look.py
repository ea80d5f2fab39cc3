"""The process that looks at one upload: `python -m service.uploads.look`.

It reads one line of JSON with who sends what, and as many bytes of the file's start as that says; answers with a line whether the
start is refused; reads a line with the path of the whole file; answers with a line what is in it. It ends when its input does.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.uploads.contents import Sender, check_start, found_files
from service.uploads.refusal import RefusedUploadError


def main() -> None:
    """Answer both questions."""
    question = _read()
    if question is None:
        return
    sender, suffix = Sender(question["listener"], question["is_admin"]), question["suffix"]
    start = sys.stdin.buffer.read(question["start_bytes"])
    try:
        check_start(start, suffix, sender)
        _write({})
        whole = _read()
        if whole is not None:
            files = found_files(Path(whole["path"]), suffix, sender, question["max_bytes"])
            _write({"files": [asdict(one) for one in files]})
    except RefusedUploadError as error:
        _write({"status": error.status, "reason": error.reason})


def _read() -> Any:
    line = sys.stdin.buffer.readline()
    return json.loads(line) if line else None


def _write(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
