"""Pictures of the dashboards, as a listener sees them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from bi.browser import chromium, log_in, open_dashboard
from bi.dashboards.declaration import DashboardError, read_all
from bi.process import StackError
from bi.secrets import read_env
from bi.settings import BISettings
from lakehouse.cli.console import Terminal
from lakehouse.cli.here import near
from lakehouse.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "docs" / "images"


def main(arguments: Sequence[str] | None = None) -> int:
    """Take a picture of each dashboard; the exit code is 1 where one shows an error."""
    top = argparse.ArgumentParser(prog="screenshots.py", description="Take screenshots of the dashboards of a running stack.")
    top.add_argument("--only", action="append", default=[], metavar="NAME", help="this dashboard (default all)")
    top.add_argument("--out", metavar="DIR", default=str(FOLDER), help="folder for the screenshots (default docs/images)")
    options = top.parse_args(arguments)
    console, errors = Terminal(), Terminal(stderr=True)
    failed = 0
    try:
        credentials = read_env(BISettings().credentials)
        url = credentials.get("SUPERSET_URL", "")
        if not url:
            raise StackError("the stack is not set up; run `make bi`")
        out = Path(options.out)
        out.mkdir(parents=True, exist_ok=True)
        with chromium() as browser:
            page = log_in(browser, url, "listener", credentials["SUPERSET_LISTENER_PASSWORD"])
            for dashboard in read_all():
                if options.only and dashboard.name not in options.only:
                    continue
                seen = open_dashboard(page, url, dashboard.name, charts=len(dashboard.charts), bare=True)
                # Charts grow into place.
                page.wait_for_timeout(1500)
                target = out / f"{dashboard.name}.png"
                bottom = page.evaluate(
                    "() => Math.max(...[...document.querySelectorAll('.grid-row')].map(r => r.getBoundingClientRect().bottom))"
                )
                page.screenshot(path=target, clip={"x": 0, "y": 0, "width": 1440, "height": min(bottom + 16, 3600)})
                failed += bool(seen.problems or seen.console)
                console.print(Text(f"{near(target)}  {target.stat().st_size // 1024} kB, complete in {seen.seconds:.1f} s"))
                for problem in [*seen.problems, *seen.console]:
                    console.print(Text(f"  {problem}"))
    except (StackError, DashboardError) as error:
        errors.print(Text(f"error: {error}"))
        return 1
    return int(bool(failed))
