"""Files of synthetic listeners are read cell by cell, or refused with a reason."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ingestion import synthetic
from ingestion.history import FIELDS
from lakehouse.declare import BrokenFileError
from music.settings import ListeningSettings
from tests.landing_files import CONTENTS, HOSTILE_NAMES, as_stream, read, synthetic_play


def test_a_play() -> None:
    assert read("synthetic", CONTENTS["synthetic"], "anna") == [
        dict.fromkeys(FIELDS)
        | {
            "source_kind": "synthetic",
            "user_id": "synthetic:000001",
            "timezone": "Asia/Tokyo",
            "ts": "2024-03-01 10:00:00.123",
            "ms_played": "180000",
            "track_uri": "spotify:track:2J3n32GeLmMjwuAzyhcSNe",
            "track_name": "Title",
            "artist_name": "Artist",
            "album_name": "Album",
            "platform": "ios",
            "conn_country": "JP",
            "reason_start": "trackdone",
            "reason_end": "fwdbtn",
            "shuffle": "false",
            "skipped": "true",
            "offline": "false",
            "incognito_mode": "false",
        }
    ]


@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if name != "100 kB"])
def test_a_hostile_name_is_stored_exactly(name: str) -> None:
    text = HOSTILE_NAMES[name]
    names = {"track_name": text, "artist_name": text, "album_name": text}
    [row] = read("synthetic", as_stream([synthetic_play(track={"track_uri": None} | names)]))
    assert {field: row[field] for field in names} == names
    assert row["track_uri"] is None


def other_schema(name: str, kind: pa.DataType) -> pa.Schema:
    schema = synthetic.schema(1)
    return schema.set(schema.get_field_index(name), pa.field(name, kind))


BROKEN = {
    "cut in a batch": (CONTENTS["synthetic"][:-200], "not a readable Arrow stream"),
    "cut in the schema": (CONTENTS["synthetic"][:500], "not a readable Arrow stream"),
    "cut between batches": (as_stream([synthetic_play()] * 3, rows=5), "3 rows instead of 5: the file is cut off"),
    "other columns": (as_stream([synthetic_play()], other_schema("ms_played", pa.int64())), "the columns are not those of"),
    "no number of rows": (as_stream([], synthetic.SCHEMA.with_metadata({"format": synthetic.FORMAT})), "number of rows"),
    "rows that are no number": (
        as_stream([], synthetic.SCHEMA.with_metadata({"format": synthetic.FORMAT, "rows": "-1"})),
        "number of rows",
    ),
    "a real listener's name": (as_stream([synthetic_play(user_id="anna")]), "a listener's id is not synthetic:"),
    "a listener with a tail": (as_stream([synthetic_play(user_id="synthetic:000001\nx")]), "a listener's id is not synthetic:"),
    "no listener": (as_stream([synthetic_play(user_id=None)]), "a listener's id is not synthetic:"),
    "an unknown time zone": (as_stream([synthetic_play(timezone="Mars/Olympus")]), "'Mars/Olympus' is not a time zone"),
    "a path as time zone": (as_stream([synthetic_play(timezone="../../etc/passwd")]), "is not a time zone"),
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_broken_file_says_why(form: str) -> None:
    content, reason = BROKEN[form]
    with pytest.raises(BrokenFileError, match=reason):
        read("synthetic", content)


def test_codes_beyond_the_dictionary_break_the_file_and_not_the_process() -> None:
    schema = synthetic.schema(1)
    columns = [pa.nulls(1, field.type) for field in schema]
    columns[0] = pa.DictionaryArray.from_arrays(pa.array([7], pa.int32()), pa.array(["synthetic:000001"]), safe=False)
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, schema) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    with pytest.raises(BrokenFileError, match="not a readable Arrow stream"):
        read("synthetic", out.getvalue().to_pybytes())


def test_every_flipped_byte_is_read_or_refused() -> None:
    content = as_stream([synthetic_play(), synthetic_play(reason_end="trackdone")])
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 0x41
        try:
            read("synthetic", bytes(changed))
        except BrokenFileError:
            continue


def test_a_synthetic_listener_can_have_settings() -> None:
    zones = ListeningSettings(timezones={"synthetic:000001": "Europe/Berlin"}).timezones
    assert zones == {"synthetic:000001": "Europe/Berlin"}
