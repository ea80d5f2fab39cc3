"""Evaluating a table's rules on rows that were written, before they are published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.build.batched_aggregates import Figures, ask, question
from lakehouse.declare.rules import Rule
from lakehouse.declare.table import Table

EXAMPLE_LENGTH = 200
ROWS = "rows"


@dataclass(frozen=True)
class CheckResult:
    """What one rule found: `status` is PASS, WARN or FAIL; `detail` shows an example or the figure judged."""

    rule: str
    status: str
    violations: int
    rows: int
    detail: str | None = None


def evaluate(
    declared: Table, rows: DataFrame, references: Mapping[str, DataFrame], now: dt.datetime, previous_rows: int | None
) -> list[CheckResult]:
    """Check every rule of the table; `references` holds the upstreams by full name, `previous_rows` the count replaced."""
    return judge(declared, ask(questions(declared, rows, references)), rows, now, previous_rows)


def questions(declared: Table, rows: DataFrame, references: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """What has to be known of the rows to judge them: one aggregate for all row rules and freshness, one each for the others."""
    aggregates = [F.count("*")]
    aggregates += [F.count_if(violation(r)) for r in declared.rules if r.kind == "row"]
    aggregates += [F.max(F.when(F.expr(r.among), F.unix_micros(r.columns[0]))) for r in declared.rules if r.kind == "fresh"]
    asked = {ROWS: question(rows, aggregates)}
    for rule in declared.rules:
        if rule.kind == "unique":
            copies = rows.groupBy(*rule.columns).agg(F.count("*").alias("copies"))
            asked[rule.name] = question(copies, [F.count_if(F.col("copies") > 1)])
        elif rule.kind == "foreign_key" and rule.reference is not None:
            name, key = rule.reference
            here = rows.select(F.col(rule.columns[0]).alias("value")).where("value IS NOT NULL").distinct()
            there = references[name].select(F.col(key).alias("value")).distinct()
            asked[rule.name] = question(here.join(there, on="value", how="left_anti"), [F.count("*")])
    return asked


def judge(
    declared: Table,
    answers: Mapping[str, Mapping[str | None, Figures]],
    rows: DataFrame,
    now: dt.datetime,
    previous: int | None,
    others: int = 0,
) -> list[CheckResult]:
    """What the rules say, given the answers to `questions`; looks into `rows` only for an example of a violation.

    `rows` replace `previous` rows (None: there is no table yet); `others` are the rows of the table that stay.
    """
    counted = iter(answers[ROWS][None])
    total = next(counted) or 0
    results = [_judge(r, next(counted) or 0, total, rows) for r in declared.rules if r.kind == "row"]
    results += [_judge_freshness(r, next(counted), total, now) for r in declared.rules if r.kind == "fresh"]
    for rule in declared.rules:
        if rule.kind in ("unique", "foreign_key"):
            results.append(_result(rule, answers[rule.name][None][0] or 0, total))
        elif rule.kind == "row_count":
            results.append(_judge_row_count(rule, total + others, None if previous is None else previous + others))
    return results


def violation(rule: Rule) -> Column:
    """True for a row that breaks a row rule; null where the rule cannot tell, which counts as no violation."""
    if rule.violates is None:
        raise ValueError(f"{rule.name} is not a row rule")
    return rule.violates()


def _result(rule: Rule, violations: int, rows: int, detail: str | None = None) -> CheckResult:
    return CheckResult(rule.name, rule.severity if violations else "PASS", violations, rows, detail)


def _judge(rule: Rule, violations: int, total: int, rows: DataFrame) -> CheckResult:
    if not violations:
        return _result(rule, 0, total)
    example: dict[str, Any] = rows.where(violation(rule)).select(*rule.columns).limit(1).collect()[0].asDict()
    shown = ", ".join(f"{name}={value!r}" for name, value in example.items())
    return _result(rule, violations, total, shown[:EXAMPLE_LENGTH])


def _judge_freshness(rule: Rule, newest_micros: int | None, total: int, now: dt.datetime) -> CheckResult:
    if newest_micros is None:
        return _result(rule, 0, total, "no rows")
    age = now - dt.datetime.fromtimestamp(newest_micros / 1e6, tz=dt.timezone.utc)
    is_old = age > dt.timedelta(days=rule.limit or 0)
    return _result(rule, int(is_old), total, f"newest is {age.total_seconds() / 86_400:.1f} days old")


def _judge_row_count(rule: Rule, total: int, previous: int | None) -> CheckResult:
    if not previous:
        return _result(rule, 0, total, "no earlier version")
    lost = max(previous - total, 0)
    is_too_much = lost > (rule.limit or 0) * previous
    return _result(rule, lost if is_too_much else 0, total, f"{previous:,} rows before, {total:,} now")
