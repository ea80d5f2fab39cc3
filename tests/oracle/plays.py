"""silver.listening_with_features computed a second time by DuckDB, from the raw files, for one listener living in UTC."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb

from music.names import fold
from music.recordings import is_placeholder, plain_title, says_nothing
from tests.oracle.history import kept, read

MEANS = ("danceability", "energy", "valence", "acousticness", "instrumentalness", "speechiness", "liveness", "loudness", "tempo")
USER = "me"
FEATURES = (*MEANS, "time_signature", "key", "mode")

# Impossible values (0 where nothing was found) count as unknown; the most popular row of a track speaks for it.
CATALOGUE = """
CREATE TABLE catalogue AS
WITH rows AS (SELECT * REPLACE (nullif(tempo, 0) AS tempo, nullif(time_signature, 0) AS time_signature)
              FROM read_csv('{file}', header = true))
SELECT track_id, max(popularity) AS popularity, any_value(track_name) AS track_name, any_value(artists) AS artists,
    nullif(any_value(duration_ms), 0) AS duration_ms, list_sort(list(DISTINCT track_genre)) AS genres, {features}
FROM rows GROUP BY track_id
"""

IDS = """
CREATE TABLE listed AS
SELECT track_id, popularity, hash_of(trim(string_split(artists, ';')[1]), track_name) AS key FROM catalogue;
CREATE TABLE named AS
WITH counted AS (
    SELECT track_id, hash_of(artist_name, track_name) AS key, count(*) AS n, max(played_at) AS last FROM raw GROUP BY 1, 2
) SELECT track_id, arg_max(key, (n, last, key)) FILTER (key IS NOT NULL) AS key, sum(n) AS n FROM counted GROUP BY 1;
CREATE TABLE ids AS
WITH keyed AS (
    SELECT track_id, coalesce(l.key, h.key, md5(track_id)) AS recording, l.track_id IS NOT NULL AS is_listed,
        coalesce(popularity, 0) AS popularity, coalesce(n, 0) AS n
    FROM named h FULL JOIN listed l USING (track_id)
) SELECT track_id, recording, first_value(track_id) OVER (PARTITION BY recording
    ORDER BY is_listed DESC, popularity DESC, CASE WHEN is_listed THEN 0 ELSE n END DESC, track_id) AS represented_by FROM keyed;
"""

TRACKS = """
CREATE TABLE tracks AS
WITH spelled AS (
    SELECT track_id, track_name, artist_name, hash_of(artist_name, track_name) AS key, count(*) AS n, max(played_at) AS last
    FROM raw GROUP BY 1, 2, 3
), heard AS (
    SELECT track_id, key_of(arg_max(artist_name, (n, last, artist_name))) AS artist,
        arg_max(hash_of(artist_name, track_name), (n, last, artist_name)) AS name
    FROM spelled JOIN (SELECT track_id AS id, key AS best FROM named) ON id = track_id AND best IS NOT DISTINCT FROM key
    GROUP BY 1
), credits AS (
    SELECT DISTINCT track_id, key_of(trim(unnest(string_split(artists, ';')))) AS artist
    FROM catalogue WHERE artists IS NOT NULL
), by_name AS (
    SELECT md5(credits.artist || chr(31) || plain_title(c.track_name)) AS name,
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

# The commonest spelling of a recording in the listener's plays, of equally common ones the latest; then of the artist.
HISTORY = """
CREATE TABLE history AS
WITH kept AS (SELECT k.*, recording, represented_by FROM plays_kept k JOIN ids USING (track_id)),
spelled AS (SELECT recording, track_name, artist_name, count(*) AS n, max(played_at) AS last FROM kept GROUP BY 1, 2, 3),
shown AS (SELECT recording, arg_max(track_name, (n, last, track_name)) AS title,
              arg_max(artist_name, (n, last, track_name)) AS artist
          FROM spelled GROUP BY 1),
artists AS (SELECT key_of(artist_name) AS folded, arg_max(artist_name, (n, last, artist_name)) AS artist
            FROM (SELECT artist_name, sum(n) AS n, max(last) AS last FROM spelled GROUP BY 1) GROUP BY 1)
SELECT k.* EXCLUDE (track_id, track_name, artist_name, represented_by), track_id AS played_track_id, represented_by AS track_id,
    recording AS recording_id, title AS track_name, a.artist AS artist_name, artist_name AS album_artist
FROM kept k JOIN shown s USING (recording) JOIN artists a ON a.folded = key_of(s.artist)
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
SELECT n.*, substr(md5(key_of(artist_name)), 1, 16) AS artist_key,
    substr(md5(key_of(album_artist) || chr(31) || fold(album_name)), 1, 16) AS album_key,
    played_at AS local_time, played_at::DATE AS date, hour(played_at)::INTEGER AS hour_of_day,
    isodow(played_at)::INTEGER AS day_of_week, dayname(played_at) AS day_name, isodow(played_at) >= 6 AS is_weekend,
    CASE WHEN hour(played_at) BETWEEN 6 AND 11 THEN 'morning' WHEN hour(played_at) BETWEEN 12 AND 17 THEN 'afternoon'
         WHEN hour(played_at) BETWEEN 18 AND 22 THEN 'evening' ELSE 'night' END AS part_of_day,
    ms_played < 30000 AS is_short, ms_played >= 30000 AS is_listen, t.* EXCLUDE (track_id),
    t.feature_source IN ('kaggle_id', 'kaggle_name') AS is_measured,
    CASE WHEN valence IS NULL OR energy IS NULL THEN NULL WHEN valence >= .6 AND energy >= .6 THEN 'Happy_Energetic'
         WHEN valence >= .6 AND energy < .4 THEN 'Happy_Calm' WHEN valence < .4 AND energy >= .6 THEN 'Sad_Energetic'
         WHEN valence < .4 AND energy < .4 THEN 'Sad_Calm' ELSE 'Neutral' END AS mood_category
FROM numbered n JOIN tracks t ON t.track_id = n.played_track_id
"""


def _key_of(name: str) -> str | None:
    """The folded name; one that says nothing is a name of its own in every spelling."""
    folded = fold(name)
    return name.strip() if folded is not None and says_nothing(folded) else folded


def load(connection: duckdb.DuckDBPyConnection, data: Path) -> None:
    """Create tables history (every play once), catalogue, tracks and plays from the raw files; names are folded as music does."""
    for name, function in (("fold", fold), ("key_of", _key_of), ("plain_title", plain_title)):
        connection.create_function(name, cache(function), ["VARCHAR"], "VARCHAR")
    connection.create_function("is_placeholder", cache(is_placeholder), ["VARCHAR"], "BOOLEAN")
    connection.sql("""CREATE MACRO hash_of(artist, title) AS CASE WHEN NOT is_placeholder(fold(artist))
        AND NOT is_placeholder(fold(title)) THEN md5(fold(artist) || chr(31) || plain_title(title)) END""")
    raw = read(data / "spotify_history" / "my_spotify_data.zip")  # noqa: F841 used by the next statement
    connection.sql("CREATE TABLE raw AS SELECT * FROM raw")
    features = ", ".join(f'arg_max("{name}", popularity) AS "{name}"' for name in FEATURES)
    connection.sql(CATALOGUE.format(file=data / "kaggle" / "dataset.csv", features=features))
    connection.sql(IDS)
    events = connection.sql(
        "SELECT r.*, recording,\n"
        "CASE WHEN is_placeholder(fold(track_name)) THEN recording ELSE plain_title(track_name) END AS title\n"
        "FROM raw r JOIN ids USING (track_id)"
    ).df()
    plays_kept = kept(events)  # noqa: F841 used by the next statement
    connection.sql("CREATE TABLE plays_kept AS SELECT * FROM plays_kept")
    connection.sql(HISTORY)
    means = ", ".join(f'avg("{name}") AS "{name}"' for name in MEANS)
    ladder = ", ".join(
        f'CASE WHEN i.track_id IS NOT NULL THEN i."{name}" WHEN n.match IS NOT NULL THEN m."{name}" '
        f'ELSE {f"a.{name}" if name in MEANS else "NULL"} END AS "{name}"'
        for name in FEATURES
    )
    connection.sql(TRACKS.format(means=means, ladder=ladder))
    connection.sql(PLAYS)
