"""The command line of the lakehouse: run, status, tables, show, check, export, and the report on a listener."""

from __future__ import annotations

from lakehouse.cli.main import main
from lakehouse.process_exit import leave
from report.command import COMMAND as REPORT
from synthetic.demo.content import DEMO

if __name__ == "__main__":
    leave(main(added=[REPORT], demo=DEMO))
