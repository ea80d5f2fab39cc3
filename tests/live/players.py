"""The four players that the door was made for: what each asks when it starts, and how it sends what was played.

Written after the sources of Navidrome, multi-scrobbler, Pano Scrobbler and Web Scrobbler of July and August 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

MBID = "6a1f7b6c-8f0e-4f5f-9a5e-3f6f5f3f2b1a"
SPOTIFY = "https://open.spotify.com/track/2J3n32GeLmMjwuAzyhcSNe"


@dataclass
class Player:
    """A player, with the base address that its settings take, and the token of a listener."""

    base: str
    token: str
    scheme: str = "Token"
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        """A request as the player sends it; `path` is joined as the player joins it."""
        headers = {"Authorization": f"{self.scheme} {self.token}", **self.headers}
        content = None if body is None else json.dumps(body).encode()
        return requests.request(method, self.base + path, data=content, headers=headers, timeout=30)

    def submit(self, listen_type: str, *payload: Mapping[str, Any]) -> requests.Response:
        return self.ask("POST", self.submit_path, {"listen_type": listen_type, "payload": list(payload)})

    submit_path = "submit-listens"
    import_size = 1

    def listen(self, at: int | None, title: str) -> dict[str, Any]:
        """A listen of the player's; `at` None: what is playing now."""
        times = {} if at is None else {"listened_at": at}
        return {**times, "track_metadata": {"artist_name": "Vega", "track_name": title, **self.metadata()}}

    def metadata(self) -> dict[str, Any]:
        raise NotImplementedError

    def starts(self, listener: str) -> None:
        """What the player asks when it starts; raises AssertionError where it would not go on."""
        raise NotImplementedError


class Navidrome(Player):
    """`ListenBrainz.BaseURL = "http://HOST:8090/1/"`."""

    def starts(self, listener: str) -> None:
        answer = self.ask("GET", "validate-token", {})
        document = answer.json()
        assert (document.get("code", 0) in (0, 200), document["valid"], document["user_name"]) == (True, True, listener)

    def metadata(self) -> dict[str, Any]:
        info = {
            "submission_client": "Navidrome",
            "submission_client_version": "0.58.0",
            "tracknumber": 3,
            "artist_names": ["Vega"],
            "artist_mbids": [MBID],
            "recording_mbid": MBID,
            "release_mbid": MBID,
            "duration_ms": 201_000,
        }
        return {"release_name": "North", "additional_info": info}

    @staticmethod
    def drops(answer: requests.Response) -> bool:
        """Whether the player never sends that play again, and whether it is right to."""
        try:
            document = answer.json()
        except ValueError:
            return False
        return document.get("code", 0) not in (500, 503)


class MultiScrobbler(Player):
    """`"url": "http://HOST:8090"`; it adds `1/`."""

    submit_path = "/1/submit-listens"

    def starts(self, listener: str) -> None:
        koito = self.ask("GET", "/apis/web/v1/stats")
        assert koito.status_code >= 400
        assert koito.json()["error"]
        # It takes any 200 for a good token.
        assert self.ask("GET", "/1/validate-token").status_code == 200
        payload = self.ask("GET", f"/1/user/{listener}/listens?count=100").json()["payload"]
        assert isinstance(payload["listens"], list)

    def metadata(self) -> dict[str, Any]:
        info = {
            "submission_client": "multi-scrobbler",
            "submission_client_version": "0.10.0",
            "music_service": "spotify.com",
            "duration": 201,
            "spotify_id": SPOTIFY,
            "origin_url": SPOTIFY,
            "isrc": "ZZX012400001",
            "artist_names": ["Vega"],
            "release_artist_names": ["Vega"],
            "media_player": "Spotify",
        }
        return {"release_name": "North", "additional_info": info}


class Pano(Player):
    """API root `http://HOST:8090/`; it adds `1/`."""

    import_size = 50

    def starts(self, listener: str) -> None:
        assert self.ask("GET", "validate-token").json() == {
            "code": 200,
            "message": "Token valid.",
            "valid": True,
            "user_name": listener,
        }
        recent = self.ask("GET", f"user/{listener}/listens?count=25").json()["payload"]
        # Fields that it takes no null for.
        assert all(isinstance(recent[name], int) for name in ("count", "latest_listen_ts", "oldest_listen_ts"))
        for one in recent["listens"]:
            assert all(isinstance(one["track_metadata"][name], str) for name in ("artist_name", "track_name"))
        assert self.ask("GET", f"user/{listener}/playing-now").json()["payload"]["count"] in (0, 1)
        assert isinstance(self.ask("GET", f"user/{listener}/listen-count").json()["payload"]["count"], int)

    def metadata(self) -> dict[str, Any]:
        info = {"duration_ms": 201_000, "submission_client": "Pano Scrobbler", "submission_client_version": "4.12"}
        return {"release_name": "North", "additional_info": info}


class WebScrobbler(Player):
    """API URL `http://HOST:8090/1/submit-listens`, used as it is; a browser adds the extension's origin."""

    submit_path = ""
    import_size = 50

    def starts(self, listener: str) -> None:
        """It asks nothing."""

    def metadata(self) -> dict[str, Any]:
        info = {
            "submission_client": "Web Scrobbler",
            "submission_client_version": "3.12.0",
            "music_service_name": "Spotify",
            "origin_url": SPOTIFY,
            "spotify_id": SPOTIFY,
            "duration": 200.973,
            "release_artist_name": "Vega",
        }
        return {"additional_info": info}


def players(root: str, token: str) -> Sequence[Player]:
    """All four, with the addresses that their settings take."""
    json_type = {"Content-Type": "application/json"}
    extension = {
        "Content-Type": "application/json; charset=UTF-8",
        "Origin": "chrome-extension://hhinaapppaileiechjoiifaancjggfjm",
    }
    return (
        Navidrome(f"{root}/1/", token),
        MultiScrobbler(root, token, headers=json_type),
        Pano(f"{root}/1/", token, scheme="token", headers=json_type),
        WebScrobbler(f"{root}/1/submit-listens", token, headers=extension),
    )
