"""The rows of an extended export read and repeats left out a second time, in plain Python."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

USER = "me"
# The export's fields in the order that silver hashes them; what the export lacks is null there.
FIELDS = (
    *("ts", "ms_played", "spotify_track_uri", "master_metadata_track_name", "master_metadata_album_artist_name"),
    *("master_metadata_album_album_name", "episode_name", "episode_show_name", "spotify_episode_uri", "audiobook_title"),
    *("audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title", "platform", "conn_country", "reason_start"),
    *("reason_end", "shuffle", "skipped", "offline", "offline_timestamp", "incognito_mode"),
)
EMPTY = ("none", "unknown", "")
SECOND = 1_000_000


def read(archive: Path) -> pd.DataFrame:
    """One row per row of the export, in the order of content hashes; times are microseconds."""
    found = []
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if name.endswith(".json"):
                content = opened.read(name)
                found += _rows(hashlib.sha256(content).hexdigest(), json.loads(content))
    rows = pd.DataFrame(found)
    return rows.assign(played_at=pd.to_datetime(rows.start, unit="us"), ended_at=pd.to_datetime(rows.end, unit="us"))


def _rows(file: str, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for number, row in enumerate(listed, start=1):
        text = [_text(row.get(name)) for name in FIELDS]
        content = hashlib.md5("\x1f".join("\0" if value is None else value for value in text).encode(), usedforsecurity=False)
        marked = "\x1f".join([USER, "spotify_extended", content.hexdigest()])
        end = int(pd.Timestamp(row["ts"]).value // 1000)
        found.append(
            {
                "row_id": f"{file[:16]}:{number:012d}",
                "user_id": USER,
                "play_id": hashlib.md5(marked.encode(), usedforsecurity=False).hexdigest(),
                "track_id": row["spotify_track_uri"].split(":")[2],
                "track_name": row["master_metadata_track_name"],
                "artist_name": row["master_metadata_album_artist_name"],
                "album_name": row["master_metadata_album_album_name"],
                "start": end - 1000 * row["ms_played"],
                "end": end,
                "ms_played": row["ms_played"],
                "skipped": row["skipped"],
                "reason_end": None if (row["reason_end"] or "").lower() in EMPTY else row["reason_end"],
            }
        )
    return found


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def kept(events: pd.DataFrame) -> pd.DataFrame:
    """One row per play: the earliest of its rows, with the id of the first one and what others say where it says nothing."""
    groups: dict[str, list[dict[str, Any]]] = {}
    first: dict[tuple[Any, ...], str] = {}
    survivors = []
    for row in events.sort_values("row_id").to_dict("records"):
        same = (row["title"], row["start"] // SECOND, row["end"] // SECOND)
        if same in first:
            groups[first[same]].append(row)
            continue
        first[same] = row["row_id"]
        groups[row["row_id"]] = [row]
        survivors.append(row)
    of_recording: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(survivors, key=lambda row: (row["recording"], row["start"] // SECOND, row["row_id"])):
        before = of_recording.setdefault(row["recording"], [])
        match = next((other for other in before if _is_same(other, row)), None)
        if match is None:
            before.append(row)
        else:
            groups[match["row_id"]] += groups.pop(row["row_id"])
    return pd.DataFrame([_merged(rows) for rows in groups.values()])


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    overlap = min(one["end"], other["end"]) - max(one["start"], other["start"])
    lengths = [row["end"] - row["start"] for row in (one, other)]
    return one["end"] // SECOND == other["end"] // SECOND or (min(lengths) > 0 and 2 * overlap > min(lengths))


def _merged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    keeper, in_order = rows[0], sorted(rows, key=lambda row: row["row_id"])

    def told(name: str) -> Any:
        return next((row[name] for row in [keeper, *in_order] if row[name] is not None), None)

    skipped, reason = told("skipped"), told("reason_end")
    names = ("user_id", "track_id", "track_name", "artist_name", "album_name", "played_at", "ended_at", "ms_played")
    return {name: keeper[name] for name in names} | {
        "play_id": in_order[0]["play_id"],
        "is_skip": bool(skipped) or reason == "fwdbtn",
        "tells_skip": skipped is not None or reason is not None,
    }
