"""A small graph of tables fed by text files of `user,item,amount` lines, for tests of the build engine.

mini_items and mini_settings and mini_counts need mini_events; mini_marked needs mini_events and mini_items; mini_totals
needs mini_marked and mini_settings; mini_site needs mini_totals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import BATCH, ORIGIN
from lakehouse.cli.console import Quiet
from lakehouse.declare import REGISTRY, Rule, Sample, Table, at_least, column, table
from lakehouse.plan.graph import load, ordered
from lakehouse.run.report import Report
from lakehouse.run.run import run_pipeline
from lakehouse.storage import delta
from lakehouse.storage.ledger import Ledger
from music.settings import ListeningSettings
from tests.sessions import room_for_another_engine

HEADER = "user,item,amount"
USER = column("user_id", "string", "who")
ITEM = column("item_id", "string", "what")
AMOUNT = column("amount", "bigint", "how much")

# Tables whose transform raises while their name stands here.
RAISING: set[str] = set()


class Lines:
    """Lines of a text file; a line without a user is the listener's."""

    name = "lines"
    target = "mini_events"

    def recognises(self, sample: Sample) -> bool:
        return sample.text.startswith(HEADER)

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        lines = [line.split(",") for line in stream.read().decode().splitlines()[1:]]
        users = [user or listener for user, _, _ in lines]
        items, amounts = [item for _, item, _ in lines], [int(amount) for _, _, amount in lines]
        yield pa.RecordBatch.from_pydict({"user_id": users, "item_id": items, "amount": pa.array(amounts, pa.int64())})


def mini_events(landed: DataFrame) -> DataFrame:
    """One row per line."""
    return landed


def mini_settings(mini_events: DataFrame, *, session_gap_minutes: int) -> DataFrame:
    """One row per user."""
    gap = F.when(F.col("user_id") == "ann", session_gap_minutes).otherwise(30)
    return mini_events.select("user_id").distinct().withColumn("gap", gap)


def mini_items(mini_events: DataFrame) -> DataFrame:
    """One row per item."""
    return mini_events.groupBy("item_id").agg(F.sum("amount").alias("heard"))


def mini_marked(mini_events: DataFrame, mini_items: DataFrame) -> DataFrame:
    """One row per user and item."""
    own = mini_events.groupBy("user_id", "item_id").agg(F.sum("amount").alias("amount"))
    return own.join(mini_items, on="item_id", how="left")


def users_of(changed: DataFrame, events: DataFrame) -> DataFrame:
    """The users who have one of the changed items."""
    return events.join(changed, on="item_id", how="left_semi").select("user_id").distinct()


def mini_totals(mini_marked: DataFrame, mini_settings: DataFrame) -> DataFrame:
    """One row per user."""
    if "gold.mini_totals" in RAISING:
        raise RuntimeError("no luck today\nand a second line")
    totals = mini_marked.groupBy("user_id").agg(F.sum("amount").alias("total"), F.sum("heard").alias("heard"))
    return totals.join(mini_settings, on="user_id", how="left")


def mini_site(mini_totals: DataFrame) -> DataFrame:
    """One row for all."""
    return mini_totals.agg(F.sum("total").alias("total")).select(F.lit("all").alias("name"), "total")


def mini_counts(mini_events: DataFrame) -> DataFrame:
    """One row per user."""
    return mini_events.groupBy("user_id").agg(F.count("*").alias("lines"))


def declare() -> None:
    """Register the tables. `total` below 0 fails mini_totals, fewer than 2 `lines` are a warning of mini_counts."""
    heard, gap = column("heard", "bigint", "of all users"), column("gap", "int", "minutes")
    total = column("total", "bigint", "sum of amounts")
    table(
        "bronze.mini_events",
        key=["file_hash", "row_number"],
        scope="user",
        schema=[*ORIGIN, USER, ITEM, AMOUNT, *BATCH],
        sources=[Lines()],
    )(mini_events)
    table("bronze.mini_settings", key=["user_id"], scope="user", schema=[USER, gap])(mini_settings)
    table("silver.mini_items", key=["item_id"], scope="entity", schema=[ITEM, heard])(mini_items)
    table(
        "silver.mini_marked",
        key=["user_id", "item_id"],
        scope="user",
        schema=[USER, ITEM, AMOUNT, heard],
        touches={"mini_items": (users_of, "mini_events")},
    )(mini_marked)
    table("gold.mini_totals", key=["user_id"], scope="user", schema=[USER, total, heard, gap], rules=[at_least("total", 0)])(
        mini_totals
    )
    table("gold.mini_site", key=["name"], scope="whole", schema=[column("name", "string", "all"), total])(mini_site)
    lines = column("lines", "bigint", "number of lines")
    table("gold.mini_counts", key=["user_id"], scope="user", schema=[USER, lines], rules=[at_least("lines", 2, "WARN")])(
        mini_counts
    )


@contextmanager
def declared() -> Iterator[None]:
    """The small graph stands in the registry while the block runs."""
    # The project's tables are declared once, when their modules are first imported.
    before = load()
    for name in [name for name, known in before.items() if known.transform is not None]:
        del REGISTRY[name]
    declare()
    try:
        yield
    finally:
        RAISING.clear()
        REGISTRY.clear()
        REGISTRY.update(before)


class Lake:
    """A landing folder and a lakehouse of the small graph."""

    def __init__(self, folder: Path) -> None:
        self.landing, self.root = folder / "landing", folder / "lakehouse"
        self.landing.mkdir(parents=True, exist_ok=True)

    def drop(self, name: str, *lines: str) -> None:
        """Put a file into the landing folder."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([HEADER, *lines]) + "\n")

    def tables(self) -> dict[str, Table]:
        mini = [t for t in REGISTRY.values() if t.short_name.startswith("mini_")]
        return {name: REGISTRY[name] for name in ordered(mini)}

    def run(self, *selectors: str, full: bool = False, engine: str = "embedded", **settings: Any) -> Report:
        """One run, as the command line would start it."""
        chosen = ListeningSettings(landing=self.landing, dir=self.root, engine=engine, _env_file=None, **settings)
        with room_for_another_engine():
            return run_pipeline(chosen, self.tables(), Quiet(), selectors, full=full)

    def path(self, name: str) -> Path:
        return self.root.joinpath(*name.split("."))

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """The published rows, sorted; lineage columns only when named."""
        wanted = columns or tuple(c.name for c in REGISTRY[name].columns if not c.name.startswith("_"))
        rows = DeltaTable(self.path(name)).to_pyarrow_table(columns=list(wanted)).to_pylist()
        return sorted((tuple(row[c] for c in wanted) for row in rows), key=str)

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every published table's rows, without lineage."""
        return {name: self.rows(name) for name in self.tables() if delta.version(self.path(name)) is not None}

    def versions(self) -> dict[str, int | None]:
        return {name: delta.version(self.path(name)) for name in self.tables()}

    def checks(self, run: Report, table: str) -> dict[str, str]:
        """What ops.qa_validation_results holds of a run and table: status per rule."""
        rows = delta.read_rows(self.root / "ops" / "qa_validation_results")
        return {r["rule"]: r["status"] for r in rows if (r["run_id"], r["table_name"]) == (run.run_id, table)}

    def held(self) -> list[tuple[str, str, str, int]]:
        """What ops.held_keys holds: table, user, rule and rows."""
        return [(key.table_name, key.user_id, key.rule, key.violations) for key in Ledger(self.root).held()]

    def builds(self, run: Report) -> dict[str, dict[str, Any]]:
        """What ops.table_builds holds of a run, per table."""
        return {row["table_name"]: row for row in Ledger(self.root).builds(run.run_id)}


def statuses(report: Report) -> dict[str, str]:
    """Status per table that the run tried to build."""
    return {outcome.table: outcome.status for outcome in report.outcomes}


def keys_built(report: Report) -> dict[str, int | None]:
    """Number of keys that the run recomputed per table; None for all of them."""
    return {outcome.table: asdict(outcome)["keys"] for outcome in report.outcomes}


def error_of(report: Report, name: str) -> str | None:
    """What the outcome of a table says went wrong."""
    return next(outcome.error for outcome in report.outcomes if outcome.table == name)


def gold_table(
    name: str, function: Any, *more: Any, scope: Any = "user", key: Sequence[str] = ("user_id",), rules: Sequence[Rule] = ()
) -> None:
    """Register one more gold table, of a user and more columns."""
    table(f"gold.{name}", key=key, scope=scope, schema=[USER, *more], rules=rules)(function)
