"""What a player sends: a body as ListenBrainz documents it, and what of its listens is worth keeping.

Players repeat a refused batch for ever, or drop it. So a body is refused only where no listen can be found in it; one that is
none is accepted with the others, and silver quarantines it.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from music.envelopes import JOURNAL_LINE

SINGLE, IMPORT, PLAYING_NOW = "single", "import", "playing_now"
MOST_LISTENS = 1000
MOST_LISTEN_BYTES = 10_240
"""of a listen on average; both limits are those of ListenBrainz"""
MOST_BODY_BYTES = MOST_LISTENS * MOST_LISTEN_BYTES
MOST_TEXT = 10_240
MOST_ITEMS, MOST_NUMBER = 50, 10**15
DAY_SECONDS = 24 * 3600
RECEIVED_AT, LISTEN = JOURNAL_LINE

# Of other fields, some tell of the listener's devices, network or habits, and none of the play.
NAMES = ("artist_name", "track_name", "release_name")
INFO = {
    *("duration", "duration_ms", "duration_played", "spotify_id", "origin_url", "music_service", "music_service_name"),
    *("media_player", "submission_client", "submission_client_version", "isrc", "tracknumber", "artist_names"),
    *("recording_mbid", "release_mbid", "release_group_mbid", "track_mbid", "artist_mbids"),
}
# What JSON has no word for, as Python writes it, is no value.
DECODER = json.JSONDecoder(parse_constant=lambda _: None)
ENCODER = json.JSONEncoder()


class UnreadableError(Exception):
    """A body in which no listens can be found; the message says why."""


@dataclass(frozen=True)
class Submission:
    """The listens of one request."""

    listen_type: str
    listens: tuple[Any, ...]
    """as they will be kept; None for what is no listen"""


def parsed(body: bytes) -> Submission:
    """The listens in a body, reduced to known fields. Raises UnreadableError."""
    try:
        document = DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError as error:
        raise UnreadableError("the JSON document is nested too deeply") from error
    except ValueError as error:
        raise UnreadableError(f"cannot parse the JSON document: {error}") from error
    payload = document.get("payload") if isinstance(document, dict) else None
    if not isinstance(payload, list) or not payload:
        raise UnreadableError("the JSON document does not contain any listens")
    if len(payload) > MOST_LISTENS:
        raise UnreadableError(f"more than {MOST_LISTENS} listens in one request; send them in several")
    if len(body) > len(payload) * MOST_LISTEN_BYTES:
        raise UnreadableError(f"the JSON document is too large: at most {MOST_LISTEN_BYTES} bytes a listen")
    listen_type = document.get("listen_type")
    if listen_type not in (SINGLE, IMPORT, PLAYING_NOW):
        raise UnreadableError(f"listen_type has to be {SINGLE}, {IMPORT} or {PLAYING_NOW}")
    return Submission(listen_type, tuple(reduced(listen) for listen in payload))


def reduced(listen: Any) -> dict[str, Any] | None:
    """A listen with the fields that tell of the play; None for what is no listen."""
    if not isinstance(listen, dict):
        return None
    track = listen.get("track_metadata")
    track = track if isinstance(track, dict) else {}
    info = track.get("additional_info")
    info = info if isinstance(info, dict) else {}
    kept_info = {name: kept for name, value in info.items() if name in INFO and (kept := _plain(value)) is not None}
    kept = {name: value for name in NAMES if _is_text(value := track.get(name))}
    return {
        "listened_at": _plain(listen.get("listened_at")),
        "track_metadata": {**kept, "additional_info": _with_length_in_ms(kept_info)},
    }


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_TEXT


def _plain(value: Any) -> Any:
    """A text, a number, or a list of texts; None for anything else, as for a number that no clock and no length has."""
    if isinstance(value, list):
        return [item for item in value[:MOST_ITEMS] if _is_text(item)]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if -MOST_NUMBER < value < MOST_NUMBER else None
    return value if _is_text(value) else None


def _with_length_in_ms(info: dict[str, Any]) -> dict[str, Any]:
    """Some clients send fractions of a second as the length of a track; of lengths, silver reads whole numbers."""
    seconds = info.get("duration")
    if isinstance(seconds, float) and 0 < seconds <= DAY_SECONDS and "duration_ms" not in info:
        return {**info, "duration_ms": round(seconds * 1000)}
    return info


def lines(listens: tuple[Any, ...], received_at: dt.datetime) -> bytes:
    """The lines of a journal for listens that came at that time (UTC)."""
    received = received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    start = f'{{"{RECEIVED_AT}": "{received}", "{LISTEN}": '
    # ASCII, as a text may hold half a surrogate pair, which no UTF-8 can hold.
    return "".join(f"{start}{ENCODER.encode(listen)}}}\n" for listen in listens).encode("ascii")
