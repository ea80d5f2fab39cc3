"""silver.listening_with_features computed a second time by DuckDB, from the raw files, for one listener living in UTC."""

from __future__ import annotations

import zipfile
from pathlib import Path

import duckdb

MEANS = ("danceability", "energy", "valence", "acousticness", "instrumentalness", "speechiness", "liveness", "loudness", "tempo")
USER = "me"
FEATURES = (*MEANS, "time_signature", "key", "mode")

# The export's fields in the order that silver hashes them; what the export lacks is null there.
FIELDS = (
    *("ts", "ms_played", "spotify_track_uri", "master_metadata_track_name", "master_metadata_album_artist_name"),
    *("master_metadata_album_album_name", "episode_name", "episode_show_name", "spotify_episode_uri", "audiobook_title"),
    *("audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title", "platform", "conn_country", "reason_start"),
    *("reason_end", "shuffle", "skipped", "offline", "offline_timestamp", "incognito_mode"),
)

HISTORY = """
CREATE TABLE history AS
WITH text AS (SELECT DISTINCT {fields} FROM read_json('{files}', format = 'array', columns = {{{columns}}}))
SELECT '{user}' AS user_id,
    md5('{user}' || chr(31) || 'spotify_extended' || chr(31) || md5(concat_ws(chr(31), {marked}))) AS play_id,
    split_part(spotify_track_uri, ':', 3) AS track_id, master_metadata_track_name AS track_name,
    master_metadata_album_artist_name AS artist_name, master_metadata_album_album_name AS album_name,
    ts::TIMESTAMP AS ended_at, ts::TIMESTAMP - to_milliseconds(ms_played::BIGINT) AS played_at, ms_played::BIGINT AS ms_played,
    coalesce(skipped::BOOLEAN, false) OR coalesce(reason_end = 'fwdbtn', false) AS is_skip,
    skipped IS NOT NULL OR reason_end IS NOT NULL AS tells_skip
FROM text
"""

# Impossible values (0 where nothing was found) count as unknown; the most popular row of a track speaks for it.
CATALOGUE = """
CREATE TABLE catalogue AS
WITH rows AS (SELECT * REPLACE (nullif(tempo, 0) AS tempo, nullif(time_signature, 0) AS time_signature)
              FROM read_csv('{file}', header = true))
SELECT track_id, max(popularity) AS popularity, any_value(track_name) AS track_name, any_value(artists) AS artists,
    nullif(any_value(duration_ms), 0) AS duration_ms, list_sort(list(DISTINCT track_genre)) AS genres, {features}
FROM rows GROUP BY track_id
"""

TRACKS = """
CREATE TABLE tracks AS
WITH heard AS (
    SELECT track_id, arg_max(lower(trim(track_name)) || chr(31) || lower(trim(artist_name)), (played_at, play_id)) AS name,
        arg_max(lower(trim(artist_name)), (played_at, play_id)) AS artist FROM history GROUP BY 1
), credits AS (
    SELECT DISTINCT track_id, lower(trim(unnest(string_split(artists, ';')))) AS artist FROM catalogue
    WHERE artists IS NOT NULL
), by_name AS (
    SELECT lower(trim(c.track_name)) || chr(31) || credits.artist AS name,
        arg_min(track_id, (-popularity, track_id)) AS match
    FROM catalogue c JOIN credits USING (track_id) GROUP BY 1
), by_artist AS (
    SELECT credits.artist, {means} FROM catalogue c JOIN credits USING (track_id) GROUP BY 1
), counted AS (
    SELECT credits.artist, genre, count(*) AS n FROM credits JOIN (SELECT track_id, unnest(genres) AS genre FROM catalogue)
    USING (track_id) GROUP BY ALL
), main AS (SELECT artist, arg_min(genre, (-n, genre)) AS genre FROM counted GROUP BY artist)
SELECT h.track_id, CASE WHEN i.track_id IS NOT NULL THEN 'kaggle_id' WHEN n.match IS NOT NULL THEN 'kaggle_name'
        WHEN a.artist IS NOT NULL THEN 'artist_mean' ELSE 'synthetic' END AS feature_source,
    coalesce(i.duration_ms, m.duration_ms) AS duration_ms,
    coalesce(i.genres, m.genres, CASE WHEN main.genre IS NOT NULL THEN [main.genre] ELSE [] END) AS genres, {ladder}
FROM heard h LEFT JOIN catalogue i USING (track_id) LEFT JOIN by_name n USING (name)
    LEFT JOIN catalogue m ON m.track_id = n.match LEFT JOIN by_artist a USING (artist) LEFT JOIN main USING (artist)
"""

PLAYS = """
CREATE TABLE plays AS
WITH quiet AS (
    SELECT *, max(ended_at) OVER (PARTITION BY user_id ORDER BY played_at, play_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS quiet_since FROM history
), numbered AS (
    SELECT * EXCLUDE (quiet_since), 's' || count(*) FILTER (quiet_since IS NULL OR played_at > quiet_since + INTERVAL 30 MINUTE)
        OVER (PARTITION BY user_id ORDER BY played_at, play_id) AS session_id FROM quiet
)
SELECT n.*, substr(md5(lower(trim(artist_name))), 1, 16) AS artist_key,
    substr(md5(lower(trim(artist_name)) || chr(31) || lower(trim(album_name))), 1, 16) AS album_key,
    played_at AS local_time, played_at::DATE AS date, hour(played_at)::INTEGER AS hour_of_day,
    isodow(played_at)::INTEGER AS day_of_week, dayname(played_at) AS day_name, isodow(played_at) >= 6 AS is_weekend,
    CASE WHEN hour(played_at) BETWEEN 6 AND 11 THEN 'morning' WHEN hour(played_at) BETWEEN 12 AND 17 THEN 'afternoon'
         WHEN hour(played_at) BETWEEN 18 AND 22 THEN 'evening' ELSE 'night' END AS part_of_day,
    ms_played < 30000 AS is_short, ms_played >= 30000 AS is_listen, t.* EXCLUDE (track_id),
    t.feature_source IN ('kaggle_id', 'kaggle_name') AS is_measured,
    CASE WHEN valence IS NULL OR energy IS NULL THEN NULL WHEN valence >= .6 AND energy >= .6 THEN 'Happy_Energetic'
         WHEN valence >= .6 AND energy < .4 THEN 'Happy_Calm' WHEN valence < .4 AND energy >= .6 THEN 'Sad_Energetic'
         WHEN valence < .4 AND energy < .4 THEN 'Sad_Calm' ELSE 'Neutral' END AS mood_category
FROM numbered n JOIN tracks t USING (track_id)
"""


def load(connection: duckdb.DuckDBPyConnection, data: Path, scratch: Path) -> None:
    """Create tables history (identical rows once), catalogue, tracks and plays from the raw files."""
    with zipfile.ZipFile(data / "spotify_history" / "my_spotify_data.zip") as archive:
        archive.extractall(scratch)
    files = str(scratch / "*" / "*.json")
    fields = ", ".join(f'"{name}"' for name in FIELDS)
    columns = ", ".join(f"\"{name}\": 'VARCHAR'" for name in FIELDS)
    marked = ", ".join(f'coalesce("{name}", chr(0))' for name in FIELDS)
    connection.sql(HISTORY.format(user=USER, files=files, fields=fields, columns=columns, marked=marked))
    features = ", ".join(f'arg_max("{name}", popularity) AS "{name}"' for name in FEATURES)
    connection.sql(CATALOGUE.format(file=data / "kaggle" / "dataset.csv", features=features))
    means = ", ".join(f'avg("{name}") AS "{name}"' for name in MEANS)
    ladder = ", ".join(
        f'CASE WHEN i.track_id IS NOT NULL THEN i."{name}" WHEN n.match IS NOT NULL THEN m."{name}" '
        f'ELSE {f"a.{name}" if name in MEANS else "NULL"} END AS "{name}"'
        for name in FEATURES
    )
    connection.sql(TRACKS.format(means=means, ladder=ladder))
    connection.sql(PLAYS)
