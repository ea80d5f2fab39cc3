"""Files that are known and not read are named with what to do, and nothing else is named so."""

from __future__ import annotations

import json

import pytest

from ingestion import explainers
from lakehouse.declare import Explanation, Sample
from tests.landing_files import CONTENTS, account_music, as_json, as_lines, extended, lines, one_k, recognised_by


def explained(content: bytes, name: str = "file") -> Explanation | None:
    sample = Sample(name, content.decode("utf-8", "replace"))
    return next((said for explainer in explainers() if (said := explainer.explain(sample)) is not None), None)


SHA1 = "b80344d063b5ccb3212f76538f3d9e43d87dca9e"
KNOWN = {
    "YouTube": (
        as_json([{"header": "YouTube Music", "title": "Watched x", "titleUrl": "u", "time": "t", "products": ["YouTube"]}]),
        "the history of YouTube",
    ),
    "Apple Music": (
        lines("Apple ID Number,Apple Music Subscription,Song Name,Play Duration Milliseconds", "1,x,y,2"),
        "Apple Music's play",
    ),
    "Apple Music's tracks": (lines("Track Name,Last Played Date,Is User Initiated", "A - B,1,x"), "Apple Music's track play"),
    "Apple Music's days": (lines("Country,Track Description,Date Played", "DE,A - B,20240101"), "Apple Music's daily"),
    "iTunes": (b'<?xml version="1.0"?>\n<!DOCTYPE plist PUBLIC "x">\n<plist version="1.0"><dict>', "an iTunes or Music library"),
    "Maloja": (
        json.dumps({"maloja": {}, "scrobbles": [{"time": 1, "track": {"artists": ["A"], "title": "T"}}]}).encode(),
        "a Maloja",
    ),
    "Koito": (json.dumps({"version": "1", "exported_at": "x", "listens": [{"listened_at": "x"}]}).encode(), "a Koito export"),
    "Rockbox": (lines("#AUDIOSCROBBLER/1.1", "#TZ/UNKNOWN", "A\tB\tT\t1\t200\tL\t1554026552\t"), "a .scrobbler.log"),
    "Exportify": (lines("Track URI,Track Name,Artist Name(s),Album Name", "spotify:track:x,T,A,B"), "an Exportify list"),
    "backup-cli": (lines("2021-04-01,10:42:53,A,T", "2021-04-01,10:39:59,A,U"), "a list of lastfm-backup-cli"),
    "Universal Scrobbler": (lines('"A","T","B","2016-01-26 15:35:55","A","275"'), "a list for Universal Scrobbler"),
    "without a header": (lines('"A","B","T","2016-01-26 15:35:55"'), "a list of scrobbles without a header"),
    "American dates": (lines("artist,album,track,date", "A,B,T,3/4/2019 10:02 PM"), "a list of scrobbles (Last.fm-Scrubbler"),
    "German dates": (lines("A;B;T;31.12.2017 21:47"), "a list of scrobbles (Last.fm-Scrubbler"),
    "years": (lines("artist,album,track,date", "A,B,C,1977"), "a list with artist, track and date"),
    "recently played": (as_json([{"track": {"name": "T"}, "played_at": "x", "context": None}]), "an answer of Spotify's"),
    "playlists": (
        json.dumps({"info": {}, "playlists": [{"name": "x", "pid": 1, "tracks": []}]}).encode(),
        "Spotify's Million Playlist",
    ),
    "HetRec": (lines("userID\tartistID\tweight", "2\t51\t13883"), "HetRec 2011"),
    "Taste Profile": (lines(f"{SHA1}\tSOAKIMP12A8C130995\t1"), "the Taste Profile"),
    "360K": (lines(f"{SHA1}\t3bd73256-3905\tbetty blowtorch\t2137"), "Last.fm-360K"),
    "LFM-1b": (lines("31435741\t2\t4\t4\t1385212958"), "the listening events of LFM-1b"),
    "another catalogue": (lines("id,song,danceability,energy,valence", "1,x,0,0,0"), "a catalogue with audio features"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_exporters_and_data_sets_are_named(name: str) -> None:
    content, what = KNOWN[name]
    assert recognised_by(content) == []
    said = explained(content)
    assert said is not None
    assert said.status == "unknown"
    assert said.reason.startswith(what)
    assert " is not read: " in said.reason


IGNORED = {
    "search queries": (as_json([{"platform": "ios", "searchTime": "x", "searchQuery": "y"}]), "renamed.json"),
    "a playlist": (json.dumps({"playlists": [{"name": "x", "lastModifiedDate": "y", "items": []}]}).encode(), "renamed.json"),
    "a library": (json.dumps({"tracks": [], "albums": [], "shows": [], "episodes": [], "bannedTracks": []}).encode(), "x.json"),
    "user data by its name": (b"{}", "my_spotify_data.zip!Spotify Account Data/Userdata.json"),
    "the next library file": (b"{}", "YourLibrary1.json"),
    "read me": (b"%PDF-1.7", "Read_Me_First.pdf"),
    "a technical log": (b"[{}]", "x.zip!Spotify Technical Log Information/AddedToCollection.json"),
    "ListenBrainz's account": (as_lines([{"user_id": 7, "username": "jane.doe.1234"}]), "user.json"),
    "ListenBrainz's feedback": (
        as_lines([{"recording_msid": "m", "recording_mbid": None, "score": 1, "created": 1}] * 3),
        "f.jsonl",
    ),
    "ListenBrainz's pins": (as_lines([{"recording_msid": "m", "blurb_content": None, "pinned_until": 1}] * 3), "pins.jsonl"),
    "1K's profiles": (lines("#id\tgender\tage\tcountry\tregistered", "user_000001\tm\t\tJapan\tAug 13, 2006"), "x.tsv"),
}


@pytest.mark.parametrize("name", IGNORED)
def test_files_beside_a_history_are_passed_over(name: str) -> None:
    content, path = IGNORED[name]
    assert recognised_by(content, path) == []
    said = explained(content, path)
    assert said is not None
    assert said.status == "ignored"


BROKEN = {
    "in an object": (json.dumps({"plays": [extended()]}).encode(), "its list of plays lies within something else"),
    "one play": (json.dumps(extended()).encode(), "its list of plays lies within something else"),
    "lists in a list": (as_json([[account_music()]]), "its list of plays lies within something else"),
    "a line each": (as_lines([extended(), extended()]), "one object a line instead of a list"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("path", ["x.json", "Playlist1.json", "endsong_0.json"])
def test_a_history_in_an_odd_shape_is_told_whatever_its_name(name: str, path: str) -> None:
    content, what = BROKEN[name]
    assert recognised_by(content, path) == []
    said = explained(content, path)
    assert said is not None
    assert (said.status, what in said.reason, "as Spotify made them" in said.reason) == ("broken", True, True)


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ("Artist,Track,Added", "with the column 'added': remove it"),
        ("track", "without a column track_id or artist: add one of them"),
    ],
)
def test_an_odd_list_of_dislikes_is_told_what_is_wrong(header: str, what: str) -> None:
    said = explained(lines(header, "x,y,z"), "my dislikes.csv")
    assert said is not None
    assert what in said.reason
    assert explained(lines(header, "x,y,z"), "favourites.csv") is None


@pytest.mark.parametrize(
    "content", [b"remember the milk", b"", b"a,b,c\n1,2,3\n", b"\xff\xd8\xff\xe0" + bytes(range(256)), one_k().encode()]
)
def test_anything_else_stays_unknown(content: bytes) -> None:
    assert explained(content) is None


def test_an_empty_list_is_told() -> None:
    said = explained(b" [ ]\n", "endsong_9.json")
    assert said is not None
    assert (said.status, said.reason[:23]) == ("unknown", "it holds an empty list,")


def test_what_a_source_reads_is_named_by_no_service() -> None:
    said = {name: explained(content) for name, content in CONTENTS.items() if name != "kaggle_tracks"}
    assert {name for name, one in said.items() if one is not None and one.status == "ignored"} == set()
