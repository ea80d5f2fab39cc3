"""What is planted in synthetic listeners is found, and what is not planted is not."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from tests.gold.cognitive.conftest import Planted


def test_monday_mood_is_found_in_states(planted: Planted) -> None:
    rows = planted.rows("gold.mood_state_clusters")
    of_sad = [row for row in rows if row["user_id"] == planted.sad]
    saddest = min(of_sad, key=lambda row: row["avg_valence"])
    assert (saddest["peak_day"], saddest["is_peak_day_significant"]) == ("Monday", True)
    assert saddest["peak_day_difference_low"] > 0.1
    assert "on Mondays" in saddest["description"]
    others = [row for row in rows if row["user_id"] not in (planted.sad, planted.binge)]
    assert sum(row["is_peak_day_significant"] for row in others) <= 0.05 * len(others)


def test_monday_mood_is_found_in_sessions(planted: Planted) -> None:
    """Few planted sessions among many make no persona of their own; how far each lies from the mean session is told."""
    days = {row["session_id"]: row["day_of_week"] for row in planted.rows("silver.sessions")}
    sessions = [r for r in planted.rows("gold.session_personas") if r["valence_deviation"] is not None]

    def mean(user: str, is_monday: bool) -> float:
        found = [r for r in sessions if r["user_id"] == user and (days[r["session_id"]] == 1) == is_monday]
        return sum(row["valence_deviation"] for row in found) / len(found)

    assert mean(planted.sad, True) < mean(planted.sad, False) - 1
    assert abs(mean(planted.binge, True) - mean(planted.binge, False)) < 0.5


def test_anomaly_week_is_found_and_false_alarms_are_as_rare_as_stated(planted: Planted) -> None:
    rows = planted.rows("gold.listening_anomalies")
    first = dt.datetime.fromisoformat(planted.notes["anomaly_week"]["first_day"]).replace(tzinfo=dt.timezone.utc)
    weeks = [r for r in rows if r["user_id"] == planted.binge and r["grain"] == "week" and r["at"] == first]
    directions = {row["measure"]: row["direction"] for row in weeks}
    assert directions["sessions"] == "higher"
    assert {directions[name] for name in ("plays", "minutes") if name in directions} <= {"higher"}
    assert {row["anomaly_severity"] for row in weeks} & {"strong", "extreme"}
    unplanted = [row for row in rows if row["user_id"] not in (planted.sad, planted.binge)]
    units = [r for r in planted.rows("silver.sessions") if r["user_id"] not in (planted.sad, planted.binge)]
    of_sessions = [row for row in unplanted if row["grain"] == "session"]
    # Six measures a session, each with 1 false alarm in 1,000 at most.
    assert len(of_sessions) <= 1.5 * 6 * 0.001 * len(units)


def test_sad_listens_come_together(planted: Planted) -> None:
    """Where sad music has a day of its own, sad and happy listens share sessions less often than chance would have it."""
    rows = [row for row in planted.rows("gold.sequential_patterns") if row["pattern_type"] == "mood"]

    def mixed(user: str) -> float:
        kinds = [(row, {item.split("_")[0] for item in row["items"]}) for row in rows if row["user_id"] == user]
        lifts = [row["lift"] for row, kind in kinds if kind == {"Sad", "Happy"} and row["length"] == 2]
        return sum(lifts) / len(lifts)

    steady = {row["user_id"] for row in rows if row["sessions"] >= 300} - {planted.sad, planted.binge}
    assert mixed(planted.sad) < 0.95 < min(mixed(user) for user in steady)
    others = [row for row in rows if row["user_id"] not in (planted.sad, planted.binge)]
    assert sum(row["is_significant"] for row in others) <= 0.05 * len(others), "listens of others are drawn independently"


def test_segments_have_thirds(planted: Planted) -> None:
    rows = planted.rows("gold.behavioral_segments")
    placed = [row for row in rows if row["variety_percentile"] is not None and row["total_listens"] >= 100]
    named = Counter(row["variety_segment"] for row in placed)
    assert named["eclectic"] and named["focused"] and named["in between"]
    assert all((row["variety_percentile"] >= 2 / 3) == (row["variety_segment"] == "eclectic") for row in placed)
    [sad] = [row for row in rows if row["user_id"] == planted.sad]
    assert sad["overall_valence"] == min(row["overall_valence"] for row in rows if row["total_listens"] >= 100)


def test_models_choose_with_curves_and_labels_are_distinct(planted: Planted) -> None:
    labels = {(row["cluster"], row["persona"]) for row in planted.rows("gold.session_personas")}
    assert len(labels) == len({label for _, label in labels}) == len({cluster for cluster, _ in labels})
    shares = Counter[str]()
    for row in planted.rows("gold.mood_state_clusters"):
        shares[row["user_id"]] += row["share"]
    assert planted.sad in shares
    assert max(abs(share - 1) for share in shares.values()) < 1e-9
