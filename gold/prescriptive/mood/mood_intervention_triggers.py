"""In which hours, weekdays and sessions is a listener's music significantly more subdued than usual?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.prescriptive.mood.low_mood import DAY_OF_WEEK, HOUR_OF_DAY, HOURS_A_DAY, SESSION, compared_sessions, compared_times
from gold.prescriptive.wording import hour, number, sentence
from lakehouse.declare import column, satisfies, table
from music.listening import measured_share
from music.local_time import day_name
from music.statistics import ratio, significant

NONE = "none"
KINDS = (DAY_OF_WEEK, HOUR_OF_DAY, SESSION, NONE)
SUPPORT = "Mood Lift"
ADDED = ("n", "days", "low", "plays", "listens", "measured", "valence_sum", "energy_sum")


@table(
    "gold.mood_intervention_triggers",
    key=["user_id", "trigger_kind", "trigger_at"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("trigger_kind", "string", "day_of_week, hour_of_day or session; none if nothing stands out", one_of=KINDS),
        column(
            "trigger_at",
            "timestamp",
            "start of the session, else of the last play at that time, UTC; if trigger_kind is none, of the last play",
        ),
        column(
            "label",
            "string",
            "the time in words: Mondays, 07:00 (07:00 UTC if the time zone is unknown), or the date of the session",
            nullable=False,
        ),
        column(
            "day_of_week",
            "int",
            "1 (Monday) to 7 (Sunday); null for hours of any day and if trigger_kind is none",
            between=(1, 7),
        ),
        column(
            "hour_of_day",
            "int",
            "hour, 0-23 (UTC if the time zone is unknown); of a session, its start; null for weekdays and for none",
            between=(0, 23),
        ),
        column("session_id", "string", "session id; null for other kinds"),
        column(
            "avg_valence",
            "double",
            "mean valence (0-1) of those listens, or of all listens if trigger_kind is none; null without known features",
            between=(0, 1),
        ),
        column("avg_energy", "double", "mean energy of the same listens, 0-1"),
        column(
            "usual_valence",
            "double",
            "the listener's mean valence at all other times of that kind; for a session, over all sessions",
        ),
        column("difference", "double", "avg_valence minus usual_valence, below 0; null if trigger_kind is none"),
        column(
            "difference_low", "double", "lower end of its 95% interval, clustered by date; for a session, over its own listens"
        ),
        column("difference_high", "double", "upper end of that interval"),
        column(
            "p_value",
            "double",
            "two-sided p-value for no difference; if trigger_kind is none, the smallest among times below usual",
        ),
        column(
            "p_corrected",
            "double",
            "p_value, corrected by Holm (times) or Benjamini-Hochberg (sessions); if trigger_kind is none, the smallest",
            between=(0, 1),
        ),
        column("n", "bigint", "number of listens with known valence that it is based on", nullable=False, at_least=0),
        column("days", "bigint", "dates with such listens", nullable=False),
        column("tests", "bigint", "number of hours, weekdays and sessions that were tested", nullable=False),
        column("low_mood_count", "bigint", "listens among n with valence below 0.4", nullable=False),
        column("total_plays", "bigint", "plays at that time, short ones included", nullable=False),
        column("intervention_needed", "string", "suggestion, or none", nullable=False, one_of=("suggestion", "none")),
        column("suggested_intervention", "string", "interpretation of the figures and an optional suggestion", nullable=False),
        column(
            "mood_support_playlist", "string", "playlist of gold.personalized_playlist_suggestions; null if trigger_kind is none"
        ),
        column("measured_share", "double", "share (0-1) of those listens with measured features", between=(0, 1)),
    ],
    rules=[
        satisfies(
            "a trigger is below the usual beyond chance",
            ["trigger_kind", "difference", "p_corrected"],
            lambda: (F.col("trigger_kind") == NONE) | ((F.col("difference") < 0) & (F.col("p_corrected") < 0.05)),
        )
    ],
)
def mood_intervention_triggers(listening_with_features: DataFrame, mood_time_correlations: DataFrame) -> DataFrame:
    """One row per listener and hour, weekday or session whose music has lower valence than usual; else one row `none`.

    Valence is a property of music: a low value says nothing about how a listener feels. Times are compared with the
    listener's other times, sessions with the variation between the listener's sessions; the methods are in
    gold/prescriptive/mood/low_mood.py. A row `none` shows how much data there was to test.
    """
    times = compared_times(listening_with_features, mood_time_correlations)
    compared = times.unionByName(compared_sessions(listening_with_features), allowMissingColumns=True)
    # In steps: written out in one, the expressions would take the engine seconds to plan.
    shown = (
        _with_none(compared)
        .withColumns({"weekday": _weekday(), "hour": _hour(), "mean": ratio(F.col("valence_sum"), F.col("n"))})
        .withColumn("days_of", F.concat(day_name(F.col("weekday")), F.lit("s")))
        .withColumns({"label": _label(), "figure": number(F.col("mean"))})
    )
    is_trigger = F.col("is_trigger")
    return shown.select(
        "user_id",
        F.when(is_trigger, F.col("trigger_kind")).otherwise(NONE).alias("trigger_kind"),
        F.col("at").alias("trigger_at"),
        "label",
        F.when(is_trigger, F.col("weekday")).alias("day_of_week"),
        F.when(is_trigger, F.col("hour")).alias("hour_of_day"),
        F.when(is_trigger, F.col("session_id")).alias("session_id"),
        F.col("mean").alias("avg_valence"),
        ratio(F.col("energy_sum"), F.col("n")).alias("avg_energy"),
        F.when(is_trigger, F.col("usual")).alias("usual_valence"),
        *[F.when(is_trigger, F.col(name)).alias(name) for name in ("difference", "difference_low", "difference_high")],
        *["p_value", "p_corrected", "n", "days", "tests"],
        F.col("low").alias("low_mood_count"),
        F.col("plays").alias("total_plays"),
        F.when(is_trigger, "suggestion").otherwise(NONE).alias("intervention_needed"),
        _suggestion().alias("suggested_intervention"),
        F.when(is_trigger, SUPPORT).alias("mood_support_playlist"),
        measured_share(F.col("measured"), F.col("listens")).alias("measured_share"),
    )


def _with_none(compared: DataFrame) -> DataFrame:
    """The times and sessions below the usual valence, or else one row for all the listener's listens, with `is_trigger`."""
    listener = Window.partitionBy("user_id")
    is_below = F.coalesce(F.col("difference") < 0, F.lit(False))
    # Every date has one weekday, so the weekdays' figures add up to the listener's.
    of_weekday = F.col("trigger_kind") == DAY_OF_WEEK
    summed = compared.withColumns({f"{name}_sum": F.col(f"{name}_mean") * F.col("n") for name in ("valence", "energy")})
    judged = summed.withColumns(
        {
            "is_trigger": is_below & significant(F.col("p_corrected")),
            "tests": F.count("p_value").over(listener),
            "all_at": F.max("at").over(listener),
            "all_p_value": F.min(F.when(is_below, F.col("p_value"))).over(listener),
            "all_p_corrected": F.min(F.when(is_below, F.col("p_corrected"))).over(listener),
            **{f"all_{name}": F.sum(F.when(of_weekday, F.col(name))).over(listener) for name in ADDED},
        }
    )
    placed = judged.withColumns(
        {
            "triggers": F.count_if("is_trigger").over(listener),
            "place": F.row_number().over(listener.orderBy("trigger_kind", "slot", "at")),
        }
    )
    replaced = ("at", "p_value", "p_corrected", *ADDED)
    return placed.where("is_trigger OR (triggers = 0 AND place = 1)").withColumns(
        {name: F.when(F.col("is_trigger"), F.col(name)).otherwise(F.col(f"all_{name}")) for name in replaced}
    )


def _weekday() -> Column:
    kind, slot = F.col("trigger_kind"), F.col("slot")
    of_week = (F.floor(slot / F.lit(HOURS_A_DAY)) + F.lit(1)).cast("int")
    return F.when(kind == DAY_OF_WEEK, slot).when(kind != HOUR_OF_DAY, of_week)


def _hour() -> Column:
    kind, slot = F.col("trigger_kind"), F.col("slot")
    return F.when(kind == HOUR_OF_DAY, slot).when(kind != DAY_OF_WEEK, F.pmod(slot, F.lit(HOURS_A_DAY)))


def _label() -> Column:
    kind, days, at = F.col("trigger_kind"), F.col("days_of"), hour(F.col("hour"))
    return (
        F.when(~F.col("is_trigger"), "nothing stands out")
        .when(kind == DAY_OF_WEEK, days)
        .when(kind == HOUR_OF_DAY, at)
        .otherwise(F.concat(F.lit("a session on "), F.col("on").cast("string")))
    )


def _suggestion() -> Column:
    """The figures in kind words, without a claim about how the listener feels, which music cannot show."""
    kind, mean = F.col("trigger_kind"), F.col("figure")
    listens = sentence(F.col("n").cast("string"), F.when(F.col("n") == 1, " listen").otherwise(" listens"))
    when = F.when(kind == HOUR_OF_DAY, "At ").when(kind == SESSION, "In ").otherwise("On ")
    against = sentence(" (valence ", mean, " against ", number(F.col("usual")), ", ", listens, "). ")
    offer = f"That can be just what you wanted; if you would like a lift, {SUPPORT} starts where you are."
    explanation = sentence(when, F.col("label"), " your music was more subdued than your usual", against, offer)
    nothing = sentence(
        "No hour, weekday or session stands below your usual (valence ", mean, ", ", listens, "): nothing to suggest."
    )
    return (
        F.when(F.col("is_trigger"), explanation)
        .when(F.col("n") == 0, "None of your listens has a known mood: nothing can be said.")
        .when(F.col("tests") == 0, sentence("Too little to compare yet (", listens, "): nothing can be said."))
        .otherwise(nothing)
    )
