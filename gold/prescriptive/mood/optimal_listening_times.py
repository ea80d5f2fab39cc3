"""Which hours suit a listener: how does the music of each hour sound, how often is it skipped, and what is significant?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.prescriptive.wording import hour, number, percent, sentence
from lakehouse.declare import Column as TableColumn
from lakehouse.declare import column, satisfies, table
from music.contrasts import contrast_with_rest, feature_of_listens
from music.listening import MINUTE_MS, skip_flag
from music.moods import MOODS, mood_category
from music.ranking import ranking, summed
from music.statistics import ratio, significant, with_holm

TESTED = ("valence", "energy", "skip_rate")
DIRECTIONS = ("higher", "lower", "as usual")
# Beyond chance and yet hard to hear: a fifth of the catalogue's standard deviation of valence and energy (.26, .25).
SLIGHT = 0.05
FIGURES = ("mean", "mean_low", "mean_high", "n", "days", "rest_mean", "mean_error", "centre", "p_corrected", "difference")


def _interval(name: str, what: str) -> list[TableColumn]:
    return [
        column(
            f"{name}_low", "double", f"lower end of the 95% interval of {what}, clustered by date; null with fewer than 5 dates"
        ),
        column(f"{name}_high", "double", "upper end of that interval"),
    ]


def _against_usual(name: str) -> list[TableColumn]:
    return [
        column(f"usual_{name}", "double", f"the listener's mean {name} at all other hours"),
        column(
            f"{name}_p_corrected",
            "double",
            "p-value for no difference from other hours, Holm-corrected over the listener's hours and measures",
            between=(0, 1),
        ),
        column(
            f"{name}_against_usual",
            "string",
            "higher or lower than at other hours if p_corrected < 0.05, else as usual",
            nullable=False,
            one_of=DIRECTIONS,
        ),
    ]


@table(
    "gold.optimal_listening_times",
    key=["user_id", "hour_of_day"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column(
            "hour_of_day",
            "int",
            "hour of the start, 0-23 (UTC if the time zone is unknown); only hours with plays",
            between=(0, 23),
        ),
        column(
            "suitability_rank",
            "int",
            "1 = the hour with the highest predicted_valence; null without known features",
            between=(1, 24),
        ),
        column("mood_state", "string", "mood_category of avg_valence and avg_energy", one_of=MOODS),
        column(
            "predicted_valence",
            "double",
            "expected valence (0-1): avg_valence shrunk towards the listener's mean by its uncertainty",
            between=(0, 1),
        ),
        column("avg_valence", "double", "mean valence of listens, 0-1", between=(0, 1)),
        *_interval("avg_valence", "avg_valence"),
        *_against_usual("valence"),
        column("avg_energy", "double", "mean energy of listens, 0-1", between=(0, 1)),
        *_interval("avg_energy", "avg_energy"),
        *_against_usual("energy"),
        column(
            "skip_rate",
            "double",
            "share (0-1) of plays that were skipped, among plays whose source reports skips; null without such plays",
            between=(0, 1),
        ),
        *_interval("skip_rate", "skip_rate"),
        *_against_usual("skip_rate"),
        column("plays", "bigint", "plays, short ones included", nullable=False, at_least=1),
        column("listens", "bigint", "listens", nullable=False),
        column("n", "bigint", "listens with known features", nullable=False),
        column("days", "bigint", "dates with such listens", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column(
            "share_of_minutes",
            "double",
            "share (0-1) of the listener's minutes; null where no source reports playing time",
            between=(0, 1),
        ),
        column(
            "recommended_activity",
            "string",
            "activity that suits the music of the hour, with the figures behind it; only these if the time zone is unknown",
            nullable=False,
        ),
        column("wellbeing_tip", "string", "optional suggestion; none if the time zone is unknown", nullable=False),
        column("measured_share", "double", "share (0-1) of the hour's listens with measured features", between=(0, 1)),
    ],
    rules=[
        satisfies("days <= n <= listens", ["days", "n", "listens"], lambda: F.col("n").between(F.col("days"), F.col("listens"))),
    ],
)
def optimal_listening_times(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and hour with a play; mood is over listens with known features.

    Each hour is compared with the listener's other hours, clustered by date (music/contrasts.py) and Holm-corrected over
    hours and measures. `predicted_valence` is the empirical-Bayes mean of a random-effects model, with the variance between
    hours by DerSimonian & Laird (Controlled Clinical Trials 7, 1986); an hour with fewer than 5 dates gets the listener's
    mean.
    """
    values = {name: feature_of_listens(name) for name in ("valence", "energy")} | {"skip_rate": skip_flag()}
    contrasts = contrast_with_rest(listening_with_features, "hour_of_day", values)
    tested = with_holm(contrasts, ["user_id"], ["hour_of_day", "feature_name"])
    hours = tested.groupBy("user_id", "hour_of_day").agg(
        *[_of(name, figure).alias(f"{name}_{figure}") for name in TESTED for figure in FIGURES],
        *[F.max(name).alias(name) for name in ("plays", "listens", "measured_share")],
    )
    played = listening_with_features.groupBy("user_id", "hour_of_day").agg(
        F.coalesce(F.sum("ms_played"), F.lit(0)).alias("ms"), F.max("lacks_timezone").alias("lacks_timezone")
    )
    expected = _with_predicted_valence(hours.join(played, ["user_id", "hour_of_day"], "inner"))
    listener = Window.partitionBy("user_id")
    best_first = listener.orderBy(ranking(F.col("predicted_valence")).desc_nulls_last(), "hour_of_day")
    directed = expected.withColumns({f"{name}_against_usual": _direction(name) for name in TESTED}).withColumns(
        {
            "suitability_rank": F.when(F.col("predicted_valence").isNotNull(), F.row_number().over(best_first)),
            "share_of_minutes": ratio(F.col("ms"), F.sum("ms").over(listener)),
        }
    )
    return directed.select(
        *["user_id", "hour_of_day", "suitability_rank"],
        mood_category(summed(F.col("valence_mean")), summed(F.col("energy_mean"))).alias("mood_state"),
        "predicted_valence",
        *[
            figure
            for name, average in (("valence", "avg_valence"), ("energy", "avg_energy"), ("skip_rate", "skip_rate"))
            for figure in _in_words(name, average)
        ],
        *["plays", "listens"],
        F.col("valence_n").alias("n"),
        F.col("valence_days").alias("days"),
        (F.col("ms") / F.lit(float(MINUTE_MS))).alias("minutes"),
        "share_of_minutes",
        _activity().alias("recommended_activity"),
        _tip().alias("wellbeing_tip"),
        "measured_share",
    )


def _with_predicted_valence(hours: DataFrame) -> DataFrame:
    """Adds predicted_valence: an hour's mean, shrunk to the listener's, more so if hours differ little or little is known."""
    listener = Window.partitionBy("user_id")
    weight, distance = F.col("weight"), F.col("valence_mean") - F.col("valence_centre")
    counted = F.when(weight.isNotNull(), 1)
    return (
        hours.withColumn("weight", F.lit(1.0) / (F.col("valence_mean_error") * F.col("valence_mean_error")))
        .withColumns(
            {
                "weights": F.sum("weight").over(listener),
                "squares": F.sum(weight * weight).over(listener),
                "hours": F.count(counted).over(listener),
                "pooled": F.sum(weight * distance).over(listener),
                "spread": F.sum(weight * distance * distance).over(listener),
            }
        )
        .withColumn("q", F.col("spread") - F.col("pooled") * F.col("pooled") / F.col("weights"))
        .withColumn(
            "between",
            F.greatest(
                F.lit(0.0),
                ratio(F.col("q") - (F.col("hours") - F.lit(1)), F.col("weights") - F.col("squares") / F.col("weights")),
            ),
        )
        .withColumn("reliability", F.coalesce(F.col("between") / (F.col("between") + F.lit(1.0) / weight), F.lit(0.0)))
        .withColumn("predicted_valence", F.col("valence_centre") + F.coalesce(F.col("reliability") * distance, F.lit(0.0)))
    )


def _in_words(name: str, average: str) -> list[Column]:
    interval = [_share(f"{name}_mean_low").alias(f"{average}_low"), _share(f"{name}_mean_high").alias(f"{average}_high")]
    usual = [_share(f"{name}_rest_mean").alias(f"usual_{name}"), F.col(f"{name}_p_corrected"), F.col(f"{name}_against_usual")]
    return [_share(f"{name}_mean").alias(average), *interval, *usual]


def _share(name: str) -> Column:
    """A share, clipped to 0-1: intervals may extend beyond these limits, and rounding may take means past them."""
    # Null guarded: least and greatest would take the other side.
    return F.when(F.col(name).isNotNull(), F.least(F.lit(1.0), F.greatest(F.lit(0.0), F.col(name))))


def _direction(name: str) -> Column:
    is_claimed = significant(F.col(f"{name}_p_corrected"))
    difference = F.col(f"{name}_difference")
    return F.when(is_claimed & (difference > 0), "higher").when(is_claimed & (difference < 0), "lower").otherwise("as usual")


def _is(name: str, direction: str) -> Column:
    return F.col(f"{name}_against_usual") == direction


def _activity() -> Column:
    """An activity that suits the hour's music, by how it differs from the listener's other hours.

    An hour in UTC suits nothing: only the difference is told.
    """
    compared = {
        name: sentence(f" than your other hours ({name} ", number(F.col(f"{name}_mean")), " against ", _usual(name), ")")
        for name in ("valence", "energy")
    }
    skips = sentence(" (", percent(F.col("skip_rate_mean")), " skipped against ", percent(F.col("skip_rate_rest_mean")), ")")
    livelier, calmer, brighter, subdued = (
        sentence(F.when(F.abs(F.col(f"{name}_difference")) < SLIGHT, "slightly "), word, compared[name])
        for name, word in (("energy", "livelier"), ("energy", "calmer"), ("valence", "brighter"), ("valence", "more subdued"))
    )
    at = hour(F.col("hour_of_day"))
    in_utc = (
        F.when(_is("energy", "higher"), livelier)
        .when(_is("energy", "lower"), calmer)
        .when(_is("valence", "higher"), brighter)
        .when(_is("valence", "lower"), subdued)
        .when(_is("skip_rate", "lower"), sentence("you skip less than at other hours", skips))
        .when(_is("skip_rate", "higher"), sentence("you skip more than at other hours", skips))
        .otherwise("this hour is like your others")
    )
    return (
        F.when(F.col("valence_n") == 0, "Nothing is known of how this hour sounds")
        .when(F.col("lacks_timezone"), sentence(at, ": ", in_utc))
        .when(_is("energy", "higher"), sentence("Moving about: ", livelier))
        .when(_is("energy", "lower"), sentence("Winding down: ", calmer))
        .when(_is("valence", "higher"), sentence("Good company: ", brighter))
        .when(_is("valence", "lower"), sentence("Quiet thoughts: ", subdued))
        .when(_is("skip_rate", "lower"), sentence("Listening to whole albums: you skip less than at other hours", skips))
        .when(_is("skip_rate", "higher"), sentence("Looking for something new: you skip more than at other hours", skips))
        .otherwise("Whatever you like: this hour is like your others")
    )


def _usual(name: str) -> Column:
    return number(F.col(f"{name}_rest_mean"))


def _tip() -> Column:
    at = hour(F.col("hour_of_day"))
    return (
        F.when(F.col("lacks_timezone"), "The time zone is unknown, so no hour can be recommended.")
        .when(_is("valence", "lower"), sentence("If you like it brighter at ", at, ", Mood Lift starts where you are."))
        .when(_is("valence", "higher"), sentence("Your music is at its brighter at ", at, ": a good hour to enjoy it."))
        .when(_is("energy", "lower"), sentence("If you want to rest at ", at, ", Relaxation goes the same way."))
        .when(_is("energy", "higher"), sentence("If you want to keep the pace at ", at, ", Energy Boost goes the same way."))
        .when(
            _is("skip_rate", "lower"), sentence("You hear things out at ", at, ": a good hour for what you have not heard yet.")
        )
        .otherwise("Nothing to change: listen when it suits you.")
    )


def _of(feature: str, name: str) -> Column:
    """Aggregate: the one value of a feature's contrast."""
    return F.max(F.when(F.col("feature_name") == feature, F.col(name)))
