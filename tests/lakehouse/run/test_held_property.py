"""Whoever was held back, and however often: once all rows pass, tables are what one build of everything makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from lakehouse.declare import at_least, column, table
from lakehouse.storage.ledger import Ledger
from tests.lakehouse.small_graph import RAISING, USER, Lake, declared, statuses

USERS = ("ann", "bob", "cid", "dan", "eve")
TOTAL, LINES = column("total", "bigint", "sum"), column("lines", "bigint", "number of lines")
line = st.tuples(st.sampled_from(USERS), st.sampled_from(("x", "y", "z")), st.sampled_from((-4, -1, 0, 1, 2, 5)))
EDIT = st.one_of(
    st.tuples(st.just("drop"), st.lists(line, min_size=1, max_size=3)),
    st.tuples(st.just("gap"), st.integers(30, 32)),
    st.tuples(st.just("fail"), st.booleans()),
    st.tuples(st.just("full"), st.just(True)),
    st.tuples(st.just("only"), st.sampled_from(["silver.mini_marked", "gold.mini_totals", "gold.mini_counts"])),
)


def mini_after(mini_totals: DataFrame, mini_counts: DataFrame) -> DataFrame:
    """One row per user, of two tables that have to agree."""
    return mini_totals.select("user_id", "total").join(mini_counts, on="user_id", how="left")


def declare_more() -> None:
    """A table that reads one in which listeners are held back, and one in which they are not."""
    table("gold.mini_after", key=["user_id"], scope="user", schema=[USER, TOTAL, LINES], rules=[at_least("lines", 0)])(mini_after)


@settings(max_examples=4, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(EDIT, min_size=2, max_size=6))
def test_once_all_rows_pass_nothing_is_left_of_having_been_held_back(edits: list[tuple[str, object]]) -> None:
    with declared(), TemporaryDirectory() as folder:
        declare_more()
        lake, gap = Lake(Path(folder)), 30
        lake.drop("base.txt", *[f"{user},x,1" for user in USERS])
        lake.run()
        for number, (kind, value) in enumerate(edits):
            if kind == "drop":
                lake.drop(f"{number}.txt", *[",".join(map(str, entry)) for entry in value])
            elif kind == "gap":
                gap = value
            elif kind == "fail":
                (RAISING.add if value else RAISING.discard)("gold.mini_totals")
            selectors = (str(value),) if kind == "only" else ()
            report = lake.run(*selectors, full=kind == "full", session_gap_minutes=gap)
            held = {key.user_id for key in report.held}
            assert not held or report.exit_code == 1
        RAISING.clear()
        lake.drop("rich.txt", *[f"{user},y,100" for user in USERS])
        assert lake.run(session_gap_minutes=gap).exit_code == 0
        assert Ledger(lake.root).held() == []
        incremental, versions = lake.content(), lake.versions()
        assert statuses(lake.run(session_gap_minutes=gap)) == {}
        assert lake.versions() == versions
        shutil.rmtree(lake.root)
        assert lake.run(session_gap_minutes=gap).exit_code == 0
        assert lake.content() == incremental
