"""The command line of the lakehouse: run, status, tables, show, check, export, and the report on a listener."""

from __future__ import annotations

from demo.content import DEMO
from lakehouse.cli import main
from lakehouse.leave import leave
from report.command import COMMAND as REPORT

if __name__ == "__main__":
    leave(main(added=[REPORT], demo=DEMO))
