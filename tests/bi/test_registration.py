"""What Trino knows of the lakehouse: every table, its rows and comments; and what a run or the script make good."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.schema import PrimitiveType

from bi.trino.registration import LAYERS, Registration, TrinoAccess, access_for
from lakehouse.declare import Table, column
from lakehouse.plan import graph
from lakehouse.storage import delta, publishing
from tests.bi.conftest import Stack

TABLES = [t for t in graph.load().values() if t.layer in LAYERS and not t.is_model]
PROBE = Table(
    name="gold.probe",
    key=("user_id",),
    scope="user",
    columns=(column("user_id", "string", 'listener\'s id, "quoted"'), column("plays", "bigint", "all plays")),
    transform=None,
    description="One row per listener; it's a probe.",
    category="gold",
)


@pytest.fixture
def access(stack: Stack) -> TrinoAccess:
    found = access_for(stack.lakehouse, stack.environment)
    assert found is not None
    return found


@pytest.fixture
def probe(stack: Stack, access: TrinoAccess) -> Iterator[Path]:
    """The folder of a table that is declared, and made by the test; nothing of it is left."""
    path = stack.lakehouse / "gold" / "probe"
    shutil.rmtree(path, ignore_errors=True)
    yield path
    shutil.rmtree(path, ignore_errors=True)
    register(access)


def register(access: TrinoAccess, *, thorough: bool = False) -> dict[str, object]:
    """Register with the probe among the declared tables; what differed."""
    with Registration(access, [*TABLES, PROBE]) as registration:
        drift = dataclasses.asdict(registration.register(thorough=thorough))
    return {key: value for key, value in drift.items() if value and key != "known"}


def write(path: Path, *users: str) -> None:
    columns = {"user_id": list(users), "plays": [1] * len(users), "_run_id": ["r"] * len(users), "_built_at": [None] * len(users)}
    write_deltalake(path, pa.table(columns, delta.uncommented(delta.arrow_schema(PROBE))), mode="append")


def test_every_table_has_the_rows_that_delta_says(stack: Stack) -> None:
    there = [t.name for t in TABLES if (stack.lakehouse / t.layer / t.short_name).is_dir()]
    assert len(there) == len(TABLES)
    with ThreadPoolExecutor(4) as pool:
        counts = pool.map(lambda name: stack.ask("etl", f"SELECT count(*) FROM lakehouse_etl.{name}")[0][0], there)
    wrong = {n: c for n, c in zip(there, counts, strict=True) if c != delta.row_total(stack.lakehouse / n.replace(".", "/"))}
    assert wrong == {}


def test_comments_of_tables_and_columns_are_seen(stack: Stack, access: TrinoAccess, probe: Path) -> None:
    publishing.create(probe, PROBE)
    assert register(access) == {"new": ["gold.probe"]}
    described = {row[0]: row[3] for row in stack.ask("bi", "DESCRIBE lakehouse.gold.probe")}
    assert {c.name: described[c.name] for c in PROBE.columns} == {c.name: c.comment for c in PROBE.columns}
    comments = (
        "SELECT table_name, comment FROM system.metadata.table_comments WHERE catalog_name = 'lakehouse' AND schema_name = 'gold'"
    )
    told = {row[0]: row[1] for row in stack.ask("bi", comments)}
    assert told["probe"] == PROBE.description
    assert told["daily_listening"] == graph.load()["gold.daily_listening"].description
    first, *others = PROBE.columns
    columns = (dataclasses.replace(first, comment="said anew"), *others)
    anew = dataclasses.replace(PROBE, columns=columns, description="Anew.")
    publishing.describe(probe, anew, "run")
    assert stack.ask("bi", "DESCRIBE lakehouse.gold.probe")[0][3] == "said anew"
    assert {row[0]: row[1] for row in stack.ask("bi", comments)}["probe"] == "Anew."
    of_bronze = comments.replace("'gold'", "'bronze'")
    assert stack.ask("bi", of_bronze) == []


def test_new_rows_and_columns_are_seen_at_once(stack: Stack, access: TrinoAccess, probe: Path) -> None:
    publishing.create(probe, PROBE)
    write(probe, "a")
    register(access)
    assert stack.ask("bi", "SELECT user_id, plays FROM gold.probe") == [["a", 1]]
    write(probe, "b")
    DeltaTable(probe).alter.add_columns([Field("later", PrimitiveType("string"))])
    assert stack.ask("bi", "SELECT user_id, later FROM gold.probe ORDER BY 1") == [["a", None], ["b", None]]
    assert register(access, thorough=True) == {}


def test_a_table_made_anew_at_its_place_shows_the_new_rows(stack: Stack, access: TrinoAccess, probe: Path) -> None:
    publishing.create(probe, PROBE)
    write(probe, "a", "b", "c")
    register(access)
    assert stack.ask("bi", "SELECT count(*) FROM gold.probe") == [[3]]
    shutil.rmtree(probe)
    publishing.create(probe, PROBE)
    write(probe, "d")
    assert stack.ask("bi", "SELECT count(*), min(user_id) FROM gold.probe") == [[1, "d"]]
    assert register(access, thorough=True) == {}
    assert stack.ask("etl", "SELECT count(*), min(user_id) FROM lakehouse_etl.gold.probe") == [[1, "d"]]


def test_a_table_that_vanished_is_forgotten(stack: Stack, access: TrinoAccess, probe: Path) -> None:
    publishing.create(probe, PROBE)
    register(access)
    shutil.rmtree(probe)
    assert register(access) == {"vanished": ["gold.probe"]}
    assert "does not exist" in stack.refusal("etl", "SELECT * FROM lakehouse_etl.gold.probe")
    assert register(access) == {}


def test_a_table_that_trino_cannot_read_is_refused_by_name(stack: Stack, access: TrinoAccess, probe: Path) -> None:
    publishing.create(probe, PROBE)
    first = probe / "_delta_log" / f"{0:020d}.json"
    actions = [json.loads(line) for line in first.read_text().splitlines()]
    features = {"readerFeatures": ["variantShredding-preview"], "writerFeatures": ["variantShredding-preview"]}
    for action in actions:
        if "protocol" in action:
            action["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7} | features
    first.write_text("".join(json.dumps(action) + "\n" for action in actions))
    refused = register(access)["refused"]
    assert isinstance(refused, dict)
    assert list(refused) == ["gold.probe"]
    assert "variantShredding-preview" in refused["gold.probe"] or "log cannot be read" in refused["gold.probe"]
    assert "does not exist" in stack.refusal("etl", "SELECT * FROM lakehouse_etl.gold.probe")


def test_a_lakehouse_that_moved_is_found_where_it_is_now(stack: Stack, access: TrinoAccess, tmp_path: Path) -> None:
    other = tmp_path / "moved"
    shutil.copytree(stack.lakehouse, other)
    shutil.rmtree(other / "gold" / "year_in_music")
    elsewhere = dataclasses.replace(access, lakehouse=other, location=f"local://{other}")
    try:
        differed = register(elsewhere)
        assert differed["vanished"] == ["gold.year_in_music"]
        assert len(differed["moved"]) == len(TABLES) - 1  # type: ignore[arg-type]
        place = stack.ask("bi", 'SELECT DISTINCT "$path" FROM gold.user_metrics')[0][0]
        assert place.startswith(f"local://{other}/gold/user_metrics/")
        assert register(elsewhere) == {}
    finally:
        assert register(access)["new"] == ["gold.year_in_music"]


def test_the_script_tells_of_drift_and_makes_it_good(stack: Stack) -> None:
    place = ("--lakehouse", str(stack.lakehouse))
    well = stack.script("scripts/register_tables.py", "--check", *place)
    assert (well.returncode, well.stdout) == (0, f"{len(TABLES)} tables registered\n")
    stack.ask("etl", "CALL lakehouse_etl.system.unregister_table('gold', 'year_in_music')")
    drifted = stack.script("scripts/register_tables.py", "--check", *place)
    assert drifted.returncode == 1
    assert "new      gold.year_in_music" in drifted.stdout
    healed = stack.script("scripts/register_tables.py", *place)
    assert (healed.returncode, healed.stdout) == (0, f"new      gold.year_in_music\n{len(TABLES)} tables registered\n")
    elsewhere = stack.script("scripts/register_tables.py", "--lakehouse", str(stack.landing))
    assert elsewhere.returncode == 2
    assert "no Trino is set up for" in elsewhere.stderr


def test_a_run_registers_what_trino_does_not_know(stack: Stack) -> None:
    stack.ask("etl", "CALL lakehouse_etl.system.unregister_table('gold', 'year_in_music')")
    command = ("run_pipeline.py", "run", "--landing", str(stack.landing), "--lakehouse", str(stack.lakehouse))
    told = stack.script(*command)
    assert told.returncode == 0, told.stderr
    assert "Trino: tables 1 new" in told.stdout
    again = json.loads(stack.script(*command, "--json").stdout)
    assert again["trino"]["problem"] is None
    assert again["trino"]["drift"]["new"] == []
    assert again["trino"]["drift"]["known"] == len(TABLES)


def test_a_trino_that_is_down_is_a_warning(stack: Stack) -> None:
    command = ("run_pipeline.py", "run", "--landing", str(stack.landing), "--lakehouse", str(stack.lakehouse))
    down = Stack(stack.settings, stack.lakehouse, stack.landing, stack.environment | {"TRINO_URL": "https://localhost:1"})
    told = down.script(*command)
    assert told.returncode == 0, told.stderr
    assert "warning: Trino at https://localhost:1: it does not answer" in told.stdout
    assert "Traceback" not in told.stderr
    document = json.loads(down.script(*command, "--json").stdout)
    assert document["exit_code"] == 0
    assert "does not answer" in document["trino"]["problem"]
