"""The export: files that other tools read with the same rows, written whole or not at all."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.end_to_end.pipeline import Pipeline, days, export_row, kaggle_csv

NAMES = {
    11: "=1+1",
    12: "+44",
    13: "-",
    14: "@me",
    15: 'He said "no", twice;\nand\r\nleft',
    16: "👩‍👩‍👧 שלום",
    17: "'quoted",
    18: "",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    pipeline = Pipeline(tmp_path_factory.mktemp("built"))
    named = [
        export_row(f"2024-02-{n:02d}T10:00:00Z", n, master_metadata_track_name=name, ms_played=180_000 + n)
        for n, name in NAMES.items()
    ]
    pipeline.write("history.json", days(6) + named)
    pipeline.write("listeners/anna/history.json", days(3, month=3))
    pipeline.write("dataset.csv", kaggle_csv({}, {"track_genre": "pop"}))
    pipeline.build("--only", "silver", "--only", "gold.descriptive")
    return pipeline


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_parquet_holds_every_row_of_silver_and_gold_with_comments(built: Pipeline, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    document = built.call("export", "--format", "parquet", "--out", str(out), "--json").document
    written = {path.name.removesuffix(".parquet") for path in out.iterdir()}
    assert written == {name for name in built.versions() if name.startswith(("silver.", "gold."))}
    assert {one["table"] for one in document["tables"]} == written
    assert "gold.weekend_effects" in document["not_built"]
    assert document["bytes"] == sum(path.stat().st_size for path in out.iterdir())
    assert document["rows"] == sum(pq.read_metadata(path).num_rows for path in out.iterdir())
    for table in ("silver.plays", "gold.top_artists", "silver.quarantine"):
        rows = built.rows(table)
        found = pq.read_table(out / f"{table}.parquet")
        assert found.num_rows == len(rows)
        assert {name for name in found.column_names if name.startswith("_")} == set()
    field = pq.read_schema(out / "gold.top_artists.parquet").field("listen_count")
    assert field.metadata == {b"comment": b"plays of 30 s or more in the period"}
    assert [path.name for path in tmp_path.rglob("*partial*")] == []


def test_csv_is_read_back_the_same(built: Pipeline, tmp_path: Path) -> None:
    out = tmp_path / "csv"
    options = ["--table", "listening_with_features", "--table", "silver.quarantine", "--out", str(out), "--raw"]
    assert built.call("export", "--format", "csv", *options).code == 0
    found = {line["play_id"]: line for line in lines(out / "silver.listening_with_features.csv")}
    rows = built.rows("silver.listening_with_features")
    assert set(found) == {row["play_id"] for row in rows}
    for row in rows:
        line = found[row["play_id"]]
        assert line["track_name"] == (row["track_name"] or "")
        assert json.loads(line["sources"]) == row["sources"]
        assert line["played_at"] == f"{row['played_at']:%Y-%m-%dT%H:%M:%S.%f}Z"
        assert (line["date"], line["is_listen"]) == (row["date"].isoformat(), str(row["is_listen"]).lower())
        assert int(line["ms_played"]) == row["ms_played"]
    assert '["pop","rock"]' in {line["genres"].replace(" ", "") for line in found.values()}
    assert lines(out / "silver.quarantine.csv") == []
    assert (out / "silver.quarantine.csv").read_text().startswith('"user_id","file_hash",')


def test_csv_defuses_what_a_spreadsheet_would_run(built: Pipeline, tmp_path: Path) -> None:
    assert built.call("export", "--format", "csv", "--table", "gold.top_tracks", "--out", str(tmp_path / "csv")).code == 0
    names = {line["track_name"] for line in lines(tmp_path / "csv" / "gold.top_tracks.csv")}
    assert {"'=1+1", "'+44", "'-", "'@me", "'quoted", NAMES[15], NAMES[16]} <= names
    assert not [name for name in names if re.match(r"[=+\-@\t\r]", name)]


def test_one_duckdb_file_has_schemas_types_and_comments(built: Pipeline, tmp_path: Path) -> None:
    out = tmp_path / "lake.duckdb"
    answer = built.call("export", "--format", "duckdb", "--out", str(out))
    assert answer.code == 0
    assert f"{out.stat().st_size:,} bytes" in answer.out.replace("\n", " ")
    with duckdb.connect(str(out), read_only=True) as database:
        assert database.sql("FROM gold.top_artists").fetchall() != []
        names = [name for (name,) in database.sql("SELECT track_name FROM gold.top_tracks WHERE track_name = '=1+1'").fetchall()]
        assert set(names) == {"=1+1"}
        comments = dict(database.sql("SELECT schema_name || '.' || table_name, comment FROM duckdb_tables()").fetchall())
        assert comments["silver.users"].startswith("One row per listener in the history.")
        comment = database.sql("SELECT comment FROM duckdb_columns() WHERE table_name = 'users' AND column_name = 'timezone'")
        assert comment.fetchall() == [("IANA time zone of the listener's hours and days; UTC if it is unknown",)]
        kinds = database.sql("DESCRIBE silver.listening_with_features").fetchall()
        assert {name: kind for name, kind, *_ in kinds if name in ("played_at", "sources", "ms_played", "date")} == {
            "played_at": "TIMESTAMP WITH TIME ZONE",
            "sources": "VARCHAR[]",
            "ms_played": "BIGINT",
            "date": "DATE",
        }
        assert database.sql("SELECT count(*) FROM silver.plays").fetchall() == [(len(built.rows("silver.plays")),)]


def test_a_listener_gets_their_rows_and_what_names_nobody(built: Pipeline, tmp_path: Path) -> None:
    out = tmp_path / "anna"
    options = ["--table", "silver.plays", "--table", "silver.tracks", "--user", "anna"]
    assert built.call("export", "--format", "parquet", "--out", str(out), *options).code == 0
    assert set(pq.read_table(out / "silver.plays.parquet")["user_id"].to_pylist()) == {"anna"}
    assert pq.read_metadata(out / "silver.plays.parquet").num_rows == 6
    assert pq.read_metadata(out / "silver.tracks.parquet").num_rows == len(built.rows("silver.tracks"))


def test_an_earlier_export_is_replaced_only_when_told_and_nothing_else_ever(built: Pipeline, tmp_path: Path) -> None:
    for format, out in (("csv", tmp_path / "folder"), ("duckdb", tmp_path / "file")):
        options = ["export", "--format", format, "--table", "silver.users", "--out", str(out)]
        assert built.call(*options).code == 0
        before = out.stat().st_mtime_ns
        again = built.call(*options)
        assert (again.code, out.stat().st_mtime_ns) == (2, before)
        assert "--force replaces it" in again.err
        assert built.call(*options, "--force").code == 0
        assert out.stat().st_mtime_ns > before
    mine = tmp_path / "folder" / "diary.txt"
    mine.write_text("mine")
    refused = built.call("export", "--format", "csv", "--out", str(mine.parent), "--force")
    assert (refused.code, mine.read_text()) == (2, "mine")
    assert "is not an earlier export" in refused.err
    refused = built.call("export", "--format", "duckdb", "--out", str(mine), "--force")
    assert (refused.code, mine.read_text()) == (2, "mine")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--format", "xlsx"], 2, "invalid choice"),
        (["--format", "csv", "--table", "gold.top_artist"], 2, "did you mean gold.top_artists"),
        (["--format", "csv", "--user", "nobody"], 2, "no rows for listener 'nobody'"),
        (["--format", "csv", "--table", "gold.weekend_effects"], 1, "`lakehouse run` builds them"),
        (["--format", "csv", "--out", "{lakehouse}/gold"], 2, "overlaps with the lakehouse"),
        (["--format", "duckdb", "--out", "{file}/lake.duckdb"], 1, "error: "),
    ],
)
def test_wrong_usage_is_told_and_leaves_nothing(
    built: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    answer = built.call("export", *[o.format(lakehouse=built.root, file=tmp_path / "file") for o in options])
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_export_that_fails_on_the_way_leaves_nothing(built: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the second table."""
    from lakehouse.cli.export_formats import CsvFiles

    fill = CsvFiles.fill

    def filling(self: CsvFiles, path: Path, declared: object, rows: object) -> None:
        if len(list(path.parent.iterdir())) == 1:
            raise OSError(28, "No space left on device", str(path))
        fill(self, path, declared, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(CsvFiles, "fill", filling)
    answer = built.call("export", "--format", "csv", "--out", str(tmp_path / "csv"))
    assert answer.code == 1
    assert "No space left on device" in answer.err
    assert list(tmp_path.iterdir()) == []
