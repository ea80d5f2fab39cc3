"""Which sessions, hours, days and weeks were unlike the listener's own past, in which measure, and by how much?"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.cognitive.anomaly_measures import SHARE_NOISE, Measure, measures
from gold.cognitive.listening_units import GRAINS, listening_units
from lakehouse.declare import column, satisfies, table
from music.listening import measured_share
from music.ranking import summed
from music.statistics import ratio, t_quantile, with_normal_p_value, with_t_deviate

FALSE_ALARM_RATE = 0.001
Z_ALARM, Z_STRONG, Z_EXTREME = 3.2905267314919255, 3.8905918864131203, 4.891638475699412
"""Normal deviates of two-sided p-values of 0.001, 0.0001 and 0.000001."""
BLOCK, BLOCKS_BACK = 25, 4
"""A unit is compared with the last four finished blocks of 25 units of its grain before its own block."""
FEWEST, FEWEST_TRIMMED = 20, 5
"""The fewest units with a known measure in all those blocks together, and in one block."""
TRIM = (1.158, -0.45)
HEAVIER_TAILS = 1.1
"""Listening has heavier tails than the normal distribution. With this factor on the error, no measure of unremarkable
synthetic listeners is reported much more often than it should be (docs/decisions/0013-anomalies.md)."""
SAME = 1e-9
"""Two units with the same listens may differ by this much, because the last digits of a sum depend on the order of its terms."""
SEVERITIES = ("notable", "strong", "extreme")
OF_BLOCK = ["user_id", "place", "block", "number"]
NAMES = ("plays", "minutes", "sessions", "skip_rate", "new_artist_share", "night_share", "valence", "energy")


@table(
    "gold.listening_anomalies",
    key=["user_id", "grain", "at", "measure"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("grain", "string", "session, hour, day or week (from Monday)", one_of=GRAINS),
        column("at", "timestamp", "start of the unit in the listener's time zone, stored as if it were UTC"),
        column("measure", "string", "measure that was unusual", one_of=NAMES),
        column("session_id", "string", "session id; null for other grains"),
        column("hour_of_day", "int", "hour of `at`, 0-23 (UTC if the time zone is unknown); null for days and weeks"),
        column("plays", "bigint", "plays in the unit", nullable=False),
        column("observed", "double", "value of the measure: a count, minutes, or a share or mean (0-1)", nullable=False),
        column("expected", "double", "value expected from the listener's past", nullable=False),
        column("expected_low", "double", "lower end of the 95% prediction interval", nullable=False),
        column("expected_high", "double", "upper end", nullable=False),
        column("direction", "string", "higher or lower than expected", nullable=False, one_of=("higher", "lower")),
        column("z", "double", "signed distance, as the standard normal deviate with the same tail probability", nullable=False),
        column(
            "p_value",
            "double",
            "two-sided p-value of a distance this large by chance",
            nullable=False,
            between=(0, FALSE_ALARM_RATE),
        ),
        column("false_alarm_rate", "double", "expected share of ordinary units that are reported, per measure", nullable=False),
        column(
            "past_units",
            "bigint",
            "number of earlier units of the grain in the comparison, at most 100",
            nullable=False,
            at_least=FEWEST,
        ),
        column("earlier_units", "bigint", "number of all earlier units of the grain", nullable=False),
        column(
            "expected_false_alarms",
            "double",
            "upper bound of the false alarms expected so far for the grain and measure: earlier_units * false_alarm_rate",
            nullable=False,
        ),
        column(
            "anomaly_severity",
            "string",
            "notable (p < 0.001), strong (p < 0.0001) or extreme (p < 0.000001)",
            nullable=False,
            one_of=SEVERITIES,
        ),
        column("measured_share", "double", "share (0-1) of the unit's listens with measured features; null without listens"),
        column("interpretation", "string", "summary of the row in one sentence", nullable=False),
    ],
    rules=[
        satisfies(
            "the range holds what is expected",
            ["expected", "expected_low", "expected_high"],
            lambda: F.col("expected").between(F.col("expected_low") - 1e-9, F.col("expected_high") + 1e-9),
        )
    ],
)
def listening_anomalies(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, unit (session, hour, day or finished week) and measure that is far from the listener's past.

    A unit is compared with up to 100 earlier units of its grain (the last four finished blocks of 25, without silent hours
    and days). Later units are not used, so a row does not change when new plays arrive. Counts are compared as logarithms,
    shares by arcsine, each with the noise due to the size of the unit (DerSimonian & Laird 1986) and of the past; the
    highest and the lowest value of each block are dropped. A unit is reported if p < 0.001 by Student's t and it lies
    beyond all of those units. Fewer than 1 in 1,000 ordinary synthetic units are reported; see
    docs/decisions/0013-anomalies.md.
    """
    asked = measures()
    units = _numbered(listening_units(listening_with_features), asked)
    compared = _measured(units, asked).join(_expected(_past(_blocks(units, asked)), asked), on=OF_BLOCK, how="inner")
    is_beyond = ~F.col("y").between(F.col("least") - SAME, F.col("most") + SAME)
    alarming = _judged(compared, asked).where((F.abs(F.col("z")) > Z_ALARM) & is_beyond)
    unusual = with_normal_p_value(_with_range(alarming, asked))
    severity = F.when(F.abs(F.col("z")) > Z_EXTREME, "extreme").when(F.abs(F.col("z")) > Z_STRONG, "strong")
    return unusual.select(
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
        measured_share(F.col("measured"), F.col("listens")).alias("measured_share"),
        _sentence(asked).alias("interpretation"),
    )


def _numbered(units: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """Units in blocks of 25, with each measure's value on its scale and the components of its noise.

    A value is null if it is unknown or if the measure does not apply to the grain.
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


def _measured(units: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """One row per unit and known measure; the measure is identified by its number in `asked`, from 1."""
    rows = [
        F.struct(
            F.lit(number).alias("number"),
            *[F.col(f"{measure.name}_{part}").cast("double").alias(part) for part in ("y", "observed")],
            (F.col(f"{measure.name}_size") if measure.size is not None else F.lit(0.0)).cast("double").alias("size"),
        )
        for number, measure in enumerate(asked, start=1)
    ]
    kept = ("user_id", "place", "block", "grain", "at", "session_id", "plays", "measured", "listens", "earlier_units")
    exploded = units.select(*kept, F.explode(F.array(*rows)).alias("of")).select(*kept, "of.*")
    return exploded.where(F.col("y").isNotNull())


def _blocks(units: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """One row per block and measure: number of units with a value, minimum, maximum and sums. Grouped before rows multiply."""
    aggregates: dict[str, Column] = {}
    for measure in asked:
        name, y = measure.name, F.col(f"{measure.name}_y")
        aggregates |= {f"{name}_n": F.count(y), f"{name}_least": F.min(y), f"{name}_most": F.max(y)}
        aggregates |= {f"{name}_sum": F.sum(y), f"{name}_square": F.sum(y * y)}
        aggregates |= {f"{name}_{part}": F.sum(f"{name}_{part}") for part in _parts(measure)}
    blocks = units.groupBy("user_id", "place", "block").agg(*[value.alias(name) for name, value in aggregates.items()])
    every = ("n", "least", "most", "sum", "square", "size", "squares", "degrees")
    rows = [
        F.struct(
            F.lit(number).alias("number"),
            *[
                (F.col(f"{measure.name}_{part}") if f"{measure.name}_{part}" in aggregates else F.lit(None))
                .cast("double")
                .alias(part)
                for part in every
            ],
        )
        for number, measure in enumerate(asked, start=1)
    ]
    kept = ("user_id", "place", "block")
    return blocks.select(*kept, F.explode(F.array(*rows)).alias("of")).select(*kept, "of.*")


def _past(blocks: DataFrame) -> DataFrame:
    """Per block and measure, a summary of the four blocks before it: sums over trimmed blocks, minimum and maximum.

    The highest and the lowest value of each block are dropped, so that one extreme day does not hide the next. Blocks are
    summarised first, because frames that slide over every unit cost several times as much.
    """
    before = Window.partitionBy("user_id", "place", "number").orderBy("block").rowsBetween(-BLOCKS_BACK, -1)
    n, least, most = F.col("n"), F.col("least"), F.col("most")
    is_trimmed = n >= FEWEST_TRIMMED
    trimmed = {
        "sum": F.col("sum") - least - most,
        "square": F.col("square") - least * least - most * most,
        "kept": n - F.lit(2.0),
        "n": n,
        "shrunk": (n - F.lit(2.0)) * _trimmed_variance(n),
    }
    past = {part: F.sum(F.when(is_trimmed, value)).over(before) for part, value in trimmed.items()}
    past |= {part: F.sum(part).over(before) for part in ("size", "squares", "degrees")}
    past |= {"known": F.sum(n).over(before), "least": F.min(least).over(before), "most": F.max(most).over(before)}
    return blocks.select(*OF_BLOCK, *[value.alias(f"past_{part}") for part, value in past.items()])


def _expected(past: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """What a block's past predicts for its units: everything that does not depend on the unit itself."""
    centre, kept = F.col("centre"), F.col("past_kept")
    spread = F.col("past_square") - kept * centre * centre
    # What rounding leaves of no spread is none.
    squares = F.when(spread > F.lit(1e-12) * F.col("past_square"), spread).otherwise(F.lit(0.0))
    total, noise = F.col("total"), F.col("noise")
    learned = F.coalesce(ratio(F.col("past_squares"), F.col("past_degrees")), F.lit(0.0))
    noises = {m.name: F.lit(SHARE_NOISE) if m.squares is None else learned for m in asked if m.size is not None}
    floors = {m.name: m.floor(centre) for m in asked if m.floor is not None}
    usual = noise * ratio(F.col("past_size"), F.col("past_known"))
    is_sized = F.col("number").isin(*[number for number, m in enumerate(asked, start=1) if m.size is not None])
    # greatest passes over nulls: where a measure has no floor, the total stands.
    between_units = F.when(is_sized, F.greatest(F.lit(0.0), total - usual)).otherwise(F.greatest(total, F.col("floor")))
    steps = past.withColumn("centre", ratio(F.col("past_sum"), kept)).withColumns(
        {
            "total": F.lit(HEAVIER_TAILS**2) * ratio(squares, F.col("past_shrunk")),
            "noise": F.coalesce(_of_measure(noises, asked), F.lit(0.0)),
            "floor": _of_measure(floors, asked),
        }
    )
    return steps.select(
        *OF_BLOCK,
        "centre",
        (between_units + ratio(total, F.col("past_n"))).alias("variance"),
        "noise",
        F.when(F.col("past_n") >= FEWEST, F.col("past_n") - F.lit(1.0)).alias("freedom"),
        F.col("past_least").alias("least"),
        F.col("past_most").alias("most"),
        _of_measure({m.name: m.back(centre) for m in asked}, asked).alias("expected"),
    )


def _of_measure(values: Mapping[str, Column], asked: tuple[Measure, ...]) -> Column:
    """The value for the row's measure; null if `values` has none for it."""
    cases = [F.when(F.col("number") == number, values[m.name]) for number, m in enumerate(asked, start=1) if m.name in values]
    return F.coalesce(*cases)


def _parts(measure: Measure) -> tuple[str, ...]:
    """The parts of a unit's measure other than its value."""
    return (*(("size",) if measure.size is not None else ()), *(("squares", "degrees") if measure.squares is not None else ()))


def _trimmed_variance(n: Column) -> Column:
    """Mean square of n standard normal values around 0 without their highest and lowest, within 0.03 for n of 5 to 25.

    A fit to 200,000 simulated samples of each size.
    """
    return F.lit(1.0) - F.lit(TRIM[0]) * F.pow(n.cast("double"), F.lit(TRIM[1]))


def _judged(compared: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """The rows with enough past, with the measure's name and z."""
    error = F.sqrt(F.col("variance") + F.col("noise") * F.col("size"))
    known = (
        compared.withColumn("error", error)
        .where((F.col("error") > 0) & F.col("freedom").isNotNull())
        .withColumns(
            {
                "measure": F.element_at(F.array(*[F.lit(m.name) for m in asked]), F.col("number")),
                "t": ratio(F.col("y") - F.col("centre"), F.col("error")),
            }
        )
    )
    judged = with_t_deviate(known, "t", "freedom", "deviate").drop("t")
    return judged.withColumn("z", F.when(F.col("y") < F.col("centre"), -F.col("deviate")).otherwise(F.col("deviate")))


def _with_range(unusual: DataFrame, asked: tuple[Measure, ...]) -> DataFrame:
    """Adds the 95% range of the expected value, in each measure's own unit."""
    reach = F.col("reach") * F.col("error")

    def back(value: Column) -> Column:
        return _of_measure({m.name: m.back(value) for m in asked}, asked)

    ends = {"expected_low": back(F.col("centre") - reach), "expected_high": back(F.col("centre") + reach)}
    return unusual.withColumn("reach", t_quantile(F.col("freedom"))).withColumns(ends)


def _sentence(asked: tuple[Measure, ...]) -> Column:
    said = F.element_at(F.array(*[F.lit(m.said) for m in asked]), F.col("number"))
    is_share = F.col("measure").isin(*[m.name for m in asked if m.is_share])

    def shown(value: str) -> Column:
        figure = summed(F.col(value))
        percent = F.concat(F.round(figure * F.lit(100.0)).cast("int").cast("string"), F.lit("%"))
        small = F.round(figure, 2).cast("string")
        whole = F.round(figure).cast("int").cast("string")
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
