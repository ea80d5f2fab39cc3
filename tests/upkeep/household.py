"""A household whose files come every way there is, with one listener whose names are like nobody else's."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

from bi import listeners
from bi.settings import BISettings
from lakehouse.landing.packed import pack
from music.envelopes import LASTFM_API, SPOTIFY_API
from polling.answers import Answer, Item
from polling.envelope import Envelope, write_envelope
from polling.files import write_file
from polling.places import AccountPlace
from polling.state import AccountState, save_state
from polling.tokens import Token, TokenStore
from tests.end_to_end.kernel_digests import write_landing
from tests.polling.envelopes_of import lastfm_body, lastfm_track, spotify_body, spotify_play

UTC = dt.timezone.utc
LISTENER = "Zoë O'Quibbleworth"
NEEDLE = "quibble"
"""In every name that this listener has anywhere, and in nothing else; in lower case."""
SHARED = "shared_1k.tsv"
IN_SHARED = "lastfm1k:user_000777"
"""Another listener, who stands in a file with others."""
LASTFM_ACCOUNT, SPOTIFY_ACCOUNT = "quibble_fm", "quibble31"


def furnish(folder: Path) -> None:
    """Landing files, inbox and state below `folder`: three listeners with exports, one file of several, and polled accounts."""
    landing, state = folder / "landing", folder / "state"
    write_landing(landing)
    listeners = landing / "listeners"
    (listeners / "bob").rename(listeners / LISTENER)
    shutil.copytree(listeners / "ann", listeners / "bob")
    _shift(listeners / "bob")
    own = next((listeners / LISTENER).glob("*.json"))
    rows = json.loads(own.read_bytes())
    track = rows[0]["master_metadata_track_name"], rows[0]["master_metadata_album_artist_name"]
    for name in ("ann", LISTENER):
        (listeners / name / "dislikes.csv").write_text(f'artist,track\n"{track[1]}","{track[0]}"\n', "utf-8")
    (listeners / LISTENER / "corrections.csv").write_text(
        f'action,kind,from_artist,to_artist\nrename,artist,"{track[1]}","Renamed by hand"\n', "utf-8"
    )
    (listeners / LISTENER / "notes.txt").write_text("what Zoe Quibbleworth wrote down", "utf-8")
    with zipfile.ZipFile(listeners / LISTENER / "my_spotify_data.zip", "w") as archive:
        archive.writestr("Streaming_History_Audio_2022.json", json.dumps(_earlier(rows[:150])))
        archive.writestr("Playlist1.json", json.dumps({"playlists": []}))
    (landing / SHARED).write_text("".join(_lines()), "utf-8")
    _poll(landing / "_api", state)
    _serve(state, folder / "bi")


def _serve(state: Path, bi: Path) -> None:
    """People and tokens of the service, a notice of the scheduler, a log-in to Trino, and a log that names the listener."""
    files: dict[str, Any] = {
        "people.json": {LISTENER: {"is_admin": False, "login": "listener_quibble"}, "ann": {"is_admin": True}},
        "api_tokens.json": {
            "format": 1,
            "tokens": {"t1": {"user_id": LISTENER, "label": "phone of quibble"}, "t2": {"user_id": "ann", "label": "phone"}},
        },
        "scheduler.json": {
            "said": {f"account {SPOTIFY_ACCOUNT} (listener {LISTENER}): renew": "2026-11-01", "other": "2026-11-01"}
        },
    }
    for name, content in files.items():
        write_file(state / name, json.dumps(content).encode())
    for name in (LISTENER, "ann"):
        listeners.add(BISettings(dir=bi), name)
    log = bi / "trino" / "server.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"INFO started\nINFO query by {listeners.login_name(LISTENER)}\nINFO query by listener_ann\n")


def _shift(folder: Path) -> None:
    path = next(folder.glob("*.json"))
    rows = json.loads(path.read_bytes())
    path.write_text(json.dumps([row | {"ts": row["ts"].replace("2023", "2021")} for row in rows]), "utf-8")


def _earlier(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"ts": row["ts"].replace("2023", "2022")} for row in rows]


def _lines() -> list[str]:
    draw, at, lines = random.Random(5), dt.datetime(2008, 1, 1, tzinfo=UTC), []  # noqa: S311 no secret
    for number in range(400):
        at += dt.timedelta(minutes=draw.choice((4, 5, 600)))
        user = ("user_000777", "user_000001", "user_000002")[number % 3]
        lines.append(f"{user}\t{at:%Y-%m-%dT%H:%M:%SZ}\t\tArtist {draw.randrange(9)}\t\tTrack {draw.randrange(30)}\n")
    return lines


def _poll(inbox: Path, state: Path) -> None:
    """Poll files of two accounts of the listener, one month of them packed, and of one of ann's; with states and tokens."""
    accounts = ((LASTFM_API, LASTFM_ACCOUNT, LISTENER), (SPOTIFY_API, SPOTIFY_ACCOUNT, LISTENER), (LASTFM_API, "ann_fm", "ann"))
    for source, account, listener in accounts:
        place, shift = AccountPlace(inbox, source, account), len(account)
        months = []
        for sequence, month in enumerate((9, 10), start=1):
            date = dt.datetime(2026, month, 10, 12, shift, tzinfo=UTC)
            body = (
                lastfm_body([lastfm_track(int(date.timestamp()) - 600 * n, n + 3) for n in range(5)])
                if source == LASTFM_API
                else spotify_body(*[spotify_play(f"2026-{month:02d}-10T{n:02d}:{shift:02d}:00Z", n + 3) for n in range(5)])
            )
            items = tuple(Item(n, f"{account} {month} {n}", date) for n in range(5))
            answer = Answer(source, account, {"path": f"/user/{account}"}, date, body, items)
            months.append(write_envelope(place, sequence, Envelope.of(answer, listener, items, connects=True)))
        pack(months[0].parent, [months[0].name])
        save_state(place, AccountState(source, account, listener, sequence=2, polled_at=date, cursor=date))
    moment = dt.datetime(2026, 11, 1, tzinfo=UTC)
    token = Token(
        *(SPOTIFY_API, SPOTIFY_ACCOUNT, LISTENER, "Zoe Quibble", "client", "scope", "refresh-secret", "access-secret"),
        moment,
        moment,
    )
    TokenStore(state, SPOTIFY_API).write(token)
