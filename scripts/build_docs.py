"""Build the documentation site from docs/ and the code; exit 1 for a warning, a dead link or a request to another host."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Exit code 0, or 1 when the site is not sound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "docs", metavar="DIR", help="output folder (default build/docs)"
    )
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from docs_site.build import build
    from docs_site.command_pages import HelpError
    from docs_site.links import dead_links, external_requests

    began = time.monotonic()
    out: Path = options.out.absolute()
    try:
        if build(ROOT, out):
            return 1
    except (HelpError, FileNotFoundError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    site = out / "html"
    problems = [f"dead link: {link}" for link in dead_links(site)]
    problems += [f"request to another host: {request}" for request in external_requests(site)]
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    pages = len(list(site.rglob("*.html")))
    sys.stdout.write(f"{pages} pages in {site / 'index.html'}: {time.monotonic() - began:.1f} s, {len(problems)} problems\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
