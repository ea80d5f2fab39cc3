"""What every descriptive table must hold, as DuckDB SQL over a view `plays` with the columns of silver.listening_with_features.

Written from what the columns mean, plainly and without regard to cost: distinct counts are COUNT(DISTINCT), trailing windows
are joins on dates, the Gini coefficient compares every pair of artists.
"""

from __future__ import annotations

MINUTES = "coalesce(sum(ms_played), 0) / 60000"
LISTENS = "count(*) FILTER (is_listen)"
SKIP_RATE = "count(*) FILTER (is_skip) / nullif(count(*) FILTER (tells_skip), 0)"
KNOWN = "is_listen AND feature_source <> 'synthetic'"
MEASURED_SHARE = f"count(*) FILTER (is_listen AND is_measured) / nullif({LISTENS}, 0)"
LATEST = "ORDER BY played_at DESC, play_id DESC"


def mean(feature: str) -> str:
    """The mean of a feature over the listens that have it from something better than synthesis."""
    return f"avg({feature}) FILTER ({KNOWN})"


LISTENING_PATTERNS_BY_TIME = f"""
SELECT user_id, day_of_week, hour_of_day, min(strftime(date, '%A')) AS day_name,
    CASE WHEN hour_of_day IN (23, 0, 1, 2, 3, 4, 5) THEN 'night' WHEN hour_of_day < 12 THEN 'morning'
         WHEN hour_of_day < 18 THEN 'afternoon' ELSE 'evening' END AS part_of_day,
    day_of_week IN (6, 7) AS is_weekend, count(*) AS play_count, {LISTENS} AS listen_count, {MINUTES} AS minutes,
    {mean("valence")} AS avg_valence, {mean("energy")} AS avg_energy, {mean("danceability")} AS avg_danceability,
    {mean("acousticness")} AS avg_acousticness, {mean("tempo")} AS avg_tempo, {MEASURED_SHARE} AS measured_share
FROM plays GROUP BY user_id, day_of_week, hour_of_day
"""

TOP_TRACKS_BY_MOOD = f"""
WITH tracks AS (
    SELECT user_id, mood_category, track_id, {LISTENS} AS listen_count, count(*) AS play_count, {MINUTES} AS minutes,
        {MEASURED_SHARE} AS measured_share, row_number() OVER (
            PARTITION BY user_id, mood_category
            ORDER BY {LISTENS} DESC, coalesce(sum(ms_played), 0) DESC, track_id)::INTEGER AS rank_in_category
    FROM plays WHERE mood_category IS NOT NULL AND feature_source <> 'synthetic'
    GROUP BY user_id, mood_category, track_id HAVING {LISTENS} > 0
), newest AS (
    SELECT * FROM plays WHERE mood_category IS NOT NULL AND feature_source <> 'synthetic'
    QUALIFY row_number() OVER (PARTITION BY user_id, mood_category, track_id {LATEST}) = 1
)
SELECT t.*, n.recording_id, n.track_name, n.artist_name, n.valence, n.energy, n.danceability, n.tempo, n.feature_source
FROM tracks t JOIN newest n USING (user_id, mood_category, track_id) WHERE rank_in_category <= 50
"""

TEMPORAL_TRENDS = f"""
WITH days AS (
    SELECT user_id, date, count(*) AS total_plays, {LISTENS} AS listen_count, {MINUTES} AS minutes,
        count(*) FILTER (isodow(date) >= 6) AS weekend_plays, {mean("valence")} AS avg_valence,
        {mean("energy")} AS avg_energy, {mean("tempo")} AS avg_tempo,
        count(valence) FILTER ({KNOWN}) AS known_listens, {MEASURED_SHARE} AS measured_share
    FROM plays GROUP BY user_id, date
), start AS (SELECT user_id, min(date) AS first_date FROM plays GROUP BY user_id
), last_week AS (
    SELECT d.user_id, d.date, count(*) AS plays_of_week, avg(p.valence) FILTER ({KNOWN}) AS valence_7_day_mean
    FROM days d JOIN plays p ON p.user_id = d.user_id AND p.date > d.date - 7 AND p.date <= d.date GROUP BY d.user_id, d.date
)
SELECT d.*, plays_of_week / least(7, d.date - first_date + 1) AS plays_7_day_mean, valence_7_day_mean,
    CASE WHEN d.date - first_date >= 7 THEN d.total_plays - coalesce(w.total_plays, 0) END AS plays_change_from_week_ago,
    d.avg_valence - w.avg_valence AS valence_change_from_week_ago
FROM days d JOIN start USING (user_id) JOIN last_week t USING (user_id, date)
LEFT JOIN days w ON w.user_id = d.user_id AND w.date = d.date - 7
"""

AUDIO_FEATURE_DISTRIBUTIONS = f"""
WITH listened AS (
    UNPIVOT (SELECT user_id, danceability, energy, valence, acousticness, instrumentalness, speechiness, liveness, loudness, tempo
             FROM plays WHERE {KNOWN})
    ON COLUMNS(* EXCLUDE user_id) INTO NAME feature_name VALUE value
), shares AS (SELECT user_id, {MEASURED_SHARE} AS measured_share FROM plays GROUP BY user_id)
SELECT user_id, feature_name, count(*) AS n, min(value) AS min, max(value) AS max, avg(value) AS mean,
    CASE WHEN count(*) > 1 THEN stddev_samp(value) END AS std_dev, quantile_cont(value, 0.5) AS median,
    {", ".join(f"quantile_cont(value, 0.{d}) AS p{d}0" for d in range(1, 10))}, any_value(measured_share) AS measured_share
FROM listened JOIN shares USING (user_id) GROUP BY user_id, feature_name
"""

FEATURE_SOURCE_COVERAGE = """
SELECT p.user_id, coalesce(feature_source, 'none') AS feature_source, count(*) AS record_count,
    count(*) FILTER (is_listen) AS listen_count, 100 * count(*) / any_value(everything.plays) AS percentage,
    coalesce(feature_source, 'none') IN ('api', 'kaggle_id', 'kaggle_name') AS measured
FROM plays p JOIN (SELECT user_id, count(*) AS plays FROM plays GROUP BY user_id) everything USING (user_id)
GROUP BY p.user_id, feature_source
"""


def chart(key: str, names: str, source: str, total: str) -> str:
    """Charts of `key` in `source` (plays, or a row per play and key); `total`: which plays count in shares."""
    name_columns = "".join(f", n.{name}" for name in names.split())
    bounds = ", ".join(
        f"('{kind}', date_trunc('{kind}', date)::DATE, (date_trunc('{kind}', date) + INTERVAL {step})::DATE)"
        for kind, step in (("week", "7 DAY"), ("month", "1 MONTH"), ("quarter", "3 MONTH"), ("year", "1 YEAR"))
    )
    return f"""
WITH heard AS ({source}), periods AS (
    SELECT DISTINCT user_id, b.period_type, b.period_start, b.period_end
    FROM plays, LATERAL (VALUES {bounds}) AS b(period_type, period_start, period_end)
    UNION ALL SELECT user_id, 'all_time', min(date), DATE '9999-01-01' FROM plays GROUP BY user_id
), totals AS (
    SELECT e.user_id, period_type, period_start, count(*) FILTER ({total}) AS total
    FROM periods e JOIN plays p ON p.user_id = e.user_id AND date >= period_start AND date < period_end
    GROUP BY e.user_id, period_type, period_start
), debut AS (SELECT user_id, {key}, min(date) AS first_date FROM heard GROUP BY user_id, {key}
), counted AS (
    SELECT e.user_id, period_type, period_start, period_end, {key}, {LISTENS} AS listen_count, count(*) AS play_count,
        {MINUTES} AS minutes, row_number() OVER (
            PARTITION BY e.user_id, period_type, period_start
            ORDER BY {LISTENS} DESC, coalesce(sum(ms_played), 0) DESC, {key})::INTEGER AS rank
    FROM periods e JOIN heard h ON h.user_id = e.user_id AND date >= period_start AND date < period_end
    WHERE {key} IS NOT NULL
    GROUP BY e.user_id, period_type, period_start, period_end, {key} HAVING {LISTENS} > 0
), charts AS (SELECT * FROM counted WHERE rank <= 100
), named AS (SELECT * FROM heard QUALIFY row_number() OVER (PARTITION BY user_id, {key} {LATEST}) = 1)
SELECT c.user_id, c.period_type, c.period_start, c.rank, c.{key}{name_columns}, c.listen_count, c.play_count, c.minutes,
    c.listen_count / t.total AS share_of_listens,
    d.first_date >= c.period_start AND d.first_date < c.period_end AS is_new
FROM charts c JOIN totals t USING (user_id, period_type, period_start) JOIN debut d USING (user_id, {key})
JOIN named n ON n.user_id = c.user_id AND n.{key} = c.{key}
"""


PLAYS_BY_GENRE = "SELECT p.*, g.genre FROM plays p, LATERAL (SELECT DISTINCT unnest(p.genres)) AS g(genre)"

# The start of the unbroken run of listened dates that a date lies in, for dates that were listened on.
RUNS = """
listened AS (SELECT DISTINCT user_id, date FROM plays WHERE is_listen),
starts AS (SELECT user_id, date FROM listened ANTI JOIN (SELECT user_id, date + 1 AS date FROM listened) USING (user_id, date)),
runs AS (
    SELECT l.user_id, l.date, (l.date - s.date + 1)::INTEGER AS streak_days
    FROM listened l ASOF JOIN starts s ON s.user_id = l.user_id AND l.date >= s.date
)
"""

DAILY_LISTENING = f"""
WITH {RUNS}, track_debut AS (SELECT user_id, track_id, min(date) FILTER (is_listen) AS debut FROM plays GROUP BY ALL
), artist_debut AS (SELECT user_id, artist_key, min(date) FILTER (is_listen) AS debut FROM plays GROUP BY ALL)
SELECT p.user_id, p.date, count(*) AS plays, {LISTENS} AS listens, {MINUTES} AS minutes, count(*) FILTER (is_skip) AS skips,
    {SKIP_RATE} AS skip_rate, count(DISTINCT p.track_id) FILTER (is_listen) AS unique_tracks,
    count(DISTINCT p.artist_key) FILTER (is_listen) AS unique_artists,
    count(DISTINCT p.track_id) FILTER (is_listen AND t.debut = p.date) AS new_tracks,
    count(DISTINCT p.artist_key) FILTER (is_listen AND a.debut = p.date) AS new_artists,
    count(DISTINCT session_id) AS sessions, min(local_time) AS first_play_local_time, max(local_time) AS last_play_local_time,
    coalesce(any_value(streak_days), 0)::INTEGER AS streak_days
FROM plays p JOIN track_debut t USING (user_id, track_id)
LEFT JOIN artist_debut a ON a.user_id = p.user_id AND a.artist_key = p.artist_key
LEFT JOIN runs r ON r.user_id = p.user_id AND r.date = p.date
GROUP BY p.user_id, p.date
"""

USER_METRICS = f"""
WITH {RUNS}, last AS (SELECT user_id, max(date) AS last_date FROM plays GROUP BY user_id
), amounts AS (
    SELECT user_id, count(*) AS plays, {LISTENS} AS listens, {MINUTES} AS minutes, {MINUTES} / 60 AS hours,
        count(DISTINCT date) AS active_days, {MINUTES} / count(DISTINCT date) AS minutes_per_active_day,
        min(played_at) AS first_played_at, max(played_at) AS last_played_at,
        (any_value(last_date) + INTERVAL 1 DAY)::TIMESTAMP AS as_of,
        count(DISTINCT track_id) FILTER (is_listen) AS unique_tracks,
        count(DISTINCT artist_key) FILTER (is_listen) AS unique_artists,
        count(DISTINCT album_key) FILTER (is_listen) AS unique_albums, count(DISTINCT session_id) AS sessions,
        count(*) / count(DISTINCT session_id) AS plays_per_session, {SKIP_RATE} AS skip_rate,
        count(*) FILTER (tells_skip) AS skips_told,
        count(*) FILTER (NOT is_listen) / nullif(count(ms_played), 0) AS short_rate,
        count(*) FILTER (is_listen AND date > last_date - 30) AS listens_last_30_days,
        count(*) FILTER (is_listen AND date > last_date - 90) AS listens_last_90_days,
        count(*) FILTER (is_listen AND date > last_date - 365) AS listens_last_365_days,
        count(*) FILTER (is_listen AND isodow(date) >= 6) / nullif({LISTENS}, 0) AS weekend_share,
        {mean("valence")} AS avg_valence, {mean("energy")} AS avg_energy,
        count(valence) FILTER ({KNOWN}) AS known_listens, {MEASURED_SHARE} AS measured_share
    FROM plays JOIN last USING (user_id) GROUP BY user_id
), artists AS (
    SELECT user_id, artist_key, count(*) AS x FROM plays WHERE is_listen AND artist_key IS NOT NULL GROUP BY user_id, artist_key
), spread AS (
    SELECT user_id, count(*) AS n, avg(x) AS mean_x, max(x) AS most, -sum(p * log2(p)) AS entropy
    FROM (SELECT *, x / sum(x) OVER (PARTITION BY user_id) AS p FROM artists) GROUP BY user_id
), pairs AS (SELECT a.user_id, sum(abs(a.x - b.x)) AS gaps FROM artists a JOIN artists b USING (user_id) GROUP BY a.user_id
), tracks AS (
    SELECT user_id, quantile_cont(n, 0.5) AS median_track_plays
    FROM (SELECT user_id, track_id, count(*)::DOUBLE AS n FROM plays GROUP BY user_id, track_id) GROUP BY user_id
), streaks AS (SELECT user_id, max(streak_days) AS longest FROM runs GROUP BY user_id)
SELECT a.*, coalesce(longest, 0)::INTEGER AS longest_streak_days, median_track_plays,
    most / nullif(listens, 0) AS top_artist_share,
    gaps / (2 * n * n * mean_x) AS artist_gini, entropy AS artist_entropy, pow(2, entropy) AS effective_artists
FROM amounts a JOIN tracks USING (user_id) LEFT JOIN streaks USING (user_id)
LEFT JOIN spread USING (user_id) LEFT JOIN pairs USING (user_id)
"""

ARTIST_STATS = f"""
WITH whole AS (SELECT user_id, max(date) AS last_date, {LISTENS} AS all_listens FROM plays GROUP BY user_id
), figures AS (
    SELECT user_id, artist_key, arg_max(artist_name, (played_at, play_id)) AS artist_name, count(*) AS plays,
        {LISTENS} AS listens, {MINUTES} AS minutes, {LISTENS} / nullif(any_value(all_listens), 0) AS share_of_listens,
        count(DISTINCT track_id) FILTER (is_listen) AS unique_tracks, count(DISTINCT date) AS active_days,
        min(played_at) AS first_played_at, max(played_at) AS last_played_at, {SKIP_RATE} AS skip_rate,
        count(*) FILTER (is_listen AND date > last_date - 90) AS listens_last_90_days,
        count(*) FILTER (is_listen AND date > last_date - 180 AND date <= last_date - 90) AS listens_previous_90_days,
        {mean("valence")} AS avg_valence, {mean("energy")} AS avg_energy,
        count(valence) FILTER ({KNOWN}) AS known_listens, {MEASURED_SHARE} AS measured_share
    FROM plays JOIN whole USING (user_id) WHERE artist_key IS NOT NULL GROUP BY user_id, artist_key
)
SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY listens DESC, minutes DESC, artist_key)::INTEGER AS rank,
    (listens_last_90_days - listens_previous_90_days) / nullif(listens_last_90_days + listens_previous_90_days, 0) AS trend
FROM figures
"""


def first_of(kind: str, key: str, name: str, source: str) -> str:
    """The id with the most listens of each listener's year, with the name and artist of the listener's latest play of it."""
    return f"""(
    WITH heard AS ({source}),
    named AS (SELECT * FROM heard QUALIFY row_number() OVER (PARTITION BY user_id, {key} {LATEST}) = 1)
    SELECT h.user_id, year, {kind}_listens, {name} AS {kind}_name, artist_name AS {kind}_artist
    FROM (SELECT user_id, {key}, year(date) AS year, {LISTENS} AS {kind}_listens
          FROM heard WHERE {key} IS NOT NULL GROUP BY user_id, year(date), {key} HAVING {LISTENS} > 0
    QUALIFY row_number() OVER (
        PARTITION BY user_id, year(date) ORDER BY {LISTENS} DESC, coalesce(sum(ms_played), 0) DESC, {key}) = 1) h
    JOIN named USING (user_id, {key})
)"""


YEAR_IN_MUSIC = f"""
WITH years AS (
    SELECT user_id, year(date)::INTEGER AS year, count(*) AS plays, {LISTENS} AS listens, {MINUTES} AS minutes,
        count(DISTINCT date) AS active_days, {SKIP_RATE} AS skip_rate,
        count(*) FILTER (tells_skip) AS skips_told, count(DISTINCT track_id) FILTER (is_listen) AS unique_tracks,
        count(DISTINCT artist_key) FILTER (is_listen) AS unique_artists, {MEASURED_SHARE} AS measured_share
    FROM plays GROUP BY user_id, year(date)
), genres AS (SELECT user_id, year(date) AS year,
        count(DISTINCT genre) FILTER (is_listen) AS n FROM ({PLAYS_BY_GENRE}) GROUP BY ALL
), debuts AS (
    SELECT user_id, year, count(*) AS n FROM (
        SELECT user_id, artist_key, year(min(date)) AS year
        FROM plays WHERE artist_key IS NOT NULL AND is_listen GROUP BY user_id, artist_key)
    GROUP BY user_id, year
), dates AS (
    SELECT user_id, year(date) AS year, date, {MINUTES} AS date_minutes FROM plays GROUP BY user_id, date
    QUALIFY row_number() OVER (
        PARTITION BY user_id, year(date) ORDER BY coalesce(sum(ms_played), 0) DESC, {LISTENS} DESC, date) = 1
), hours AS (
    SELECT user_id, year(date) AS year, hour_of_day FROM plays GROUP BY user_id, year(date), hour_of_day
    QUALIFY row_number() OVER (
        PARTITION BY user_id, year(date) ORDER BY {LISTENS} DESC, coalesce(sum(ms_played), 0) DESC, hour_of_day) = 1
), {RUNS}, streaks AS (
    SELECT user_id, year(date) AS year, max(least(streak_days, dayofyear(date)))::INTEGER AS n
    FROM runs GROUP BY user_id, year(date)
), moods AS (
    SELECT user_id, year(date) AS year, {LISTENS} AS n FROM plays
    WHERE mood_category IS NOT NULL AND feature_source <> 'synthetic' GROUP BY user_id, year(date)
)
SELECT y.*, y.minutes - before.minutes AS minutes_change, coalesce(genres.n, 0) AS unique_genres,
    coalesce(debuts.n, 0) AS new_artists, artist_name AS top_artist, artist_listens AS top_artist_listens,
    track_name AS top_track, track_artist AS top_track_artist, track_listens AS top_track_listens,
    genre_name AS top_genre, genre_listens AS top_genre_listens, dates.date AS busiest_date,
    date_minutes AS busiest_date_minutes, hours.hour_of_day AS busiest_hour,
    coalesce(streaks.n, 0)::INTEGER AS longest_streak_days,
    mood_name AS top_mood, mood_listens / nullif(moods.n, 0) AS top_mood_share
FROM years y JOIN dates USING (user_id, year) JOIN hours USING (user_id, year)
LEFT JOIN years before ON before.user_id = y.user_id AND before.year = y.year - 1
LEFT JOIN genres ON genres.user_id = y.user_id AND genres.year = y.year
LEFT JOIN debuts ON debuts.user_id = y.user_id AND debuts.year = y.year
LEFT JOIN streaks ON streaks.user_id = y.user_id AND streaks.year = y.year
LEFT JOIN moods ON moods.user_id = y.user_id AND moods.year = y.year
LEFT JOIN {first_of("artist", "artist_key", "artist_name", "FROM plays")} a ON a.user_id = y.user_id AND a.year = y.year
LEFT JOIN {first_of("track", "track_id", "track_name", "FROM plays")} t ON t.user_id = y.user_id AND t.year = y.year
LEFT JOIN {first_of("genre", "genre", "genre", PLAYS_BY_GENRE)} g ON g.user_id = y.user_id AND g.year = y.year
LEFT JOIN {first_of("mood", "mood_category", "mood_category", "FROM plays WHERE feature_source <> 'synthetic'")} m
    ON m.user_id = y.user_id AND m.year = y.year
"""

ORACLES: dict[str, str] = {
    "gold.listening_patterns_by_time": LISTENING_PATTERNS_BY_TIME,
    "gold.top_tracks_by_mood": TOP_TRACKS_BY_MOOD,
    "gold.temporal_trends": TEMPORAL_TRENDS,
    "gold.audio_feature_distributions": AUDIO_FEATURE_DISTRIBUTIONS,
    "gold.feature_source_coverage": FEATURE_SOURCE_COVERAGE,
    "gold.top_artists": chart("artist_key", "artist_name", "FROM plays", "is_listen"),
    "gold.top_tracks": chart("track_id", "recording_id track_name artist_name", "FROM plays", "is_listen"),
    "gold.top_genres": chart("genre", "", PLAYS_BY_GENRE, "is_listen AND len(genres) > 0"),
    "gold.daily_listening": DAILY_LISTENING,
    "gold.user_metrics": USER_METRICS,
    "gold.artist_stats": ARTIST_STATS,
    "gold.year_in_music": YEAR_IN_MUSIC,
}
