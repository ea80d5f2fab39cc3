"""Diagnostic tables a second time, in DuckDB over a view `plays` with the columns of silver.listening_with_features."""

from __future__ import annotations

ORACLES = {
    "gold.weekend_vs_weekday": """
        SELECT
            user_id,
            CASE WHEN is_weekend THEN 'weekend' ELSE 'weekday' END AS period,
            count(*) AS total_plays,
            count(*) FILTER (is_listen) AS listen_count,
            coalesce(sum(ms_played), 0) / 60000.0 AS minutes,
            count(DISTINCT date) FILTER (is_listen) AS days,
            count(*) FILTER (is_listen) / nullif(count(DISTINCT date) FILTER (is_listen), 0) AS listens_per_active_day,
            avg(valence) FILTER (is_listen AND feature_source <> 'synthetic') AS avg_valence,
            avg(energy) FILTER (is_listen AND feature_source <> 'synthetic') AS avg_energy,
            avg(danceability) FILTER (is_listen AND feature_source <> 'synthetic') AS avg_danceability,
            avg(tempo) FILTER (is_listen AND feature_source <> 'synthetic') AS avg_tempo,
            avg(acousticness) FILTER (is_listen AND feature_source <> 'synthetic') AS avg_acousticness,
            var_samp(valence) FILTER (is_listen AND feature_source <> 'synthetic') AS valence_variance,
            var_samp(energy) FILTER (is_listen AND feature_source <> 'synthetic') AS energy_variance,
            avg(is_skip::int) FILTER (tells_skip) AS skip_rate,
            count(valence) FILTER (is_listen AND feature_source <> 'synthetic') AS known_listens,
            avg(is_measured::int) FILTER (is_listen) AS measured_share
        FROM plays
        GROUP BY ALL
    """,
    "gold.mood_time_correlations": """
        WITH hours AS (
            SELECT user_id, hour_of_day, count(*) FILTER (is_listen) AS listens,
                avg(is_measured::int) FILTER (is_listen) AS measured_share
            FROM plays
            GROUP BY ALL
        ),
        known AS (SELECT * FROM plays WHERE is_listen AND feature_source <> 'synthetic'),
        figures AS (
            SELECT
                h.user_id,
                h.hour_of_day,
                count(k.valence) FILTER (k.hour_of_day = h.hour_of_day) AS sample_size,
                count(DISTINCT k.date) FILTER (k.hour_of_day = h.hour_of_day AND k.valence IS NOT NULL) AS days,
                avg(k.valence) FILTER (k.hour_of_day = h.hour_of_day) AS avg_valence,
                avg(k.energy) FILTER (k.hour_of_day = h.hour_of_day) AS avg_energy,
                avg(k.danceability) FILTER (k.hour_of_day = h.hour_of_day) AS avg_danceability,
                avg(k.acousticness) FILTER (k.hour_of_day = h.hour_of_day) AS avg_acousticness,
                stddev_samp(k.valence) FILTER (k.hour_of_day = h.hour_of_day) AS valence_stddev,
                stddev_samp(k.energy) FILTER (k.hour_of_day = h.hour_of_day) AS energy_stddev,
                avg(k.valence) FILTER (k.hour_of_day <> h.hour_of_day) AS rest_valence,
                avg(k.energy) FILTER (k.hour_of_day <> h.hour_of_day) AS rest_energy
            FROM hours h LEFT JOIN known k USING (user_id)
            GROUP BY ALL
        )
        SELECT
            user_id, hour_of_day, avg_valence, avg_energy, avg_danceability, avg_acousticness, sample_size, days, listens,
            valence_stddev, energy_stddev, avg_valence - rest_valence AS valence_difference,
            avg_energy - rest_energy AS energy_difference, measured_share
        FROM figures JOIN hours USING (user_id, hour_of_day)
    """,
    "gold.mood_shift_patterns": """
        WITH listens AS (
            SELECT
                user_id, session_id, played_at, play_id, is_measured,
                CASE WHEN feature_source <> 'synthetic' THEN mood_category END AS mood,
                CASE WHEN feature_source <> 'synthetic' THEN valence END AS valence,
                CASE WHEN feature_source <> 'synthetic' THEN energy END AS energy,
            FROM plays
            WHERE is_listen
        ),
        numbered AS (
            SELECT *, row_number() OVER (PARTITION BY user_id, session_id ORDER BY played_at, play_id) AS place FROM listens
        ),
        pairs AS (
            SELECT
                a.user_id, a.mood AS from_mood, b.mood AS to_mood, b.valence - a.valence AS valence_change,
                b.energy - a.energy AS energy_change, (a.is_measured AND b.is_measured)::int AS both_measured
            FROM numbered a
            JOIN numbered b ON a.user_id = b.user_id AND a.session_id = b.session_id AND b.place = a.place + 1
            WHERE a.mood IS NOT NULL AND b.mood IS NOT NULL
        ),
        totals AS (SELECT user_id, from_mood, count(*) AS from_total FROM pairs GROUP BY ALL)
        SELECT
            user_id, from_mood, to_mood, count(*) AS shifts, any_value(from_total) AS from_total,
            count(*) / any_value(from_total) AS share, avg(valence_change) AS avg_valence_change,
            avg(energy_change) AS avg_energy_change, avg(abs(valence_change)) AS avg_valence_distance,
            avg(both_measured) AS measured_share
        FROM pairs JOIN totals USING (user_id, from_mood)
        GROUP BY user_id, from_mood, to_mood
    """,
}
