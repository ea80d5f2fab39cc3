"""Metadata of what was heard: `lakehouse poll` fetches it once, `lakehouse run` makes it tables, and nothing keeps plays back."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from polling.metadata_store import MetadataStore
from tests.end_to_end.pipeline import Answer, Pipeline, export_row
from tests.polling import spotify_faults as faults
from tests.polling.metadata_files import lastfm_similar, lastfm_tags, listenbrainz_similar, spotify_track
from tests.polling.server import API_KEY, TOKEN, Listen, MusicServer
from tests.polling.spotify_accounts import CLIENT_ID, Spotify
from tests.polling.spotify_server import play

UTC = dt.timezone.utc
ONLY = ("--only", "bronze", "--only", "silver")
VEGA = "11111111-2222-3333-4444-555555555555"
NOW = dt.datetime.now(UTC).replace(microsecond=0)


class World:
    """A lakehouse, its inbox, and the services that a poll asks."""

    def __init__(self, folder: Path, spotify: Spotify, music: MusicServer) -> None:
        self.pipeline, self.spotify, self.music = Pipeline(folder), spotify, music
        spotify.server.now = lambda: NOW
        music.now = NOW

    def heard(self, *names: str, artist: str = "Vega", first: int = 1) -> None:
        """An export in which the first track was played once, the second twice, and so on."""
        rows = [
            export_row(
                f"2024-{number:02d}-{day:02d}T10:00:00Z",
                first + number - 1,
                master_metadata_track_name=name,
                master_metadata_album_artist_name=artist,
            )
            for number, name in enumerate(names, start=1)
            for day in range(1, number + 1)
        ]
        self.pipeline.write(f"{artist}.json", rows)

    def poll(self, *options: str) -> Answer:
        return self.pipeline.say("poll", "--landing", str(self.pipeline.landing), *options)

    def asked(self) -> Counter[str]:
        """How often Spotify was asked for metadata, by address; forgets it."""
        paths = [request.path.removeprefix("/v1/") for request in self.spotify.server.requests]
        self.spotify.server.requests.clear()
        return Counter(path for path in paths if path.split("/")[0] in ("tracks", "albums", "artists", "audio-features"))


@pytest.fixture
def world(tmp_path: Path, spotify: Spotify, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with MusicServer(listenbrainz={"anna": [Listen(1_700_000_000, "Vega", "Tide")]}) as music:
        made = World(tmp_path, spotify, music)
        values = {
            "LAKEHOUSE_DIR": str(made.pipeline.root),
            "LAKEHOUSE_STATE_DIR": str(spotify.settings.state_dir),
            "LAKEHOUSE_SPOTIFY_API_URL": spotify.settings.spotify_api_url,
            "LAKEHOUSE_SPOTIFY_ACCOUNTS_URL": spotify.settings.spotify_accounts_url,
            "LAKEHOUSE_SPOTIFY_CALLS": "1000",
            "LAKEHOUSE_LASTFM_API_URL": music.url,
            "LAKEHOUSE_LASTFM_CALLS": "1000",
            "LAKEHOUSE_LISTENBRAINZ_API_URL": music.url,
            "LAKEHOUSE_LISTENBRAINZ_LABS_URL": music.url,
            "LAKEHOUSE_LISTENBRAINZ_CALLS": "1000",
            "CLIENT_ID": CLIENT_ID,
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        for name in ("LASTFM_API_KEY", "LASTFM_USERS", "LISTENBRAINZ_USERS", "LISTENBRAINZ_TOKEN", "LAKEHOUSE_INBOX"):
            monkeypatch.delenv(name, raising=False)
        yield made


def track_id(number: int) -> str:
    return f"{number:022d}"


def polled() -> object:
    """A play of track 7, which the answer describes as Spotify does; its ISRC is ZZX012400001."""
    changes = {"id": track_id(7), "uri": f"spotify:track:{track_id(7)}", "duration_ms": 181_000}
    return play(1, "2026-11-30T11:00:00.000Z", **changes)


def test_what_was_heard_is_asked_for_once_and_joins_two_ids(world: World) -> None:
    world.heard("Tide", "Прилив", "Other")
    world.pipeline.build(*ONLY)
    isrcs = {1: "ZZX012400001", 2: "zz-x01-24-00001"}
    metadata = {f"tracks/{track_id(number)}": spotify_track(isrc) for number, isrc in isrcs.items()}
    metadata["artists/0aB1"] = {"id": "0aB1", "name": "Vega", "genres": ["drone"], "popularity": 7}
    metadata["albums/1aB2"] = {"id": "1aB2", "name": "North", "label": "Label", "release_date": "2024-03"}
    features = {"danceability": 0.5, "energy": 0.6, "valence": 0.7, "tempo": 0, "key": -1, "mode": 1, "loudness": -7.5}
    metadata[f"audio-features/{track_id(3)}"] = features
    world.spotify.server.metadata = metadata
    world.spotify.connected("A1", polled())
    assert world.poll().code == 0
    # Track 7 was told by the poll: nobody asks for it, nor for what is not heard yet.
    ids = [track_id(number) for number in (1, 2, 3)]
    assert world.asked() == Counter([f"{kind}/{one}" for kind in ("tracks", "audio-features") for one in ids])
    assert world.poll().code == 0
    assert world.asked() == Counter()

    world.pipeline.build(*ONLY)
    told = {row["track_id"]: row["isrc"] for row in world.pipeline.rows("bronze.track_metadata")}
    assert told == {track_id(1): "ZZX012400001", track_id(2): "ZZX012400001", track_id(7): "ZZX012400001"}
    assert sorted(row["ids"] for row in world.pipeline.rows("silver.recordings")) == [1, 3]
    [row] = world.pipeline.rows("bronze.track_features")
    assert (row["track_id"], row["energy"], row["tempo"], row["key"], row["mode"]) == (track_id(3), 0.6, None, None, 1)
    sources = {row["track_id"]: row["feature_source"] for row in world.pipeline.rows("silver.tracks")}
    assert sources[track_id(3)] == "api"

    # The metadata of tracks tells which artists and albums there are.
    assert world.poll().code == 0
    assert world.asked() == Counter([f"audio-features/{track_id(7)}", "artists/0aB1", "artists/0aB2", "albums/1aB2"])
    world.pipeline.build(*ONLY)
    assert [(row["artist_name"], row["genres"]) for row in world.pipeline.rows("bronze.artist_metadata")] == [("Vega", ["drone"])]
    assert [(row["label"], row["release_date"]) for row in world.pipeline.rows("bronze.album_metadata")] == [("Label", "2024-03")]
    assert world.poll().code == 0
    assert world.asked() == Counter()


def test_most_heard_first_within_the_limit_and_the_rest_the_next_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.heard("A", "B", "C", "D")
    world.pipeline.build(*ONLY)
    world.spotify.connected("A1")
    world.spotify.server.fail(f"/v1/audio-features/{track_id(4)}", faults.api_error(403, "Forbidden"))
    monkeypatch.setenv("LAKEHOUSE_SPOTIFY_METADATA_REQUESTS", "3")
    world.poll()
    assert list(world.asked()) == [f"tracks/{track_id(number)}" for number in (4, 3, 2)]
    world.poll()
    # A refusal of audio features is remembered.
    assert list(world.asked()) == [f"tracks/{track_id(1)}", f"audio-features/{track_id(4)}"]
    world.poll()
    assert world.asked() == Counter()
    monkeypatch.setenv("LAKEHOUSE_SPOTIFY_METADATA_REQUESTS", "0")
    world.poll()
    assert world.asked() == Counter()


def test_a_long_pause_ends_only_the_metadata_and_is_stored(world: World) -> None:
    world.heard("A", "B", "C")
    world.pipeline.build(*ONLY)
    world.spotify.connected("A1", polled())
    world.spotify.server.metadata = {f"tracks/{track_id(3)}": spotify_track(None)}
    world.spotify.server.fail(f"/v1/tracks/{track_id(2)}", faults.api_error(429, "Too many", headers={"Retry-After": "80000"}))
    answer = world.poll()
    assert (answer.code, answer.err) == (0, "")
    said = answer.out.splitlines()
    assert said[0] == "spotify_api A1 (anna): 1 new play"
    assert len(said) == 2
    assert said[1].startswith("metadata of spotify_api: ")
    assert list(world.asked()) == [f"tracks/{track_id(3)}", f"tracks/{track_id(2)}"]
    answer = world.poll()
    assert answer.code == 0
    assert "metadata of spotify_api: asked again after" in answer.out
    assert world.asked() == Counter()
    # What was answered before is in the inbox.
    world.pipeline.build(*ONLY)
    assert {row["track_id"] for row in world.pipeline.rows("bronze.track_metadata")} == {track_id(3), track_id(7)}


def test_tags_and_similar_artists_are_fetched_once_in_90_days(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.heard("Tide", "Ebb")
    world.heard("Sand", artist="Nobody knows", first=9)
    world.pipeline.build(*ONLY)
    monkeypatch.setenv("LASTFM_API_KEY", API_KEY)
    monkeypatch.setenv("LISTENBRAINZ_TOKEN", TOKEN)
    monkeypatch.setenv("LISTENBRAINZ_USERS", json.dumps({"anna": "anna"}))
    music = world.music
    music.artists["Vega"] = {
        "artist.gettoptags": lastfm_tags(("ambient", 100)),
        "artist.getsimilar": lastfm_similar(("Lyra", "0.61")),
    }
    music.mbids["Vega"], music.similar[VEGA] = [VEGA], listenbrainz_similar(("Lyra", 792), ("Deneb", 396))

    def asked() -> list[str]:
        found = [one.params.get("method") or one.path for one in music.asked if "/user/" not in one.path]
        music.asked.clear()
        return sorted(found)

    answer = world.poll()
    assert (answer.code, answer.err) == (0, "")
    lookups = ["/1/metadata/lookup/"] * 2
    assert asked() == [*lookups, "/similar-artists/json", *["artist.getsimilar"] * 2, *["artist.gettoptags"] * 2]
    world.poll()
    assert asked() == []
    world.pipeline.build(*ONLY)
    world.poll()
    assert asked() == []

    told = ("source", "artist_name", "similar_artist_name", "score", "scaled_score")
    assert {tuple(row[name] for name in told) for row in world.pipeline.rows("bronze.similar_artists")} == {
        ("lastfm_api", "Vega", "Lyra", 0.61, 1.0),
        ("listenbrainz_api", "Vega", "Lyra", 792.0, 1.0),
        ("listenbrainz_api", "Vega", "Deneb", 396.0, 0.5),
    }
    keys = {row["artist_key"] for row in world.pipeline.rows("silver.artists") if row["artist_name"] == "Vega"}
    assert {row["artist_key"] for row in world.pipeline.rows("bronze.artist_tags")} == keys
    for path in world.pipeline.landing.rglob("*"):
        assert not path.is_file() or API_KEY.encode() not in path.read_bytes()

    monkeypatch.setenv("LAKEHOUSE_ARTIST_CACHE_DAYS", "1")
    monkeypatch.setattr("polling.command.dt", _Later)
    world.poll()
    # MusicBrainz ids stay; the artist without one is looked up again.
    assert asked() == [lookups[0], "/similar-artists/json", *["artist.getsimilar"] * 2, *["artist.gettoptags"] * 2]


class _Later:
    """Two days later."""

    timezone = dt.timezone

    class datetime(dt.datetime):  # noqa: N801
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.now(tz) + dt.timedelta(days=2)


def test_without_a_lakehouse_nothing_is_asked(world: World) -> None:
    world.spotify.connected("A1", polled())
    assert world.poll().code == 0
    assert world.asked() == Counter()
    assert not (world.pipeline.landing / "_api" / "metadata").exists()


def test_a_store_that_another_process_holds_is_left_alone(world: World) -> None:
    world.heard("A")
    world.pipeline.build(*ONLY)
    world.spotify.connected("A1")
    with MetadataStore(world.pipeline.landing / "_api").locked():
        answer = world.poll()
    assert (answer.code, world.asked()) == (0, Counter())
    assert "metadata: another process" in answer.out


def test_an_endpoint_that_is_closed_is_asked_again_after_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.heard("A")
    world.pipeline.build(*ONLY)
    world.spotify.connected("A1")
    world.spotify.server.fail(f"/v1/tracks/{track_id(1)}", faults.api_error(403, "Forbidden"))
    answer = world.poll()
    assert (answer.code, answer.err) == (0, "")
    assert "metadata of spotify_api: Spotify account A1 (listener anna)" in answer.out
    world.poll()
    assert list(world.asked()) == [f"tracks/{track_id(1)}"]
    monkeypatch.setattr("polling.command.dt", _Later)
    world.poll()
    assert f"tracks/{track_id(1)}" in world.asked()


def test_a_service_that_fails_loses_no_answer_and_keeps_no_other_source_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.heard("A", "B")
    world.pipeline.build(*ONLY)
    world.spotify.connected("A1", polled())
    world.spotify.server.metadata = {f"tracks/{track_id(2)}": spotify_track("ZZX012400001")}
    world.spotify.server.fail(f"/v1/tracks/{track_id(1)}", faults.html(200), faults.html(200), faults.html(200))
    monkeypatch.setenv("LASTFM_API_KEY", "wrong-key/42")
    monkeypatch.setattr("polling.spotify.SystemClock.sleep", lambda *_: None)
    answer = world.poll("--json")
    assert answer.code == 0
    assert [account["new_plays"] for account in answer.document["accounts"]] == [1]
    spotify, lastfm = answer.document["metadata"]
    assert spotify.startswith("metadata of spotify_api: ")
    assert "check LASTFM_API_KEY" in lastfm
    assert "wrong-key" not in answer.text
    world.spotify.server.requests.clear()
    world.poll()
    assert world.asked()[f"tracks/{track_id(2)}"] == 0
    world.pipeline.build(*ONLY)
    assert {row["track_id"] for row in world.pipeline.rows("bronze.track_metadata")} == {track_id(2), track_id(7)}


def test_polls_tell_musicbrainz_ids_and_nobody_is_asked_for_those(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.heard("Tide")
    world.pipeline.build(*ONLY)
    monkeypatch.setenv("LISTENBRAINZ_USERS", json.dumps({"anna": "anna"}))
    world.music.mapping = {"artist_mbids": [VEGA], "artists": [{"artist_credit_name": "Vega", "artist_mbid": VEGA}]}
    world.music.similar[VEGA] = listenbrainz_similar(("Lyra", 792))
    world.poll()
    world.pipeline.build(*ONLY)
    world.poll()
    asked = [one.path for one in world.music.asked if "/user/" not in one.path]
    assert asked == ["/similar-artists/json"]
    world.pipeline.build(*ONLY)
    assert [row["similar_artist_name"] for row in world.pipeline.rows("bronze.similar_artists")] == ["Lyra"]


def test_files_of_an_older_month_may_be_packed_and_progress_may_be_lost(world: World) -> None:
    world.heard("A", "B")
    world.pipeline.build(*ONLY)
    world.spotify.connected("A1", polled())
    world.poll()
    world.pipeline.build(*ONLY)
    folder = world.pipeline.landing / "_api" / "metadata" / "answers" / f"{NOW:%Y-%m}"
    names = sorted(path.name for path in folder.iterdir())
    assert [name[:8] for name in names] == ["00000001", "00000002", "00000003"]
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as packed:
        for path in folder.iterdir():
            packed.write(path, path.name)
            path.unlink()
    world.asked()
    tables = {name: world.pipeline.rows(f"bronze.{name}") for name in ("track_metadata", "spotify_answers")}
    world.pipeline.build(*ONLY)
    assert tables["track_metadata"] == world.pipeline.rows("bronze.track_metadata")
    assert len(tables["spotify_answers"]) == len(world.pipeline.rows("bronze.spotify_answers"))
    progress = folder.parent.with_name("_answers.progress")
    assert json.loads(progress.read_bytes())["sequence"] == 3
    progress.unlink()
    world.poll()
    assert world.asked()[f"tracks/{track_id(1)}"] == world.asked()[f"tracks/{track_id(7)}"] == 0
    progress.write_text("{")
    answer = world.poll()
    assert answer.code == 0
    assert f"metadata: {progress} cannot be read: remove it" in answer.out


def test_a_lakehouse_that_cannot_be_read_keeps_no_play_back(world: World) -> None:
    world.heard("A")
    world.pipeline.build(*ONLY)
    for log in (world.pipeline.root / "silver" / "track_rows" / "_delta_log").iterdir():
        log.write_text("{")
    world.spotify.connected("A1", polled())
    answer = world.poll()
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("spotify_api A1 (anna): 1 new play\nmetadata: ")
