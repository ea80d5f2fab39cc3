"""Who is this listener compared with others: explorer or loyalist, night or day, skipper or finisher, eclectic or focused?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.behaviour import AXES, SOUND, Axis, behaviour
from lakehouse.declare import Column as TableColumn
from lakehouse.declare import Model, column, table
from music.populations import population_by_id
from music.ranking import summed

FEWEST_LISTENERS = 20
"""The fewest listeners in the comparison for which a percentile is meaningful."""
UPPER, LOWER = 2 / 3, 1 / 3
CLEARLY = 0.1
"""A figure that is this share above or below a published one belongs to a segment."""
BETWEEN, UNPLACED = "in between", "not comparable"
ADVICE = {
    "explorer": "Much is new here: a list of last year's finds keeps the good ones within reach.",
    "loyalist": "The favourites hold: one unheard album of a favourite artist is a small step further.",
    "night listener": "Much of it is at night: calmer music towards the end makes a night of listening end well.",
    "day listener": "Most of it is by day: a list for work and one for the way home would both be heard.",
    "skipper": "Many plays are skipped: a shorter, surer list would be heard to its end more often.",
    "finisher": "Most plays are heard to the end: whole albums suit this way of listening.",
    "eclectic": "The taste is wide: mixes by mood hold it together better than mixes by artist.",
    "focused": "A few artists fill most of it: their neighbours are the nearest way to something new.",
}
ALL_ROUNDER = "all-rounder"
NO_ADVICE = "Nothing stands out against others: any kind of list is worth a try."


def _axis_columns(axis: Axis) -> list[TableColumn]:
    name = axis.measure
    return [
        column(name, "double", f"what share (0-1) {axis.said}; null where unknown", between=(0, 1)),
        column(
            f"{name}_percentile",
            "double",
            f"share (0-1) of listeners with a lower value; null with fewer than {FEWEST_LISTENERS} listeners",
            between=(0, 1),
        ),
        column(f"{name}_listeners", "bigint", "number of listeners of the same population in the comparison", nullable=False),
        column(
            f"{name}_segment",
            "string",
            f"{axis.high}, {axis.low}, {BETWEEN} or {UNPLACED}",
            nullable=False,
            one_of=(axis.high, axis.low, BETWEEN, UNPLACED),
        ),
    ]


@table(
    "gold.behavioral_segments",
    key=["user_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("total_listens", "bigint", "plays of 30 s or more", nullable=False, at_least=0),
        *[c for axis in AXES for c in _axis_columns(axis)],
        *[
            column(f"overall_{name}", "double", f"mean {name} over listens with a known value, 0-1", between=(0, 1))
            for name in SOUND
        ],
        column("mood_variability", "double", "standard deviation of valence over those listens; null for a single listen"),
        column("energy_variability", "double", "standard deviation of energy"),
        column("measured_share", "double", "share (0-1) of listens with measured features; null without listens"),
        column("listening_archetype", "string", "typical sound and most distinctive segment, in words", nullable=False),
        column("archetype_description", "string", "the four measures, in sentences", nullable=False),
        column(
            "wellbeing_recommendation",
            "string",
            "suggestion based on the archetype; not medical advice",
            nullable=False,
        ),
        column("model_id", "string", "model that provides the percentiles", nullable=False),
    ],
)
def behavioral_segments(listening_with_features: DataFrame, segment_cut_points: Model) -> DataFrame:
    """One row per listener.

    Percentiles are against the listeners of the same population (real or synthetic) in the model's training data; the upper
    and the lower third have names. With fewer than 20 listeners there are no percentiles. The measure is then compared with
    a published figure if one exists (10% above or below it), and the description says so.
    """
    cuts = F.broadcast(segment_cut_points.frame("cut_points"))
    placed = behaviour(listening_with_features).withColumn("population", population_by_id())
    joined = placed.join(cuts, on="population", how="left")
    for axis in AXES:
        joined = joined.withColumns(_percentile(axis)).withColumn(f"{axis.measure}_segment", _segment(axis))
    marked = joined.withColumn("marked", _most_marked())
    return marked.select(
        *["user_id", "total_listens"],
        *[c.name for axis in AXES for c in _axis_columns(axis)],
        *[f"overall_{name}" for name in SOUND],
        *["mood_variability", "energy_variability", "measured_share"],
        F.concat_ws(" ", _sound(), _noun()).alias("listening_archetype"),
        F.concat_ws(" ", *[_sentence(axis) for axis in AXES]).alias("archetype_description"),
        _advice().alias("wellbeing_recommendation"),
        F.lit(segment_cut_points.id).alias("model_id"),
    )


def _percentile(axis: Axis) -> dict[str, Column]:
    """The number of listeners in the comparison, and the share of their 99 percentiles below the value; equal ones count half."""
    name, listeners = axis.measure, F.coalesce(F.col(f"{axis.measure}_listeners"), F.lit(0).cast("bigint"))
    cuts, value = F.col(f"{name}_cuts"), F.col(name)
    below = F.size(F.filter(cuts, lambda cut: cut < value)) + F.size(F.filter(cuts, lambda cut: cut <= value))
    is_placed = (listeners >= FEWEST_LISTENERS) & value.isNotNull()
    return {
        f"{name}_percentile": F.when(is_placed, below / F.lit(2.0 * 99)),
        f"{name}_listeners": listeners,
    }


def _segment(axis: Axis) -> Column:
    value, percentile = F.col(axis.measure), F.col(f"{axis.measure}_percentile")
    by_others = F.when(percentile >= UPPER, axis.high).when(percentile <= LOWER, axis.low)
    if axis.reference is None:
        return by_others.otherwise(F.when(percentile.isNotNull(), BETWEEN).otherwise(UNPLACED))
    published = (
        F.when(value > axis.reference * (1 + CLEARLY), axis.high)
        .when(value < axis.reference * (1 - CLEARLY), axis.low)
        .when(value.isNotNull(), BETWEEN)
        .otherwise(UNPLACED)
    )
    return by_others.when(percentile.isNotNull(), BETWEEN).otherwise(published)


def _most_marked() -> Column:
    """The segment farthest from the middle of the population; with published figures, the first segment that applies."""
    marks = [_mark(axis) for axis in AXES]
    most = F.greatest(*marks)
    chosen = F.when(most <= 0, ALL_ROUNDER)
    for axis, mark in zip(AXES, marks, strict=True):
        chosen = chosen.when(mark == most, F.col(f"{axis.measure}_segment"))
    return chosen


def _mark(axis: Axis) -> Column:
    has_name = F.col(f"{axis.measure}_segment").isin(axis.high, axis.low)
    distance = F.abs(F.coalesce(F.col(f"{axis.measure}_percentile"), F.lit(1.0)) - F.lit(0.5))
    return F.when(has_name, distance).otherwise(F.lit(0.0))


def _noun() -> Column:
    """The marked segment as a noun."""
    is_noun = ~F.col("marked").isin("eclectic", "focused")
    return F.when(is_noun, F.col("marked")).otherwise(F.concat(F.col("marked"), F.lit(" listener")))


def _sound() -> Column:
    """The mean sound in two words; null where no feature is known."""
    energy = F.when(summed(F.col("overall_energy")) >= 0.5, "Energetic").when(F.col("overall_energy").isNotNull(), "Calm")
    mood = F.when(summed(F.col("overall_valence")) >= 0.5, "cheerful").when(F.col("overall_valence").isNotNull(), "wistful")
    return F.when(energy.isNotNull() & mood.isNotNull(), F.concat(energy, F.lit(", "), mood))


def _sentence(axis: Axis) -> Column:
    """The measure and what it is compared with; null where the measure is unknown."""
    name = axis.measure
    others = F.col(f"{name}_listeners").cast("string")
    figure = F.concat(_percent(F.col(name)), F.lit(f"% {axis.said}"))
    against = F.concat(F.lit(", more than "), _percent(F.col(f"{name}_percentile")), F.lit("% of "), others, F.lit(" listeners."))
    alone = F.concat(
        *[F.lit("; too few listeners to compare with ("), others, F.lit(f"), but {axis.source}." if axis.source else ").")]
    )
    return F.concat(figure, F.when(F.col(f"{name}_percentile").isNotNull(), against).otherwise(alone))


def _percent(share: Column) -> Column:
    return F.round(share * F.lit(100.0)).cast("int").cast("string")


def _advice() -> Column:
    chosen = F.when(F.col("marked") == ALL_ROUNDER, NO_ADVICE)
    for segment, advice in ADVICE.items():
        chosen = chosen.when(F.col("marked") == segment, advice)
    return chosen
