"""Messages, and stream files made of them as `lakehouse stream` makes them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from streaming.landing import PartitionLanding, Written
from streaming.messages import Batch
from streaming.places import PartitionPlace

UTC = dt.timezone.utc
NOW = dt.datetime(2026, 11, 30, 12, tzinfo=UTC)


def listen(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A listen of `anna` of three minutes; `changes` to None leave a field out."""
    usual = {
        "user_id": "anna",
        "listened_at": 1_717_200_000 + 300 * number,
        "track_name": f"Tide {number}",
        "artist_name": "Vega",
        "ms_played": 180_000,
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def message(number: int = 1, **changes: Any) -> bytes:
    return json.dumps(listen(number, **changes)).encode()


def is_anna(name: str) -> bool:
    return name == "anna"


def land(
    inbox: Path,
    values: Mapping[int, bytes | None],
    *,
    partition: int = 0,
    epoch: int = 1,
    topic_id: str | None = "id",
    now: dt.datetime = NOW,
    is_known: Callable[[str], bool] = is_anna,
) -> Written:
    """Land messages by their offsets."""
    place = PartitionPlace(inbox, "listens", partition)
    return PartitionLanding(place, topic_id, epoch, is_known, lambda: now).land(Batch(list(values), list(values.values())))


def files_in(inbox: Path) -> list[Path]:
    """The stream files, loose or in an archive."""
    return sorted(path for path in inbox.rglob("*") if path.is_file() and not path.name.startswith("_"))
