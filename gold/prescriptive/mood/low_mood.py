"""Compares a listener's times and sessions with their usual valence: the tests behind mood_intervention_triggers."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.contrasts import contrast_with_rest, feature_of_listens
from music.listening import measured_listens
from music.statistics import Z_95, ratio, with_benjamini_hochberg, with_holm, with_normal_p_value, with_variance_components

DAY_OF_WEEK, HOUR_OF_DAY, SESSION = "day_of_week", "hour_of_day", "session"
HOURS_A_DAY = 24
MIN_SESSION_LISTENS = 5
MIN_SESSIONS = 20
LOW_VALENCE = 0.4
FIGURES = ("difference", "difference_low", "difference_high", "p_value")
COUNTS = ("n", "days", "listens", "measured")


def compared_times(plays: DataFrame, mood_time_correlations: DataFrame) -> DataFrame:
    """One row per listener and weekday or hour of the day (`slot`) with a play: valence compared with all other slots.

    Cluster-robust by date (music/contrasts.py), Holm-corrected over both kinds of slot together. `at` is the slot's last
    play.
    """
    valence = feature_of_listens("valence")
    weekdays = contrast_with_rest(plays, "day_of_week", {"valence": valence}).select(
        "user_id",
        F.lit(DAY_OF_WEEK).alias("trigger_kind"),
        F.col("day_of_week").alias("slot"),
        *[*FIGURES, *COUNTS],
        F.col("mean").alias("valence_mean"),
        F.col("rest_mean").alias("usual"),
    )
    measured = F.round(F.coalesce(F.col("measured_share"), F.lit(0.0)) * F.col("listens")).cast("bigint")
    hours = mood_time_correlations.select(
        "user_id",
        F.lit(HOUR_OF_DAY).alias("trigger_kind"),
        F.col("hour_of_day").alias("slot"),
        *[F.col(f"valence_{name}").alias(name) for name in FIGURES],
        F.col("sample_size").alias("n"),
        *["days", "listens"],
        measured.alias("measured"),
        F.col("avg_valence").alias("valence_mean"),
        (F.col("avg_valence") - F.col("valence_difference")).alias("usual"),
    )
    tested = with_holm(weekdays.unionByName(hours), ["user_id"], ["trigger_kind", "slot"])
    return tested.join(_beside(plays), ["user_id", "trigger_kind", "slot"], "inner")


def _beside(plays: DataFrame) -> DataFrame:
    """One row per listener, kind and slot: last play, plays, mean energy, listens of low valence, whether hours are UTC."""
    valence, energy = feature_of_listens("valence"), feature_of_listens("energy")
    cells = plays.groupBy("user_id", DAY_OF_WEEK, HOUR_OF_DAY).agg(
        F.max("played_at").alias("at"),
        F.count(F.lit(1)).alias("plays"),
        F.sum(energy).alias("energy"),
        F.count(energy).alias("energies"),
        F.count_if(valence < LOW_VALENCE).alias("low"),
        F.max("lacks_timezone").alias("lacks_timezone"),
    )
    kinds = [F.struct(F.lit(kind).alias("trigger_kind"), F.col(kind).alias("slot")) for kind in (DAY_OF_WEEK, HOUR_OF_DAY)]
    slots = cells.withColumn("time", F.explode(F.array(*kinds))).groupBy("user_id", "time.trigger_kind", "time.slot")
    return slots.agg(
        F.max("at").alias("at"),
        F.sum("plays").alias("plays"),
        ratio(F.sum("energy"), F.sum("energies")).alias("energy_mean"),
        F.sum("low").alias("low"),
        F.max("lacks_timezone").alias("lacks_timezone"),
    )


def compared_sessions(plays: DataFrame) -> DataFrame:
    """One row per session with MIN_SESSION_LISTENS known listens, for listeners with MIN_SESSIONS such sessions.

    A session's mean is judged by the variation between the listener's sessions of that length: the variance within sessions
    over its n, plus the variance between sessions. P-values are corrected by Benjamini-Hochberg over the listener's
    sessions. Intervals are for the session's own mean.
    """
    valence = feature_of_listens("valence")
    sessions = (
        plays.groupBy("user_id", "session_id")
        .agg(
            F.count(valence).alias("n"),
            F.avg(valence).alias("valence_mean"),
            F.var_pop(valence).alias("variance"),
            F.avg(feature_of_listens("energy")).alias("energy_mean"),
            F.count_if(valence < LOW_VALENCE).alias("low"),
            F.count(F.lit(1)).alias("plays"),
            F.count_if("is_listen").alias("listens"),
            measured_listens().alias("measured"),
            F.min("played_at").alias("at"),
            F.min("date").alias("on"),
            F.min(F.struct("play_number", _hour_of_week().alias("slot")))["slot"].alias("slot"),
        )
        .where(F.col("n") >= MIN_SESSION_LISTENS)
    )
    spread = with_variance_components(sessions, "user_id", "valence_mean").where(F.col("groups") >= MIN_SESSIONS)
    n, distance = F.col("n"), F.col("valence_mean") - F.col("centre")
    tested = spread.withColumns(
        {
            "z": ratio(distance, F.sqrt(F.col("between") + F.col("within") / n)),
            "half": F.lit(Z_95) * F.sqrt(F.col("within") / n),
        }
    )
    return with_benjamini_hochberg(with_normal_p_value(tested), ["user_id"], ["session_id"]).select(
        "user_id",
        F.lit(SESSION).alias("trigger_kind"),
        *["slot", "session_id", "at", "on"],
        distance.alias("difference"),
        (distance - F.col("half")).alias("difference_low"),
        (distance + F.col("half")).alias("difference_high"),
        *["p_value", "p_corrected", "n"],
        F.lit(1).cast("bigint").alias("days"),
        *["low", "plays", "listens", "measured", "valence_mean", "energy_mean"],
        F.col("centre").alias("usual"),
    )


def _hour_of_week() -> Column:
    """The hour of the week, 0 = Monday 00:00."""
    return (F.col(DAY_OF_WEEK) - F.lit(1)) * F.lit(HOURS_A_DAY) + F.col(HOUR_OF_DAY)
