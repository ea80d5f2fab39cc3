"""ListenBrainz listens, one JSON object a line: the website's export (listens/YYYY/M.jsonl) and the public dumps (*.listens);
also the export of before 2024, one JSON list.

Read as listenbrainz-server writes them (listenbrainz/background/export.py and listenstore/dump_listenstore.py) and as its
JSON documentation describes a listen: `listened_at` is the start of playback in Unix seconds (`timestamp` in dumps),
`duration_played` the seconds really listened; `duration` and `duration_ms` are the track's length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa

from ingestion import history
from ingestion.envelopes import is_envelope
from ingestion.history_source import HistorySource
from ingestion.json_list import STRING, is_list, keys_in, read_json_list
from ingestion.scrobbles import SCROBBLE
from ingestion.spotify_account_data import ACCOUNT_DATA
from ingestion.text_lines import blocks_of_lines, first_lines, most
from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, Sample

TIMES = ("listened_at", "timestamp")
FIELDS = (
    "source_kind",
    "user_id",
    "ts",
    "ms_played",
    "track_ms",
    "track_uri",
    "track_name",
    "artist_name",
    "album_name",
    "platform",
)
NAMES = {name: name for name in FIELDS}
SPOTIFY_TRACK = re.compile(r"https?://open\.spotify\.com/track/")
DAY_SECONDS = 24 * 3600
# A number stays the text that it was: the export writes 1709287380.000000, which a float would shorten.
decode = json.JSONDecoder(parse_float=str).decode


class ListenBrainz:
    """Scrobbles; a listener named in the line (dumps) is `listenbrainz:` + the name."""

    name = "listenbrainz"
    target = "listening_history"
    kinds = (SCROBBLE, ACCOUNT_DATA)
    rank_in_kind = 0
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        if is_envelope(sample):
            return False
        if is_list(sample.text):
            return _has_listens(keys_in(sample))
        lines = first_lines(sample)
        if len(lines) == 1 and "\n" not in sample.text:
            return _begins_like_a_listen(lines[0])
        return most([_is_listen(line) for line in lines])

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        """One row a line that is not blank, or an element of the list; what is no listen has no values, and so is quarantined."""
        start = stream.read(SAMPLE_BYTES)
        stream.seek(0)
        if is_list(start.decode("utf-8", "replace")):
            for listens in history.chunks(read_json_list(stream, parse_float=str)):
                yield history.batch([row_of(one, listener) for one in listens], NAMES, {})
            return
        for first, block in blocks_of_lines(stream):
            lines = enumerate(block.split("\n"), start=first)
            listens = [row_of(_parsed(line, number), listener) for number, line in lines if line.strip()]
            if listens:
                yield history.batch(listens, NAMES, {})


def _is_listen(line: str) -> bool:
    try:
        value = decode(line)
    except (ValueError, RecursionError):
        return False
    is_listen = isinstance(value, dict) and isinstance(value.get("track_metadata"), dict)
    return is_listen and any(name in value for name in TIMES)


def _begins_like_a_listen(line: str) -> bool:
    """For the beginning of a line that is longer than the sample, or the only one."""
    if not line.startswith("{"):
        return False
    return _has_listens({name for name, colon in STRING.findall(line) if colon})


def _has_listens(keys: set[str]) -> bool:
    return "track_metadata" in keys and bool(keys & set(TIMES)) and bool(keys & {"track_name", "artist_name"})


def _parsed(line: str, number: int) -> Any:
    try:
        return decode(line)
    except json.JSONDecodeError as error:
        raise BrokenFileError(f"not valid JSON at line {number}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise BrokenFileError(f"JSON nested too deeply at line {number}") from error
    except ValueError as error:
        raise BrokenFileError(f"not valid JSON at line {number}: {error}") from error


def row_of(listen: Any, listener: str) -> dict[str, Any]:
    """The listen's fields by our names."""
    listen = listen if isinstance(listen, dict) else {}
    track = _object(listen.get("track_metadata"))
    info = _object(track.get("additional_info"))
    user, url = listen.get("user_name"), info.get("origin_url")
    is_spotify = isinstance(url, str) and SPOTIFY_TRACK.match(url) is not None
    # The server's importer of Spotify's streaming history is the one to write ms_played, and copies `ts`, the end of a play.
    is_copy = is_spotify and info.get("music_service") == "spotify.com" and _is_number(info.get("ms_played"))
    return {
        "source_kind": ACCOUNT_DATA.name if is_copy else SCROBBLE.name,
        "user_id": f"listenbrainz:{user}" if isinstance(user, str) and user.strip() else listener,
        "ts": listen.get("listened_at", listen.get("timestamp")),
        "ms_played": info.get("ms_played") if is_copy else _milliseconds(info.get("duration_played")),
        "track_ms": info.get("duration_ms") if _is_number(info.get("duration_ms")) else _milliseconds(info.get("duration")),
        "track_uri": info.get("spotify_id") or (url if is_spotify else None),
        "track_name": track.get("track_name"),
        "artist_name": track.get("artist_name"),
        "album_name": track.get("release_name"),
        "platform": info.get("media_player") or info.get("submission_client"),
    }


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _milliseconds(seconds: Any) -> int | None:
    """Whole seconds in ms; None for what cannot be the time that a play took, as clients may write anything here."""
    return seconds * 1000 if _is_number(seconds) and 0 < seconds <= DAY_SECONDS else None


SOURCES: tuple[HistorySource, ...] = (ListenBrainz(),)
