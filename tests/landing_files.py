"""Landing files as the sources write them, and what is read from them."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ingestion import sources
from ingestion import synthetic as synthetic_source
from lakehouse.declare import SAMPLE_BYTES, Sample, Source

SOURCES: dict[str, Source] = {
    s.name: s for target in ("listening_history", "kaggle_tracks", "catalogue_tracks") for s in sources(target)
}
# Dislikes are known by their file's name too.
ALL_SOURCES = SOURCES | {s.name: s for s in sources("dislike_rows")}

HOSTILE_NAMES = {
    "quotes": 'He said "no", twice: ""',
    "apostrophe and SQL": "Robert'); DROP TABLE plays;--",
    "markup": "<script>alert('x')</script>",
    "comma and semicolon": "a, b; c",
    "line breaks": "first\nsecond\r\nthird\rfourth",
    "tab and backslash": "a\tb\\c\\\\n",
    "emoji": "👩‍👩‍👧 🏳️‍🌈 ☃",
    "right to left": "שלום \u202eabc\u202c مرحبا",
    "combining": "e\u0301 and \u00e9",
    "zero width": "a\u200bb\ufeffc",
    "null character": "a\x00b",
    "formula": "=1+1",
    "only a space": " ",
    "template": "${HOME} {{7*7}} %s",
    "100 kB": "ä" * 50_000,
    "words for nothing": "null",
}


def extended(**changes: Any) -> dict[str, Any]:
    """A record of the extended export as it is written today."""
    record = {
        "ts": "2024-03-01T10:03:00Z",
        "platform": "ios",
        "ms_played": 180000,
        "conn_country": "DE",
        "ip_addr": "203.0.113.77",
        "master_metadata_track_name": "Title",
        "master_metadata_album_artist_name": "Artist",
        "master_metadata_album_album_name": "Album",
        "spotify_track_uri": "spotify:track:2J3n32GeLmMjwuAzyhcSNe",
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "audiobook_title": None,
        "audiobook_uri": None,
        "audiobook_chapter_uri": None,
        "audiobook_chapter_title": None,
        "reason_start": "trackdone",
        "reason_end": "fwdbtn",
        "shuffle": False,
        "skipped": True,
        "offline": False,
        "offline_timestamp": 1709287200,
        "incognito_mode": False,
    }
    return record | changes


def endsong(**changes: Any) -> dict[str, Any]:
    """A record of the extended export as older files (endsong_0.json) have it."""
    record = extended()
    for name in ("ip_addr", "audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title"):
        del record[name]
    old = {
        "username": "jane.doe.1234",
        "ip_addr_decrypted": "198.51.100.23",
        "user_agent_decrypted": "Mozilla/5.0 (distinctive agent)",
        "city": "Distinctiveville",
        "region": "Distinctiveshire",
    }
    return record | old | changes


def account_music(**changes: Any) -> dict[str, Any]:
    """A record of StreamingHistory_music_0.json."""
    return {"endTime": "2024-03-01 10:03", "artistName": "Artist", "trackName": "Title", "msPlayed": 180000} | changes


def account_podcast(**changes: Any) -> dict[str, Any]:
    """A record of StreamingHistory_podcast_0.json."""
    return {"endTime": "2024-03-01 10:03", "podcastName": "Show", "episodeName": "Episode", "msPlayed": 180000} | changes


FLAT_HEADER = "spotify_track_uri,ts,platform,ms_played,track_name,artist_name,album_name,reason_start,reason_end,shuffle,skipped"
FLAT_ROW = "2J3n32GeLmMjwuAzyhcSNe,2024-03-01 10:03:00,ios,180000,Title,Artist,Album,trackdone,fwdbtn,FALSE,TRUE"
CATALOGUE_HEADER = (
    ",track_id,artists,album_name,track_name,popularity,duration_ms,explicit,danceability,energy,key,loudness,mode,"
    "speechiness,acousticness,instrumentalness,liveness,valence,tempo,time_signature,track_genre"
)
CATALOGUE_ROW = (
    "0,5SuOikwiRyPMVoIQDJUgSV,Gen Hoshino,Comedy,Comedy,73,230666,False,0.676,0.461,1,-6.746,0,0.143,0.0322,1.01e-06,"
    "0.358,0.715,87.917,4,acoustic"
)


UTS_HEADER = "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid"
MBID = "b10bbbfc-cf9e-42e0-be17-e2c3e1d2600d"


def listen(track: Mapping[str, Any] | None = None, info: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A line of a ListenBrainz export, parsed; `track` changes its metadata, `info` adds to what the client said."""
    metadata = {
        "track_name": "Title",
        "artist_name": "Artist",
        "mbid_mapping": {"artists": [{"artist_mbid": MBID, "join_phrase": "", "artist_credit_name": "Mapped"}]},
        "release_name": "Album",
        "recording_msid": MBID,
        "additional_info": {"duration_ms": 240186, "recording_msid": MBID, **(info or {})},
    }
    return {
        "inserted_at": 1709287400.123456,
        "listened_at": 1709287200,
        "track_metadata": metadata | dict(track or {}),
        **changes,
    }


def as_lines(records: Sequence[Any]) -> bytes:
    """The records as JSON lines."""
    return lines(*[json.dumps(record, ensure_ascii=False) for record in records])


def one_k(*fields: str) -> str:
    """A line of the Last.fm-1K data set; what is left out is that of user_000001's Artist - Title."""
    usual = ("user_000001", "2009-05-04T23:08:57Z", MBID, "Artist", "", "Title")
    return "\t".join([*fields, *usual[len(fields) :]])


def as_json(records: Sequence[Any]) -> bytes:
    """The records as a JSON file."""
    return json.dumps(records, ensure_ascii=False).encode()


def lines(*texts: str) -> bytes:
    """The lines of a text file."""
    return ("\n".join(texts) + "\n").encode()


def synthetic_play(**changes: Any) -> dict[str, Any]:
    """A play of a synthetic listener."""
    play = {
        "user_id": "synthetic:000001",
        "timezone": "Asia/Tokyo",
        "conn_country": "JP",
        "ts": dt.datetime(2024, 3, 1, 10, 0, 0, 123_000),
        "ms_played": 180_000,
        "track": {
            "track_uri": "spotify:track:2J3n32GeLmMjwuAzyhcSNe",
            "track_name": "Title",
            "artist_name": "Artist",
            "album_name": "Album",
        },
        "platform": "ios",
        "reason_start": "trackdone",
        "reason_end": "fwdbtn",
        "shuffle": False,
        "skipped": True,
        "offline": False,
        "incognito_mode": False,
    }
    return play | changes


def as_stream(plays: Sequence[Mapping[str, Any]], schema: pa.Schema | None = None, rows: int | None = None) -> bytes:
    """The plays as a file of synthetic listeners."""
    schema = schema or synthetic_source.schema(len(plays) if rows is None else rows)
    columns = []
    for field in schema:
        values = [play.get(field.name) for play in plays]
        if pa.types.is_dictionary(field.type):
            values = pa.DictionaryArray.from_arrays(
                pa.array(range(len(plays)), field.type.index_type), pa.array(values, field.type.value_type)
            )
        columns.append(values if isinstance(values, pa.Array) else pa.array(values, field.type))
    table = pa.Table.from_arrays(columns, schema=schema)
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return out.getvalue()


CONTENTS: Mapping[str, bytes] = {
    "spotify_extended": as_json([extended()]),
    "spotify_account_data": as_json([account_music()]),
    "spotify_flat_csv": lines(FLAT_HEADER, FLAT_ROW),
    "kaggle_tracks": lines(CATALOGUE_HEADER, CATALOGUE_ROW),
    "lastfm_1k": lines(one_k(), one_k("user_000002")),
    "lastfm_csv": lines("Artist,Album,Title,03 Jan 2020 14:05", "Artist,,Other,03 Jan 2020 14:01"),
    "lastfm_uts_csv": lines(UTS_HEADER, f'"1578060315","03 Jan 2020, 14:05","Artist","{MBID}","Album","","Title",""'),
    "lastfm_stats_csv": lines("Artist;Album;AlbumId;Track;Date#someone", '"Artist";"Album";"";"Title";"1578060315000"'),
    "lastfm_stats_json": json.dumps(
        {
            "username": "someone",
            "scrobbles": [{"track": "Title", "artist": "Artist", "album": "Album", "albumId": "", "date": 1578060315000}],
        }
    ).encode(),
    "lastfm_json": as_json(
        [{"track": [{"artist": {"mbid": "", "#text": "Artist"}, "name": "Title", "date": {"uts": "1578060315", "#text": "x"}}]}]
    ),
    "spotify_account_csv": lines("endTime,artistName,trackName,msPlayed", "2024-03-01 10:03,Artist,Title,180000"),
    "listenbrainz": as_lines([listen(), listen({"track_name": "Other"})]),
    "synthetic": as_stream([synthetic_play()]),
}


def recognised_by(content: bytes, name: str = "file") -> list[str]:
    """The names of the sources that recognise the content."""
    sample = Sample(name, content[:SAMPLE_BYTES].decode("utf-8", "replace"))
    return sorted(source.name for source in ALL_SOURCES.values() if source.recognises(sample))


def read(source: str, content: bytes, listener: str = "me") -> list[dict[str, Any]]:
    """The rows that the source reads from a file with that content."""
    return [row for batch in ALL_SOURCES[source].read(io.BytesIO(content), listener) for row in batch.to_pylist()]
