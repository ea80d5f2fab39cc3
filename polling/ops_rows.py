"""What ops.poll_state and ops.gaps are to hold after a run: the states of the inbox, and the gaps that nothing covers yet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lakehouse.declare import Table
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile
from polling.account_rows import account_rows, state_files, states
from polling.exports import EXPORTS, exports_of
from polling.gap_rows import Covered, Row, closed, known_gaps, open_gaps
from polling.state import AccountState
from validators.gaps import GAPS
from validators.poll_state import POLL_STATE
from validators.source_comparison import SOURCE_COMPARISON

Contents = Iterator[tuple[Table, Sequence[Mapping[str, Any]] | None]]


def ops_rows(settings: Settings, files: Sequence[LandedFile], now: dt.datetime) -> Contents:
    """The hook of a run. Without an inbox nothing is known, and what the tables hold stays."""
    yield SOURCE_COMPARISON, None
    if not settings.inbox_folder.is_dir():
        yield from ((POLL_STATE, None), (GAPS, None))
        return
    found = state_files(settings.inbox_folder)
    yield POLL_STATE, account_rows(found, now)
    gaps = known_gaps(stored_rows(settings.dir, GAPS), states(found))
    covered = _covered(settings.dir, open_gaps(gaps), files, states(found))
    yield GAPS, closed(gaps, covered, now)


def stored_rows(lakehouse: Path, declared: Table) -> list[Row]:
    """The rows of an ops table; none where it is not there."""
    path = lakehouse / declared.layer / declared.short_name
    return delta.read_rows(path, [column.name for column in declared.columns])


def _covered(
    lakehouse: Path, gaps: Sequence[Row], files: Iterable[LandedFile], accounts: Iterable[AccountState]
) -> list[Covered]:
    """What may close these gaps: the exports of their listeners, and what was read of their accounts again."""
    del accounts
    if not gaps:
        return []
    sources = {gap["source"] for gap in gaps}
    formats = {one: source for source in sources for one in EXPORTS.get(source, ())}
    exports = exports_of(lakehouse, {gap["user_id"] for gap in gaps if gap["user_id"]}, formats, files)
    return [Covered(formats[one.source], one.user_id, one.start, one.end, one.path) for one in exports]
