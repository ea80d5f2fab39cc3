"""The servers of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.polling.spotify_accounts import Spotify
from tests.polling.spotify_server import SpotifyServer


@pytest.fixture
def spotify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spotify]:
    for name in ("CLIENT_ID", "REDIRECT_URI", "LAKEHOUSE_STATE_DIR", "LAKEHOUSE_USER", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with SpotifyServer() as server:
        yield Spotify(server, tmp_path / "state")
