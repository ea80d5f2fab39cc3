"""Which moods and which artists follow each other within a listener's sessions, and how much more often than by chance?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.listening import listens, mood_not_synthetic
from music.moods import MOODS
from music.ranking import summed
from music.statistics import ratio, wilson_interval, with_holm, with_normal_p_value

MOOD, ARTIST = "mood", "artist"
LONGEST = 20
"""Only this many first listens of a session count, because a session with hundreds of listens contains every order."""
ARTISTS = 40
"""Only this many artists of a listener count, those with most sessions; rarer ones cannot be part of a frequent pattern."""
FEWEST_SESSIONS, LEAST_SUPPORT = 5, 0.01
PATTERNS = 200
ALPHA = 0.05


@table(
    "gold.sequential_patterns",
    key=["user_id", "pattern_type", "pattern"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("pattern_type", "string", "mood or artist", one_of=(MOOD, ARTIST)),
        column("pattern", "string", "two or three moods or artists in the order played, e.g. Sad_Calm > Neutral"),
        column("items", "array<string>", "the pattern as a list of moods or artist keys", nullable=False),
        column("length", "int", "2 or 3", nullable=False, between=(2, 3)),
        column("mood_category", "string", "first mood of a mood pattern; null for artists", one_of=MOODS),
        column(
            "rank",
            "int",
            "1 = most sessions within type and length; ties go to the lowest pattern; at most 200",
            nullable=False,
            between=(1, PATTERNS),
        ),
        column(
            "occurrence_count",
            "bigint",
            "sessions that contain the pattern; other listens may occur in between",
            nullable=False,
            at_least=FEWEST_SESSIONS,
        ),
        column(
            "sessions",
            "bigint",
            "sessions with at least one item: a listen of known mood, or of one of the listener's 40 artists",
            nullable=False,
        ),
        column("support", "double", "occurrence_count / sessions, 0-1", nullable=False, between=(LEAST_SUPPORT, 1)),
        column(
            "confidence",
            "double",
            "share (0-1) of sessions with all items but the last that also contain the last one",
            nullable=False,
            between=(0, 1),
        ),
        column(
            "expected_count",
            "double",
            "expected number of sessions if the listens were distributed over sessions at random",
            nullable=False,
        ),
        column("lift", "double", "occurrence_count / expected_count; 1 = no pattern", nullable=False),
        column("lift_low", "double", "lower end of its 95% interval", nullable=False),
        column("lift_high", "double", "upper end", nullable=False),
        column("p_value", "double", "two-sided p-value for no pattern; null if every session must contain it", between=(0, 1)),
        column("p_corrected", "double", "p_value, Holm-corrected over the listener's patterns of that type"),
        column("is_significant", "boolean", "p_corrected < 0.05; false if it could not be tested", nullable=False),
        column(
            "reverse_count",
            "bigint",
            "sessions that contain the items in reverse order; null below five, or if the reverse is the same pattern",
        ),
        column("behavioral_insight", "string", "summary of the row in one sentence", nullable=False),
    ],
    rules=[
        satisfies(
            "the interval holds the lift",
            ["lift", "lift_low", "lift_high"],
            lambda: F.col("lift").between(F.col("lift_low") - 1e-9, F.col("lift_high") + 1e-9),
        )
    ],
)
def sequential_patterns(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, type and pattern of two or three items that occurs in order in at least five sessions and 1% of them.

    Support is that of PrefixSpan (Pei et al., ICDE 2001): sessions that contain the items as a subsequence. Every prefix is
    projected within its session, so all listeners are mined at once (MLlib mines one set of sequences). Sequences are the
    first 20 listens of a session with known mood, or by the listener's 40 artists with most sessions. Under the null model
    each listen is drawn from the listener's own mix, regardless of the session; the mean over all such shuffles has a
    closed form (a wait for the first item, then the second, then the third), so nothing is simulated. Interval and p-value
    of the lift treat sessions as independent.
    """
    heard = listens(listening_with_features)
    artists = _artists(heard)
    patterns = _named(_with_chance(_patterns(_sequences(_items(heard, artists)))), artists)
    tests = with_holm(_tested(patterns), ["user_id", "pattern_type"], ["pattern"])
    by_support = Window.partitionBy("user_id", "pattern_type", "length").orderBy(F.desc("occurrence_count"), "pattern")
    return (
        tests.withColumn("rank", F.row_number().over(by_support))
        .where(F.col("rank") <= PATTERNS)
        .select(
            *["user_id", "pattern_type", "pattern", "items", "length"],
            F.when(F.col("pattern_type") == MOOD, F.element_at("items", 1)).alias("mood_category"),
            *["rank", "occurrence_count", "sessions"],
            ratio(F.col("occurrence_count"), F.col("sessions")).alias("support"),
            ratio(F.col("occurrence_count"), F.col("prefix_count")).alias("confidence"),
            *["expected_count", "lift", "lift_low", "lift_high", "p_value", "p_corrected"],
            F.coalesce(F.col("p_corrected") < ALPHA, F.lit(False)).alias("is_significant"),
            "reverse_count",
            _sentence().alias("behavioral_insight"),
        )
    )


def _artists(heard: DataFrame) -> DataFrame:
    """One row per listener and artist that counts: its number (1 = most sessions), key and latest name."""
    sessions = heard.where("artist_key IS NOT NULL").groupBy("user_id", "artist_key", "session_id")
    artists = (
        sessions.agg(F.max("play_number").alias("last"), F.max_by("artist_name", "play_number").alias("name"))
        .groupBy("user_id", "artist_key")
        .agg(F.count(F.lit(1)).alias("in_sessions"), F.max_by("name", "last").alias("name"))
    )
    number = F.row_number().over(Window.partitionBy("user_id").orderBy(F.desc("in_sessions"), "artist_key"))
    numbered = artists.where(F.col("in_sessions") >= FEWEST_SESSIONS).withColumn("item", number)
    return numbered.where(F.col("item") <= ARTISTS).select("user_id", "artist_key", "item", "name")


def _items(heard: DataFrame, artists: DataFrame) -> DataFrame:
    """One row per listen and type with an item, identified by its number."""
    kept = ("user_id", "session_id", "play_number")
    mood = F.array_position(F.array(*[F.lit(mood) for mood in MOODS]), mood_not_synthetic()).cast("int")
    of_moods = heard.select(*kept, F.lit(MOOD).alias("pattern_type"), mood.alias("item")).where("item IS NOT NULL")
    of_artists = heard.select(*kept, "artist_key").join(
        artists.select("user_id", "artist_key", "item"), on=["user_id", "artist_key"], how="inner"
    )
    return of_moods.unionByName(of_artists.select(*kept, F.lit(ARTIST).alias("pattern_type"), "item"))


def _sequences(items: DataFrame) -> DataFrame:
    """One row per listener, type and sequence of items, with the number of sessions that have this sequence."""
    in_order = F.slice(F.array_sort(F.collect_list(F.struct("play_number", "item"))), 1, LONGEST)
    sessions = items.groupBy("user_id", "pattern_type", "session_id").agg(in_order.alias("heard"))
    sequences = sessions.select("user_id", "pattern_type", F.col("heard.item").alias("sequence"))
    return sequences.groupBy("user_id", "pattern_type", "sequence").agg(F.count(F.lit(1)).alias("n"))


def _patterns(sequences: DataFrame) -> DataFrame:
    """One row per listener, type and frequent pattern of items a, b, c (c is 0 for a pair): `count`, and the listener's mix.

    A pattern's projected sequences are what follows its first occurrence, as in PrefixSpan. `lengths` holds how many
    sessions have 1, 2, ... 20 items, `shares` the share of each item among all.
    """
    none = F.array(F.lit(0))
    by = ("user_id", "pattern_type")
    firsts = sequences.select(*by, "n", "sequence", F.explode(F.concat(none, F.array_distinct("sequence"))).alias("a"))
    seconds = firsts.withColumn("rest", _after("sequence", "a")).select(
        *[*by, "n", "sequence", "a", "rest"],
        F.explode(F.when(F.col("a") == 0, none).otherwise(F.concat(none, F.array_distinct("rest")))).alias("b"),
    )
    thirds = seconds.withColumn("tail", _after("rest", "b")).select(
        *[*by, "n", "a", "b"],
        F.explode(F.when(F.col("b") == 0, none).otherwise(F.concat(none, F.array_distinct("tail")))).alias("c"),
        # Rows without an item stand for whole sessions, rows of one for how often it is heard.
        F.when(F.col("a") == 0, F.size("sequence")).otherwise(F.lit(0)).alias("size"),
        F.when(F.col("b") == 0, F.size("sequence") - F.size(F.array_remove("sequence", F.col("a")))).alias("times"),
    )
    counted = thirds.groupBy(*by, "a", "b", "c", "size").agg(
        F.sum("n").alias("count"), F.sum(F.col("n") * F.col("times")).alias("times")
    )
    is_item = (F.col("a") > 0) & (F.col("b") == 0)
    is_frequent = (F.col("a") > 0) & (F.col("count") >= FEWEST_SESSIONS)
    listener = counted.groupBy(*by).agg(
        F.array(*[_total("count", F.col("size") == size) for size in range(1, LONGEST + 1)]).alias("lengths"),
        F.array(*[_total("times", is_item & (F.col("a") == item)) for item in range(1, ARTISTS + 1)]).alias("times"),
        F.sum(F.when(F.col("a") == 0, F.col("count")).otherwise(F.lit(0))).alias("sessions"),
        F.collect_list(F.when(is_frequent, F.struct("a", "b", "c", "count"))).alias("patterns"),
    )
    return listener.select(*by, "lengths", "times", "sessions", F.explode("patterns").alias("pattern")).select(
        *by, "lengths", "times", "sessions", "pattern.*"
    )


def _after(sequence: str, item: str) -> Column:
    """What follows the first occurrence of an item; the whole sequence for item 0, which does not occur."""
    return F.slice(F.col(sequence), F.array_position(sequence, F.col(item)).cast("int") + F.lit(1), F.lit(LONGEST))


def _total(name: str, condition: Column) -> Column:
    return F.sum(F.when(condition, F.col(name)).otherwise(F.lit(0))).cast("double")


def _with_chance(patterns: DataFrame) -> DataFrame:
    """Patterns of two and three items with prefix and reverse counts, and mean and variance of the count by chance."""
    listener = ("user_id", "pattern_type")
    is_pair = F.col("c") == 0
    of_first, of_pair = Window.partitionBy(*listener, "a"), Window.partitionBy(*listener, "a", "b")
    of_ends = Window.partitionBy(*listener, "middle", F.least("a", "last"), F.greatest("a", "last"))
    placed = patterns.withColumns(
        {
            "last": F.when(is_pair, F.col("b")).otherwise(F.col("c")),
            "middle": F.when(is_pair, F.lit(0)).otherwise(F.col("b")),
            "of_first": F.max(F.when(F.col("b") == 0, F.col("count"))).over(of_first),
            "of_pair": F.max(F.when(is_pair, F.col("count"))).over(of_pair),
            "total": F.aggregate("times", F.lit(0.0), lambda sum_so_far, times: sum_so_far + times),
        }
    ).where(F.col("b") > 0)
    both = F.sum("count").over(of_ends)
    frequent = placed.withColumns(
        {
            "prefix_count": F.when(is_pair, F.col("of_first")).otherwise(F.col("of_pair")),
            "reverse_count": F.when((F.col("a") != F.col("last")) & (both > F.col("count")), both - F.col("count")),
        }
    ).where(F.col("count") >= F.col("sessions") * F.lit(LEAST_SUPPORT))
    shares = {f"p_{item}": ratio(F.element_at("times", F.greatest(F.col(item), F.lit(1))), F.col("total")) for item in "abc"}
    return frequent.withColumns(shares).withColumn("chance", _chance())


def _chance() -> Column:
    """Mean and variance of the number of sessions with a pattern if every listen is drawn from the listener's mix.

    With each further listen, the share of sessions that still wait for the first, second or third item moves on.
    """
    zero, one = F.lit(0.0), F.lit(1.0)
    is_three = (F.col("c") > 0).cast("double")

    def state(first: Column, second: Column, third: Column, held: Column, mean: Column, variance: Column) -> Column:
        parts = {"first": first, "second": second, "third": third, "held": held, "mean": mean, "variance": variance}
        return F.struct(*[value.alias(name) for name, value in parts.items()])

    def heard_one_more(was: Column, sessions: Column) -> Column:
        found_first, found_second = was["first"] * F.col("p_a"), was["second"] * F.col("p_b")
        found_third = was["third"] * F.col("p_c")
        held = was["held"] + found_second * (one - is_three) + found_third
        return state(
            was["first"] - found_first,
            was["second"] + found_first - found_second,
            was["third"] + found_second * is_three - found_third,
            held,
            was["mean"] + sessions * held,
            was["variance"] + sessions * held * (one - held),
        )

    return F.aggregate("lengths", state(one, zero, zero, zero, zero, zero), heard_one_more)


def _named(patterns: DataFrame, artists: DataFrame) -> DataFrame:
    """Adds the items' ids, and the pattern in words."""
    moods = F.array(*[F.lit(mood) for mood in MOODS])
    listener = artists.groupBy("user_id").agg(F.array_sort(F.collect_list(F.struct("item", "artist_key", "name"))).alias("known"))
    joined = patterns.join(listener, on="user_id", how="left")
    is_mood = F.col("pattern_type") == MOOD
    numbers = F.filter(F.array("a", "b", "c"), lambda item: item > 0)

    def of_items(name: str) -> Column:
        of_moods = F.transform(numbers, lambda item: F.element_at(moods, item))
        of_artists = F.transform(numbers, lambda item: F.element_at(F.col(f"known.{name}"), item))
        return F.when(is_mood, of_moods).otherwise(of_artists)

    return joined.withColumns({"items": of_items("artist_key"), "pattern": F.array_join(of_items("name"), " > ")})


def _tested(patterns: DataFrame) -> DataFrame:
    count, expected = F.col("count"), F.col("chance.mean")
    low, high = wilson_interval(count, F.col("sessions"))
    # A pattern that (nearly) every session must hold by chance cannot be more frequent than that.
    error = F.when(F.col("chance.variance") > F.lit(1e-6), F.sqrt(F.col("chance.variance")))
    tested = patterns.withColumns(
        {
            "expected_count": expected,
            "lift": count / expected,
            "lift_low": low * F.col("sessions") / expected,
            "lift_high": high * F.col("sessions") / expected,
            "z": (count - expected) / error,
            "length": F.size("items"),
        }
    )
    return with_normal_p_value(tested).withColumnRenamed("count", "occurrence_count")


def _sentence() -> Column:
    """The row in words; it says if the pattern could be chance."""
    is_chance = ~F.coalesce(F.col("p_corrected") < ALPHA, F.lit(False))
    times = F.concat(F.round(summed(F.col("lift")), 2).cast("string"), F.lit(" times as often as"))
    return F.concat(
        *[F.col("pattern"), F.lit(": in "), F.col("occurrence_count").cast("string"), F.lit(" of ")],
        *[F.col("sessions").cast("string"), F.lit(" sessions, "), times],
        F.lit(" if the same listens were dealt to the sessions at random"),
        F.when(is_chance, ", which may be chance.").otherwise("."),
    )
