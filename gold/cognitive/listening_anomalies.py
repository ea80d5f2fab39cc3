"""Which sessions, hours, days and weeks were unlike the listener's own past, in what, and how far?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.cognitive.anomaly_measures import SHARE_NOISE, Measure, measures
from gold.cognitive.listening_units import GRAINS, listening_units
from gold.statistics import ratio, t_quantile, with_normal_p_value, with_t_deviate
from lakehouse.rules import at_least, between, is_in, satisfies
from lakehouse.table import column, table

FALSE_ALARM_RATE = 0.001
Z_ALARM, Z_STRONG, Z_EXTREME = 3.2905267314919255, 3.8905918864131203, 4.891638475699412
"""Normal deviates of two-sided p-values of 0.001, 0.0001 and 0.000001."""
BLOCK, BLOCKS_BACK = 25, 4
"""A unit is compared with the finished blocks of 25 units of its grain before its own block, the last four of them."""
FEWEST, FEWEST_TRIMMED = 20, 5
"""Units with a known measure that are enough in all those blocks, and in one."""
TRIM = (1.158, -0.45)
HEAVIER_TAILS = 1.1
"""Listening has heavier tails than the normal: with this factor on the error, of the measures of unremarkable synthetic
listeners none is reported much more often than it should (docs/decisions/0013-anomalies.md)."""
SAME = 1e-9
"""Two units with the same listens may differ by so much: a sum's last digits depend on the order of its terms."""
SEVERITIES = ("notable", "strong", "extreme")
NAMES = ("plays", "minutes", "sessions", "skip_rate", "new_artist_share", "night_share", "valence", "energy")


@table(
    "gold.listening_anomalies",
    key=["user_id", "grain", "at", "measure"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("grain", "string", "session, hour, day or week (from Monday)"),
        column("at", "timestamp", "where it begins on the listener's wall clock, stored as if it were UTC"),
        column("measure", "string", "what was unusual"),
        column("session_id", "string", "the session; null for other grains"),
        column("hour_of_day", "int", "local hour of `at`, 0-23; null for days and weeks"),
        column("plays", "bigint", "plays in it", nullable=False),
        column("observed", "double", "the measure's value: a number, minutes, or a share or mean of 0-1", nullable=False),
        column("expected", "double", "by the listener's past", nullable=False),
        column("expected_low", "double", "lower end of what 95% of such units would show", nullable=False),
        column("expected_high", "double", "upper end", nullable=False),
        column("direction", "string", "higher or lower than expected", nullable=False),
        column("z", "double", "distance in standard deviations of a normal of the same tail; signed", nullable=False),
        column("p_value", "double", "two-sided, of so far by chance", nullable=False),
        column("false_alarm_rate", "double", "share of unremarkable units expected to be reported, per measure", nullable=False),
        column("past_units", "bigint", "earlier units of the grain that it was compared with, at most 100", nullable=False),
        column("earlier_units", "bigint", "all earlier units of the grain", nullable=False),
        column(
            "expected_false_alarms",
            "double",
            "of grain and measure up to here if nothing ever changed, at most: earlier_units * false_alarm_rate",
            nullable=False,
        ),
        column(
            "anomaly_severity", "string", "notable (p < 0.001), strong (p < 0.0001) or extreme (p < 0.000001)", nullable=False
        ),
        column("measured_share", "double", "share (0-1) of the unit's listens whose features are measured; null without listens"),
        column("interpretation", "string", "the row in a sentence", nullable=False),
    ],
    rules=[
        is_in("grain", GRAINS),
        is_in("measure", NAMES),
        is_in("direction", ("higher", "lower")),
        is_in("anomaly_severity", SEVERITIES),
        at_least("past_units", FEWEST),
        between("p_value", 0, FALSE_ALARM_RATE),
        satisfies(
            "the range holds what is expected",
            ["expected", "expected_low", "expected_high"],
            lambda: F.col("expected").between(F.col("expected_low") - 1e-9, F.col("expected_high") + 1e-9),
        ),
    ],
)
def listening_anomalies(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, unit (session, hour, day or finished week) and measure that lies far from the listener's past.

    A unit is compared with up to 100 units of its grain before it (the last four finished blocks of 25; silent hours and
    days apart); nothing later counts, so a row stays as it is when new plays arrive. Counts are compared as logarithms,
    shares by arcsine, each with the noise that comes of the unit's own size (DerSimonian & Laird 1986) and of the past's;
    of each block of the past the highest and the lowest value do not count. Reported is what has p < 0.001 by Student's t
    and is beyond every one of those units. Of unremarkable synthetic units less than 1 in 1,000 is reported; see
    docs/decisions/0013-anomalies.md.
    """
    asked = measures()
    units = _with_past(_numbered(listening_units(listening_with_features), asked), asked)
    is_beyond = ~F.col("y").between(F.col("least") - SAME, F.col("most") + SAME)
    alarming = _judged(units, asked).where((F.abs(F.col("z")) > Z_ALARM) & is_beyond)
    found = with_normal_p_value(_with_range(alarming, asked))
    severity = F.when(F.abs(F.col("z")) > Z_EXTREME, "extreme").when(F.abs(F.col("z")) > Z_STRONG, "strong")
    return found.select(
        *["user_id", "grain", "at", "measure", "session_id"],
        F.when(F.col("grain").isin("session", "hour"), F.hour("at")).alias("hour_of_day"),
        *["plays", "observed", "expected", "expected_low", "expected_high"],
        F.when(F.col("z") > 0, "higher").otherwise("lower").alias("direction"),
        *["z", "p_value"],
        F.lit(FALSE_ALARM_RATE).alias("false_alarm_rate"),
        (F.col("freedom") + F.lit(1)).cast("bigint").alias("past_units"),
        "earlier_units",
        (F.col("earlier_units") * F.lit(FALSE_ALARM_RATE)).alias("expected_false_alarms"),
        severity.otherwise("notable").alias("anomaly_severity"),
        ratio(F.col("measured"), F.col("listens")).alias("measured_share"),
        _sentence(asked).alias("interpretation"),
    )


def _numbered(units: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """Units in blocks of 25, with each measure's value on its scale and what its noise is made of.

    A value is null where it is not known, or the measure is not of the grain.
    """
    values = {}
    for measure in asked:
        of_grain = F.lit(True) if measure.grains == GRAINS else F.col("grain").isin(*measure.grains)
        values[f"{measure.name}_y"] = F.when(of_grain, measure.value)
        values[f"{measure.name}_observed"] = measure.observed
        if measure.size is not None:
            values[f"{measure.name}_size"] = F.when(of_grain, measure.size)
        if measure.squares is not None and measure.degrees is not None:
            values[f"{measure.name}_squares"] = measure.squares
            values[f"{measure.name}_degrees"] = measure.degrees
    kept = ("user_id", "place", "grain", "at", "session_id", "plays", "measured", "listens")
    before = F.row_number().over(Window.partitionBy("user_id", "place").orderBy("at")) - F.lit(1)
    return (
        units.select(*kept, *[value.alias(name) for name, value in values.items()])
        .withColumn("earlier_units", before)
        .withColumn("block", F.floor(F.col("earlier_units") / F.lit(BLOCK)))
    )


def _with_past(units: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """Adds to units what the four blocks before their own say: sums over trimmed blocks, and the least and the most.

    Of each block the highest and lowest value do not count, so one wild day does not hide the next. Blocks are summed up
    first, because frames that slide over every unit cost several times as much.
    """
    aggregates: dict[str, Column] = {}
    for measure in asked:
        name, y = measure.name, F.col(f"{measure.name}_y")
        aggregates |= {f"{name}_n": F.count(y), f"{name}_least": F.min(y), f"{name}_most": F.max(y)}
        aggregates |= {f"{name}_sum": F.sum(y), f"{name}_square": F.sum(y * y)}
        aggregates |= {f"{name}_{part}_sum": F.sum(f"{name}_{part}") for part in _parts(measure)}
    blocks = units.groupBy("user_id", "place", "block").agg(*[value.alias(name) for name, value in aggregates.items()])
    before = Window.partitionBy("user_id", "place").orderBy("block").rowsBetween(-BLOCKS_BACK, -1)
    past = {}
    for measure in asked:
        name = measure.name
        ends = {name: (F.col(f"{measure.name}_least"), F.col(f"{measure.name}_most")) for name in ("sum", "square")}
        is_trimmed = F.col(f"{name}_n") >= FEWEST_TRIMMED
        trimmed = {
            "sum": F.col(f"{name}_sum") - ends["sum"][0] - ends["sum"][1],
            "square": F.col(f"{name}_square") - ends["square"][0] * ends["square"][0] - ends["square"][1] * ends["square"][1],
            "kept": F.col(f"{name}_n") - F.lit(2),
            "n": F.col(f"{name}_n"),
            "shrunk": (F.col(f"{name}_n") - F.lit(2)) * _trimmed_variance(F.col(f"{name}_n")),
        }
        for part, value in trimmed.items():
            past[f"{name}_past_{part}"] = F.sum(F.when(is_trimmed, value.cast("double"))).over(before)
        past |= {f"{name}_past_{part}": F.sum(f"{name}_{part}_sum").over(before) for part in _parts(measure)}
        past |= {f"{name}_past_known": F.sum(f"{name}_n").over(before)}
        past |= {
            f"{name}_past_least": F.min(f"{name}_least").over(before),
            f"{name}_past_most": F.max(f"{name}_most").over(before),
        }
    told = blocks.select("user_id", "place", "block", *[value.alias(name) for name, value in past.items()])
    centres = {f"{m.name}_centre": ratio(F.col(f"{m.name}_past_sum"), F.col(f"{m.name}_past_kept")) for m in asked}
    expected = told.withColumns(centres).select(
        *["user_id", "place", "block"], *[column for measure in asked for column in _expectation(measure)]
    )
    return units.join(expected, on=["user_id", "place", "block"], how="inner")


def _expectation(measure: Measure) -> list[Column]:
    """What a block's past lets expect of its units, as columns: all that does not depend on the unit itself."""
    name = measure.name
    centre, n, kept = F.col(f"{name}_centre"), F.col(f"{name}_past_n"), F.col(f"{name}_past_kept")
    spread = F.col(f"{name}_past_square") - kept * centre * centre
    # What rounding leaves of no spread is none.
    squares = F.when(spread > F.lit(1e-12) * F.col(f"{name}_past_square"), spread).otherwise(F.lit(0.0))
    total = F.lit(HEAVIER_TAILS**2) * ratio(squares, F.col(f"{name}_past_shrunk"))
    noise = F.lit(0.0)
    between_units = total if measure.floor is None else F.greatest(total, measure.floor(centre))
    if measure.size is not None:
        noise = F.lit(SHARE_NOISE)
        if measure.squares is not None:
            learned = ratio(F.col(f"{name}_past_squares"), F.col(f"{name}_past_degrees"))
            noise = F.coalesce(learned, F.lit(0.0))
        usual = noise * ratio(F.col(f"{name}_past_size"), F.col(f"{name}_past_known"))
        between_units = F.greatest(F.lit(0.0), total - usual)
    degrees = F.when(n >= FEWEST, n - F.lit(1))
    values = {
        "centre": centre,
        "variance": between_units + ratio(total, n),
        "noise": noise,
        "freedom": degrees,
        "least": F.col(f"{name}_past_least"),
        "most": F.col(f"{name}_past_most"),
        "expected": measure.back(centre),
    }
    return [value.alias(f"{name}_{part}") for part, value in values.items()]


def _parts(measure: Measure) -> tuple[str, ...]:
    """What, beside its value, a unit has of a measure."""
    return (*(("size",) if measure.size is not None else ()), *(("squares", "degrees") if measure.squares is not None else ()))


def _trimmed_variance(n: Column) -> Column:
    """Mean square of n standard normal values around 0 without their highest and lowest, within 0.03 for n of 5 to 25.

    A fit to 200,000 simulated samples of each size.
    """
    return F.lit(1.0) - F.lit(TRIM[0]) * F.pow(n.cast("double"), F.lit(TRIM[1]))


def _judged(units: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """One row per unit and measure with enough past: observed, expected, least and most before, and z."""
    sizes = {m.name: F.col(f"{m.name}_size") if m.size is not None else F.lit(0.0) for m in asked}
    errors = {f"{n}_error": F.sqrt(F.col(f"{n}_variance") + F.col(f"{n}_noise") * size) for n, size in sizes.items()}
    rows = [_judgement(place, measure) for place, measure in enumerate(asked, start=1)]
    kept = ("user_id", "grain", "at", "session_id", "plays", "measured", "listens", "earlier_units")
    exploded = units.withColumns(errors).select(*kept, F.explode(F.array(*rows)).alias("of")).select(*kept, "of.*")
    known = exploded.where((F.col("error") > 0) & F.col("freedom").isNotNull() & F.col("y").isNotNull()).withColumns(
        {
            "measure": F.element_at(F.array(*[F.lit(m.name) for m in asked]), F.col("number")),
            "t": (F.col("y") - F.col("centre")) / F.col("error"),
        }
    )
    judged = with_t_deviate(known, "t", "freedom", "deviate").drop("t")
    return judged.withColumn("z", F.when(F.col("y") < F.col("centre"), -F.col("deviate")).otherwise(F.col("deviate")))


def _judgement(place: int, measure: Measure) -> Column:
    """A measure of a unit as a struct, the same for every measure."""
    told = {part: F.col(f"{measure.name}_{part}") for part in ("y", "centre", "error", "freedom", "least", "most", "expected")}
    return F.struct(
        F.lit(place).alias("number"),
        *[value.cast("double").alias(part) for part, value in told.items()],
        F.col(f"{measure.name}_observed").cast("double").alias("observed"),
    )


def _with_range(found: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """Adds the 95% range of what was expected, in each measure's own unit."""
    reach = F.col("reach") * F.col("error")

    def back(value: Column) -> Column:
        return F.coalesce(*[F.when(F.col("number") == place, m.back(value)) for place, m in enumerate(asked, start=1)])

    ends = {"expected_low": back(F.col("centre") - reach), "expected_high": back(F.col("centre") + reach)}
    return found.withColumn("reach", t_quantile(F.col("freedom"))).withColumns(ends)


def _sentence(asked: tuple[Measure, ...]) -> Column:
    said = F.element_at(F.array(*[F.lit(m.said) for m in asked]), F.col("number"))
    is_share = F.col("measure").isin(*[m.name for m in asked if m.is_share])

    def shown(value: str) -> Column:
        percent = F.concat(F.round(F.col(value) * F.lit(100.0)).cast("int").cast("string"), F.lit("%"))
        small = F.round(F.col(value), 2).cast("string")
        whole = F.round(F.col(value)).cast("int").cast("string")
        return F.when(is_share, percent).when(F.col("measure").isin("valence", "energy"), small).otherwise(whole)

    day = F.date_format("at", "yyyy-MM-dd")
    moment = F.date_format("at", "yyyy-MM-dd HH:mm")
    when = (
        F.when(F.col("grain") == "week", F.concat(F.lit("The week from "), day))
        .when(F.col("grain") == "day", day)
        .when(F.col("grain") == "hour", F.concat(F.lit("The hour from "), moment))
        .otherwise(F.concat(F.lit("The session of "), moment))
    )
    return F.concat(
        *[
            when,
            F.lit(": "),
            shown("observed"),
            F.lit(" "),
            said,
            F.lit(", where the "),
            (F.col("freedom") + F.lit(1)).cast("bigint").cast("string"),
        ],
        *[F.lit(" "), F.col("grain"), F.lit("s before let expect "), shown("expected"), F.lit(" ("), shown("expected_low")],
        *[F.lit(" to "), shown("expected_high"), F.lit("); none of them went so far.")],
    )
