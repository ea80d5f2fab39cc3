"""Which listeners break the FAIL rules of a table, so that their rows alone can stay as they were."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.build.batched_aggregates import ask, question
from lakehouse.build.quality import CheckResult, violation
from lakehouse.declare.rules import Rule
from lakehouse.declare.table import LISTENER, Table
from lakehouse.storage.held import Held

# Beyond these a rule speaks about the table and not about listeners: the table is refused as a whole.
MAX_HELD = 1000
MAX_SHARE = 0.5
BY_LISTENER = ("row", "unique", "foreign_key")


class WholeTableError(Exception):
    """The violations cannot be laid to a few listeners; the message says why."""


def none_of(listeners: Iterable[str]) -> Column:
    """Whether a row is of nobody among the listeners; a row without a listener is of none of them."""
    return F.col(LISTENER).isNull() | ~F.col(LISTENER).isin(sorted(listeners))


def violators(declared: Table, rows: DataFrame, references: Mapping[str, DataFrame], checks: Iterable[CheckResult]) -> list[Held]:
    """The listeners of the rows that break a FAIL rule, each with the rule and the number of these rows.

    Of a unique key, all who share it. Raises WholeTableError where a broken rule is about the whole table, where a row that
    breaks one names no listener, or where more than MAX_HELD listeners do.
    """
    broken = {check.rule for check in checks if check.status == "FAIL"}
    rules = [rule for rule in declared.rules if rule.name in broken]
    if whole := [rule.name for rule in rules if rule.kind not in BY_LISTENER]:
        raise WholeTableError(f"{whole[0]} is about the whole table")
    return _counted([(rule.name, _violating(rule, rows, references)) for rule in rules])


def colliding(declared: Table, rows: DataFrame, kept: DataFrame) -> list[Held]:
    """The listeners whose rows share a unique key with rows of others that stay as they were.

    Only keys that do not hold the listener can be shared, such as a place in a file that became another listener's.
    """
    rules = [r for r in declared.rules if r.kind == "unique" and r.severity == "FAIL" and LISTENER not in r.columns]
    shared = []
    for rule in rules:
        taken = kept.select(*[F.col(name).alias(f"taken_{name}") for name in rule.columns])
        equal = [F.col(name).eqNullSafe(F.col(f"taken_{name}")) for name in rule.columns]
        shared.append((rule.name, rows.join(taken, on=reduce(Column.__and__, equal), how="left_semi")))
    return _counted(shared)


def check_share(held: Collection[str], known: int, *tables: DataFrame) -> None:
    """Raises WholeTableError where more than MAX_SHARE of all listeners, or more than MAX_HELD, are held back.

    All are those of the tables, or `known` where more are known: few may have rows in a table of dislikes.
    """
    if len(held) > MAX_HELD:
        raise WholeTableError(f"more than {MAX_HELD:,} listeners break a rule, too many to hold back")
    listeners = reduce(DataFrame.unionAll, [table.select(LISTENER) for table in tables])
    named = ask({"all": question(listeners, [F.count_distinct(F.col(LISTENER))])})["all"][None][0] or 0
    total = max(named, known)
    if len(held) > MAX_SHARE * total:
        raise WholeTableError(f"{len(held):,} of {total:,} listeners break a rule, too many to hold back")


def _violating(rule: Rule, rows: DataFrame, references: Mapping[str, DataFrame]) -> DataFrame:
    if rule.kind == "row":
        return rows.where(violation(rule))
    if rule.reference is not None:
        name, column = rule.reference
        value = F.col(rule.columns[0])
        there = references[name].select(F.col(column).alias("_there")).distinct()
        return rows.where(value.isNotNull()).join(there, on=value == F.col("_there"), how="left_anti")
    copies = F.count("*").over(Window.partitionBy(*rule.columns))
    return rows.withColumn("_copies", copies).where(F.col("_copies") > 1)


def _counted(violating: Iterable[tuple[str, DataFrame]]) -> list[Held]:
    """By rule and listener the number of rows, in one query. Raises WholeTableError as `violators`."""
    counted = [
        # As a column before it is grouped: what a join or a window left beside it is then no part of the plan.
        rows.select(LISTENER).groupBy(LISTENER).agg(F.count("*").alias("violations")).withColumn("rule", F.lit(rule))
        for rule, rows in violating
    ]
    if not counted:
        return []
    limited = [frame.select(LISTENER, "rule", "violations").limit(MAX_HELD + 1) for frame in counted]
    held = [Held(row[LISTENER], row["rule"], row["violations"]) for row in reduce(DataFrame.unionAll, limited).collect()]
    if nameless := [one for one in held if one.user_id is None]:
        raise WholeTableError(f"{nameless[0].rule} is broken by rows that name no listener")
    if len({one.user_id for one in held}) > MAX_HELD:
        raise WholeTableError(f"more than {MAX_HELD:,} listeners break a rule, too many to hold back")
    return sorted(held)
