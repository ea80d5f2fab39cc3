"""After which tracks did a listener's sessions continue brighter than expected? This is an association, not a cause."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.prescriptive.explicit import without_explicit
from gold.prescriptive.wording import number, sentence
from lakehouse.declare import column, satisfies, table
from music.contrasts import feature_of_listens
from music.listening import listens
from music.ranking import ranking
from music.statistics import Z_95, ratio, significant, with_benjamini_hochberg, with_normal_p_value, with_variance_components

NEIGHBOURS = 3
MIN_SESSIONS = 3
# What a claim needs: see the docstring of the table.
CLAIM_SESSIONS = 10
CLAIM_DAYS = 8
TOP = 50
# A track counts as played from a bright or subdued mood where the mood before was this many standard deviations off the usual.
APART = 0.5
SCENARIOS = ("after more subdued music than usual", "after the usual music", "after brighter music than usual")


@table(
    "gold.mood_improvement_recommendations",
    key=["user_id", "track_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("track_id", "string", "track that was played between other listens in at least 3 sessions"),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("rank", "int", "1 = largest expected_rise; up to 50", nullable=False, between=(1, TOP)),
        column("track_name", "string", "as named on the listener's latest play"),
        column("artist_name", "string", "name on the same play"),
        column(
            "expected_rise",
            "double",
            "observed_rise shrunk towards the listener's mean by its uncertainty, -1 to 1",
            between=(-1, 1),
        ),
        column("rise_low", "double", "lower end of its 95% interval (posterior)"),
        column("rise_high", "double", "upper end of that interval"),
        column("observed_rise", "double", "mean valence of the next 3 listens minus the value expected from the 3 before"),
        column("n", "bigint", "number of sessions in the mean", nullable=False, at_least=MIN_SESSIONS),
        column("days", "bigint", "number of dates of those sessions", nullable=False),
        column(
            "reliability",
            "double",
            "weight (0-1) of observed_rise after shrinkage: 0 = the listener's tracks do not differ",
            between=(0, 1),
        ),
        column("p_value", "double", "two-sided p-value for no rise"),
        column("p_corrected", "double", "p_value, Benjamini-Hochberg-corrected over the listener's tracks", between=(0, 1)),
        column(
            "is_beyond_chance", "boolean", "p_corrected < 0.05, interval above 0, at least 10 sessions and 8 days", nullable=False
        ),
        column("tracks_compared", "bigint", "number of the listener's tracks with at least 3 such sessions", nullable=False),
        column("valence_before", "double", "mean valence of up to 3 listens before, 0-1"),
        column("valence_after", "double", "mean valence of up to 3 listens after, 0-1"),
        column("avg_valence", "double", "the track's own valence, 0-1; null where unknown"),
        column("avg_energy", "double", "the track's own energy, 0-1"),
        column("avg_danceability", "double", "the track's own danceability, 0-1"),
        column("play_count", "bigint", "listens of the track between other listens in those sessions", nullable=False),
        column("recommendation_reason", "string", "the figures in words", nullable=False),
        column("target_scenario", "string", "mood of the listens before the track", nullable=False, one_of=SCENARIOS),
    ],
    rules=[
        satisfies(
            "the interval holds the rise",
            ["expected_rise", "rise_low", "rise_high"],
            lambda: F.col("expected_rise").between(F.col("rise_low"), F.col("rise_high")),
        ),
        satisfies("only rises are suggested", ["expected_rise"], lambda: F.col("expected_rise") > 0),
    ],
)
def mood_improvement_recommendations(
    listening_with_features: DataFrame, catalogue_recordings: DataFrame, dislikes: DataFrame, *, exclude_explicit: bool
) -> DataFrame:
    """One row per listener and track with a positive expected_rise, up to 50 per listener; known features only.

    Disliked tracks are excluded, and explicit ones if the settings say so. The valence after a listen is predicted from the
    listens before it by the listener's own regression, which accounts for regression to the mean (Galton 1886). A session
    counts once per track. The rise is shrunk towards the listener's mean (empirical Bayes, normal-normal: Efron & Morris,
    JASA 70, 1975; variances by analysis of variance, as in low_mood.py). Music is chosen in a mood and comes in albums and
    playlists, so a rise may have any cause. Sessions close in time are similar, and the mean of a few sessions is not yet
    normally distributed, as the p-value assumes: with fewer than 10 sessions on 8 dates, is_beyond_chance is false.
    """
    rises = _rises(_surroundings(listens(listening_with_features)))
    tracks = _with_shrunk_rise(rises)
    allowed = tracks.join(dislikes.select("user_id", "track_id"), ["user_id", "track_id"], "left_anti")
    names = listening_with_features.select(
        "user_id", F.col("play_number").alias("latest"), "recording_id", "track_name", "artist_name"
    )
    positive = allowed.where("expected_rise > 0").join(names, ["user_id", "latest"], "inner")
    if exclude_explicit:
        positive = without_explicit(positive.withColumn("recording", F.col("recording_id")), catalogue_recordings)
    best_first = Window.partitionBy("user_id").orderBy(ranking(F.col("expected_rise")).desc(), "track_id")
    ranked = positive.withColumn("rank", F.row_number().over(best_first)).where(F.col("rank") <= TOP)
    return ranked.select(
        *["user_id", "track_id", "recording_id", "rank", "track_name", "artist_name"],
        *["expected_rise", "rise_low", "rise_high", "observed_rise"],
        *[
            "n",
            "days",
            "reliability",
            "p_value",
            "p_corrected",
            "is_beyond_chance",
            "tracks_compared",
            "valence_before",
            "valence_after",
        ],
        *["avg_valence", "avg_energy", "avg_danceability", "play_count"],
        _reason().alias("recommendation_reason"),
        _scenario().alias("target_scenario"),
    )


def _surroundings(heard: DataFrame) -> DataFrame:
    """One row per listen that has listens of known valence before and after it in its session, within 3 listens each way."""
    session = Window.partitionBy("user_id", "session_id").orderBy("play_number")
    features = {name: feature_of_listens(name) for name in ("valence", "energy", "danceability")}
    moods = heard.select(
        *["user_id", "session_id", "play_number", "track_id", "date"], *[value.alias(name) for name, value in features.items()]
    )
    return moods.withColumns(
        {
            "before": F.avg("valence").over(session.rowsBetween(-NEIGHBOURS, -1)),
            "after": F.avg("valence").over(session.rowsBetween(1, NEIGHBOURS)),
        }
    ).where("before IS NOT NULL AND after IS NOT NULL")


def _rises(surrounded: DataFrame) -> DataFrame:
    """One row per listener, track and session: `rise`, the mood after minus the mood expected from before."""
    listener = Window.partitionBy("user_id")
    slope = ratio(F.col("both") - F.col("x") * F.col("y"), F.col("xx") - F.col("x") * F.col("x"))
    # Variances this small are rounding: the listener hears one valence.
    fitted = surrounded.withColumns(
        {
            "x": F.avg("before").over(listener),
            "y": F.avg("after").over(listener),
            "xx": F.avg(F.col("before") * F.col("before")).over(listener),
            "both": F.avg(F.col("before") * F.col("after")).over(listener),
        }
    ).withColumn("slope", F.when(F.col("xx") - F.col("x") * F.col("x") > F.lit(1e-12), slope).otherwise(F.lit(0.0)))
    expected = F.col("y") + F.col("slope") * (F.col("before") - F.col("x"))
    return (
        fitted.withColumn("rise", F.col("after") - expected)
        .groupBy("user_id", "track_id", "session_id")
        .agg(
            F.avg("rise").alias("rise"),
            F.count(F.lit(1)).alias("listens"),
            F.max("play_number").alias("latest"),
            F.min("date").alias("date"),
            *[F.avg(name).alias(name) for name in ("before", "after", "valence", "energy", "danceability")],
            F.max("x").alias("usual"),
            F.max(F.sqrt(F.greatest(F.lit(0.0), F.col("xx") - F.col("x") * F.col("x")))).alias("usual_stddev"),
        )
    )


def _with_shrunk_rise(rises: DataFrame) -> DataFrame:
    """One row per listener and track of MIN_SESSIONS sessions, with the rise, its shrunk value, interval and p-values."""
    tracks = (
        rises.groupBy("user_id", "track_id")
        .agg(
            F.count(F.lit(1)).alias("n"),
            F.avg("rise").alias("observed_rise"),
            F.var_pop("rise").alias("variance"),
            F.sum("listens").alias("play_count"),
            F.max("latest").alias("latest"),
            F.count_distinct("date").alias("days"),
            F.avg("before").alias("valence_before"),
            F.avg("after").alias("valence_after"),
            *[F.avg(name).alias(f"avg_{name}") for name in ("valence", "energy", "danceability")],
            *[F.max(name).alias(name) for name in ("usual", "usual_stddev")],
        )
        .where(F.col("n") >= MIN_SESSIONS)
    )
    spread = with_variance_components(tracks, "user_id", "observed_rise").withColumnRenamed("groups", "tracks_compared")
    n, rise = F.col("n"), F.col("observed_rise")
    distance = rise - F.col("centre")
    error2 = F.col("within") / n
    shrunk = (
        spread.withColumn("reliability", F.coalesce(ratio(F.col("between"), F.col("between") + error2), F.lit(0.0)))
        .withColumn("z", ratio(rise, F.sqrt(error2)))
        .withColumns(
            {
                "expected_rise": F.col("centre") + F.col("reliability") * distance,
                # The centre is known to its own error only.
                "posterior": F.col("reliability") * error2
                + F.pow(F.lit(1.0) - F.col("reliability"), F.lit(2)) * F.col("within") / F.col("all_n"),
            }
        )
        .withColumn("half", F.lit(Z_95) * F.sqrt("posterior"))
        .withColumns({"rise_low": F.col("expected_rise") - F.col("half"), "rise_high": F.col("expected_rise") + F.col("half")})
    )
    corrected = with_benjamini_hochberg(with_normal_p_value(shrunk), ["user_id"], ["track_id"])
    is_enough = (F.col("n") >= CLAIM_SESSIONS) & (F.col("days") >= CLAIM_DAYS)
    return corrected.withColumn("is_beyond_chance", significant(F.col("p_corrected")) & (F.col("rise_low") > 0) & is_enough)


def _scenario() -> Column:
    apart = ratio(F.col("valence_before") - F.col("usual"), F.col("usual_stddev"))
    return F.when(apart < -APART, SCENARIOS[0]).when(apart > APART, SCENARIOS[2]).otherwise(SCENARIOS[1])


def _reason() -> Column:
    rise, low, high = (number(F.col(name), 3) for name in ("expected_rise", "rise_low", "rise_high"))
    figures = sentence("the next listens were brighter than expected by ", rise, " of valence (95% ", low, " to ", high, ")")
    is_few = (F.col("n") < CLAIM_SESSIONS) | (F.col("days") < CLAIM_DAYS)
    claim = (
        F.when(F.col("is_beyond_chance"), ". It goes together; what causes it is not known.")
        .when(is_few, sentence(": too few sessions to tell from chance (10 on 8 dates would do)."))
        .otherwise(": no more than chance may do.")
    )
    return sentence("In ", F.col("n").cast("string"), " sessions ", figures, claim)
