"""The measures that listening_anomalies checks in a session, hour, day or week, each on a scale that makes it nearly normal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from gold.cognitive.listening_units import GRAINS
from music.listening import MINUTE_MS

CALENDAR = ("day", "week")
FEWEST_PLAYS, FEWEST_LISTENS = 5, 3
"""A share of fewer plays, or a mean of fewer listens, is not informative."""
SHARE_NOISE = 0.25
FEW_MINUTES = 5.0
"""Added to minutes before taking the logarithm, because the difference between one and two minutes does not matter."""


@dataclass(frozen=True)
class Measure:
    """One measure of a unit.

    `observed` is in the measure's own unit. `value` is on the scale of comparison, and null if too little is known; `back`
    converts it to the measure's own unit. The smaller a unit, the noisier its share or mean: `size` is 1 / its number of
    plays or listens (null for counts), and this adds a variance of `noise` times size to the value. `noise` is a constant
    or, if `squares` and `degrees` are given, their ratio over the past. A count's variance is at least `floor`, a function
    of its expected value.
    """

    name: str
    grains: tuple[str, ...]
    said: str
    observed: Column
    value: Column
    back: Callable[[Column], Column]
    size: Column | None = None
    squares: Column | None = None
    degrees: Column | None = None
    floor: Callable[[Column], Column] | None = None
    is_share: bool = False


def measures() -> tuple[Measure, ...]:
    """All measures over the columns of a unit; a function, because Columns can only be created within a session."""
    minutes = F.when(F.col("ms") > 0, F.col("ms") / F.lit(float(MINUTE_MS)))
    few = F.lit(FEW_MINUTES)
    return (
        _count("plays", GRAINS, F.col("plays").cast("double")),
        Measure(
            "minutes",
            GRAINS,
            "minutes",
            minutes,
            F.log(minutes + few),
            lambda log: F.greatest(F.lit(0.0), F.exp(log) - few),
            floor=lambda expected: F.exp(-expected),
        ),
        Measure(
            "sessions",
            CALENDAR,
            "sessions",
            F.col("sessions"),
            # Anscombe (1948): the root of a Poisson count + 3/8 has variance 1/4.
            F.sqrt(F.col("sessions") + F.lit(0.375)),
            lambda root: F.greatest(F.lit(0.0), root * root - F.lit(0.375)),
            floor=lambda _: F.lit(0.25),
        ),
        _share("skip_rate", GRAINS, "of plays skipped", F.col("skips"), F.col("skips_told")),
        _share("new_artist_share", GRAINS, "of plays by artists never played before", F.col("new_artists"), F.col("named")),
        # Plays of one session are at night together, or not.
        _share("night_share", CALENDAR, "of plays at night", F.col("nights"), F.col("plays"), F.col("sessions")),
        _mean("valence"),
        _mean("energy"),
    )


def _count(name: str, grains: tuple[str, ...], amount: Column) -> Measure:
    """A count, on the log scale, because session lengths are log-normal."""
    return Measure(
        name,
        grains,
        name,
        amount,
        F.log(amount),
        F.exp,
        # The logarithm of a Poisson count varies by 1 / its mean.
        floor=lambda expected: F.exp(-expected),
    )


def _share(name: str, grains: tuple[str, ...], said: str, part: Column, whole: Column, of: Column | None = None) -> Measure:
    """A share, on the arcsine scale, where a share of n has variance 1 / (4 n + 2) regardless of its value (Anscombe 1948)."""
    enough = F.when(whole >= FEWEST_PLAYS, whole.cast("double"))
    share = (part + F.lit(0.375)) / (enough + F.lit(0.75))
    return Measure(
        name,
        grains,
        said,
        part / enough,
        F.asin(F.sqrt(share)),
        lambda angle: F.pow(F.sin(F.greatest(F.lit(0.0), F.least(F.lit(1.5707963), angle))), F.lit(2.0)),
        size=F.lit(1.0) / ((enough if of is None else F.greatest(F.lit(1.0), of.cast("double"))) + F.lit(0.5)),
        is_share=True,
    )


def _mean(name: str) -> Measure:
    """A mean, untransformed: valence and energy are bounded, but means of several listens stay away from the bounds."""
    n, total, squares = (F.col(f"{name}_{part}").cast("double") for part in ("n", "s", "q"))
    enough = F.when(n >= FEWEST_LISTENS, n)
    return Measure(
        name,
        GRAINS,
        f"mean {name}",
        total / enough,
        total / enough,
        lambda mean: mean,
        size=F.lit(1.0) / enough,
        squares=F.greatest(F.lit(0.0), squares - total * total / enough),
        degrees=enough - F.lit(1.0),
    )
