"""The whole site: it builds without a warning, no link is dead, nothing is fetched from elsewhere, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from docs_site.build import build
from docs_site.declared import DocumentedTable, tables
from docs_site.example_query import example_query
from docs_site.links import dead_links, external_requests

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = tables()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    out = tmp_path_factory.mktemp("docs")
    assert build(ROOT, out) == 0, "Sphinx warned: run `make docs`"
    return out / "html"


def test_no_link_is_dead_and_nothing_is_fetched_from_another_host(site: Path) -> None:
    assert len(list(site.rglob("*.html"))) > len(TABLES)
    assert dead_links(site) == []
    assert external_requests(site) == []


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_a_page_with_every_column(site: Path, name: str) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "reference" / "tables" / f"{name}.html").read_text("utf-8"))
    assert [c.name for c in TABLES[name].columns if c.name not in text] == []


def test_a_warning_fails_the_build(tmp_path: Path) -> None:
    """A link to a page that is not there, in a copy of the smallest possible site."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "conf.py").write_text('extensions = ["myst_parser"]\n', "utf-8")
    (source / "index.md").write_text("# Title\n\n[gone](gone.md)\n", "utf-8")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--nitpicky", "-q", str(source), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "gone.md" in done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's lakehouse."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "--lakehouse", str(folder / "lake"), "--engine", "embedded"]
    (folder / "landing").mkdir()
    done = subprocess.run(
        [*command, "--landing", str(folder / "landing")], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "lake-demo"


@pytest.mark.parametrize("declared", [t for t in TABLES.values() if not t.is_model], ids=lambda t: t.name)
def test_the_example_of_a_table_runs(demo: Path, declared: DocumentedTable) -> None:
    layer, short = declared.name.split(".")
    path = demo / layer / short
    if not path.is_dir():
        pytest.skip("not built without Java")
    rows = DeltaTable(path).to_pyarrow_dataset()
    query = example_query(declared).replace("'me'", "'synthetic:000001'")
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        connection.execute(f"CREATE SCHEMA {layer}; CREATE VIEW {declared.name} AS SELECT * FROM rows")
        found = connection.execute(query).fetchall()
        holds = connection.execute(
            "SELECT count(*) FROM rows" + (" WHERE user_id = 'synthetic:000001'" if "WHERE" in query else "")
        ).fetchone()
    assert len(found) == min(10, (holds or (0,))[0])
