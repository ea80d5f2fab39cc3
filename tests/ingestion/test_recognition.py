"""A file is recognised by what is in it, by one source only, whatever its name is."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from ingestion import synthetic
from tests.landing_files import (
    CATALOGUE_HEADER,
    CONTENTS,
    FLAT_HEADER,
    UTS_HEADER,
    account_music,
    account_podcast,
    as_json,
    as_lines,
    as_stream,
    endsong,
    extended,
    lines,
    listen,
    one_k,
    recognised_by,
    synthetic_play,
)

FORMS = {
    **{name: (content, name) for name, content in CONTENTS.items()},
    "endsong": (as_json([endsong()]), "spotify_extended"),
    "podcasts of the account data": (as_json([account_podcast()]), "spotify_account_data"),
    "extended, podcasts only": (
        as_json([{k: v for k, v in extended(spotify_episode_uri="spotify:episode:x").items() if "master" not in k}]),
        "spotify_extended",
    ),
    "indented JSON": (json.dumps([extended()], indent=4).encode(), "spotify_extended"),
    "JSON with BOM": (b"\xef\xbb\xbf" + as_json([account_music()]), "spotify_account_data"),
    "JSON after blank lines": (b"\n\r\n  " + as_json([extended()]), "spotify_extended"),
    "CSV with BOM": (b"\xef\xbb\xbf" + lines(FLAT_HEADER), "spotify_flat_csv"),
    "CSV with Windows line ends": (CONTENTS["kaggle_tracks"].replace(b"\n", b"\r\n"), "kaggle_tracks"),
    "quoted CSV header": (lines(",".join(f'"{name}"' for name in FLAT_HEADER.split(","))), "spotify_flat_csv"),
    "columns in another order": (lines(",".join(reversed(CATALOGUE_HEADER.split(",")))), "kaggle_tracks"),
    "a first record longer than the sample": (
        as_json([extended(), extended(master_metadata_track_name="x" * 200_000)]),
        "spotify_extended",
    ),
    "text that is not UTF-8 further on": (CONTENTS["spotify_extended"][:-2] + b', "x": "\xff"}]', "spotify_extended"),
    "1K with odd lines": (lines(one_k(), "half a", "line", one_k("user_000002")), "lastfm_1k"),
    "1K with Windows line ends": (CONTENTS["lastfm_1k"].replace(b"\n", b"\r\n"), "lastfm_1k"),
    "1K, one line without its end": (one_k().encode(), "lastfm_1k"),
    "scrobbles with a header": (lines("artist,album,track,date", "A,B,C,03 Jan 2020 14:05"), "lastfm_csv"),
    "scrobbles with another header": (lines("Artist,Album,Track,Date", '"A, B",,C,2026-08-01T12:34:56.000Z'), "lastfm_csv"),
    "a header of scrobbles alone": (lines("artist,album,track,date"), "lastfm_csv"),
    "scrobbles with a comma in the date": (b'\xef\xbb\xbfA,B,C,"19 Aug 2026, 20:48"\n', "lastfm_csv"),
    "scrobbles below a track playing now": (lines("A,B,C,", "A,B,C,03 Jan 2020 14:05"), "lastfm_csv"),
    "a header with Unix times alone": (lines(UTS_HEADER), "lastfm_uts_csv"),
    "Unix times and dates": (lines("artist,album,track,date,uts", "A,B,C,03 Jan 2020 14:05,1578060315"), "lastfm_uts_csv"),
    "a dump's listens": (
        as_lines([{"user_id": 1, "user_name": "x", "timestamp": 1500000000, "track_metadata": listen()["track_metadata"]}]),
        "listenbrainz",
    ),
    "a listen longer than the sample": (as_lines([listen({"track_name": "x" * 100_000})]), "listenbrainz"),
    "a listen and half of one": (as_lines([listen(), listen()])[:-100], "listenbrainz"),
    "listens and a line that is no JSON": (as_lines([listen()] * 3) + b"oops\n", "listenbrainz"),
    "many synthetic listeners": (as_stream([synthetic_play()] * 5000), "synthetic"),
    "a list of listens, the export of before 2024": (as_json([listen()]), "listenbrainz"),
    "a table with tabs": (FLAT_HEADER.replace(",", "\t").encode(), "spotify_flat_csv"),
    "a catalogue with semicolons": (lines(CATALOGUE_HEADER.replace(",", ";")), "kaggle_tracks"),
    "a header in capitals, with blanks": (lines(FLAT_HEADER.upper().replace(",", " , ")), "spotify_flat_csv"),
    "a separator in a line of its own": (lines("sep=;", FLAT_HEADER.replace(",", ";")), "spotify_flat_csv"),
    "old Mac line ends": (FLAT_HEADER.encode() + b"\r" + FLAT_HEADER.encode(), "spotify_flat_csv"),
    "Spotify's own names as columns": (
        lines(",ts,ms_played,ip_addr,master_metadata_track_name,master_metadata_album_artist_name"),
        "spotify_flat_csv",
    ),
    "account data as CSV": (lines("endTime,artistName,trackName,msPlayed"), "spotify_account_csv"),
    "a public Last.fm data set": (lines("utc_time,artist,album,track", '"24 Jan 2023, 09:42",A,B,C'), "lastfm_csv"),
    "scrobbles with semicolons": (lines("A;B;C;03 Jan 2020 14:05", "A;B;C;03 Jan 2020 14:06"), "lastfm_csv"),
    "scrobbles with an offset": (lines("artist,album,track,date", "A,B,C,2019-03-04T10:02:00+02:00"), "lastfm_csv"),
    "JSON cut in half": (as_json([extended()] * 4)[:1500], "spotify_extended"),
}


@pytest.mark.parametrize("name", ["file", "StreamingHistory0.json", "endsong_0.json", "dataset.csv", "notes.txt", "x.zip"])
@pytest.mark.parametrize("form", FORMS)
def test_one_source_recognises_the_content_under_any_name(form: str, name: str) -> None:
    content, source = FORMS[form]
    assert recognised_by(content, name) == [source]


FOREIGN = {
    "nothing": b"",
    "blanks": b" \n\n",
    "prose": b"ts, ms_played and spotify_track_uri are the fields of interest.\n",
    "an empty list": b"[]",
    "a list of numbers": b"[1, 2, 3]",
    "an object": json.dumps(extended()).encode(),
    "search queries": as_json([{"platform": "ios", "searchTime": "2024-01-01T00:00:00Z", "searchQuery": "x"}]),
    "a playlist": json.dumps({"playlists": [{"tracks": [{"trackName": "a", "artistName": "b"}]}]}).encode(),
    "a list of tracks without plays": as_json([{"trackName": "a", "artistName": "b", "albumName": "c"}]),
    "field names as values": as_json([{"x": "endTime", "y": "msPlayed", "z": ["trackName", "spotify_track_uri", "ts"]}]),
    "a page": b"<!doctype html><script>var x = [{'ts': 1}]</script>",
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 20,
    "UTF-16": "spotify_track_uri,ts,ms_played\n".encode("utf-16"),
    "a CSV of other things": lines("track_id,artists,track_name", "1,2,3"),
    "a CSV without a header": lines("2J3n32GeLmMjwuAzyhcSNe,2024-03-01 10:03:00,ios,180000"),
    "a ListenBrainz user": as_lines([{"user_id": 7, "username": "jane.doe.1234"}]),
    "ListenBrainz feedback": as_lines([{"recording_msid": "m", "recording_mbid": None, "score": 1, "created": 1709287380}] * 3),
    "ListenBrainz pins": as_lines([{"recording_msid": "m", "blurb_content": "listened_at", "pinned_until": 1, "created": 1}] * 3),
    "a track playing now": as_lines([{"track_metadata": listen()["track_metadata"]}]),
    "a page of listens": as_lines([{"payload": {"count": 1, "listens": [listen()]}}]),
    "1K's profiles": lines("#id\tgender\tage\tcountry\tregistered", "user_000001\tm\t\tJapan\tAug 13, 2006"),
    "360K's counts": lines("00000c28\t3bd73256-3905\tbetty blowtorch\t2137"),
    "one 1K line among others": lines(one_k(), *["user_000001\tsomething else"] * 3),
    "a record collection": lines("artist,album,track,date", "A,B,C,1977", "A,B,D,1978"),
    "four columns": lines("a,b,c,d", "1,2,3,4"),
    "a log with dates": lines("03 Jan 2020 14:05,a,b,c", "03 Jan 2020 14:06,a,b,c"),
    "an Arrow stream of other things": as_stream([{"x": 1}], pa.schema([("x", pa.int64())])),
    "the name of the synthetic format": lines(synthetic.FORMAT, "\ufffd\ufffd\ufffd\ufffd" + synthetic.FORMAT),
    "four stray bytes before the name of the synthetic format": b"\xff\xff\xff\xff" + synthetic.FORMAT.encode(),
    "a Parquet file": b"PAR1\x15\x04\x15" + synthetic.FORMAT.encode() + b"PAR1",
}


@pytest.mark.parametrize("form", FOREIGN)
def test_no_source_recognises_foreign_content(form: str) -> None:
    assert recognised_by(FOREIGN[form], "Streaming_History_Audio_2024.json") == []


def test_track_names_do_not_decide_which_source_a_file_is() -> None:
    tricky = '"spotify_track_uri": "master_metadata_track_name": "ts": "ms_played":'
    assert recognised_by(as_json([account_music(trackName=tricky, artistName=tricky)])) == ["spotify_account_data"]
    tricky = '"endTime": "trackName": "artistName": "msPlayed":'
    assert recognised_by(as_json([extended(master_metadata_track_name=tricky)])) == ["spotify_extended"]


def test_a_history_that_names_the_synthetic_format_is_still_its_own() -> None:
    assert recognised_by(as_json([extended(master_metadata_track_name=synthetic.FORMAT)])) == ["spotify_extended"]
    assert recognised_by(as_stream([synthetic_play(platform='[{"ts": "endTime": "msPlayed": "trackName":')])) == ["synthetic"]


@pytest.mark.parametrize("content", [b"old Mac text\rsecond line\r", b"\xffdata\rmore data\nand more\n"])
def test_a_file_with_stray_carriage_returns_is_unknown(content: bytes) -> None:
    assert recognised_by(content) == []
