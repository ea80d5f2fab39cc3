"""The fingerprint of a table: what makes it change, and what does not."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse.declare import REGISTRY, Table
from lakehouse.plan import fingerprint
from lakehouse.plan.fingerprint import Fingerprints, metadata_fingerprint
from lakehouse.plan.graph import load
from lakehouse.plan.syntax import _tokens as tokens
from lakehouse.plan.syntax import syntax_of as real
from lakehouse.settings import PROJECT_ROOT

CODE = {
    "gold/__init__.py": '"""Gold."""',
    "gold/top.py": "from __future__ import annotations\nimport json\nfrom silver import names\nfrom silver.times import hour\n",
    "silver/__init__.py": '"""Silver."""',
    "silver/names.py": "def folded(): ...\n",
    "silver/times.py": "def hour():\n    import silver.zones\n",
    "silver/zones.py": "ZONE = 'UTC'\n",
    "silver/unrelated.py": "from silver import names\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, code in CODE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    return tmp_path


def code_of(project: Path, module: str = "gold.top") -> str:
    return Fingerprints(project=project).code(module)


def after_edit(project: Path, name: str, code: str) -> str:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(code)
    return code_of(project)


def test_imports_of_the_project_are_found_wherever_they_stand(project: Path) -> None:
    imports = Fingerprints(project=project).imported_modules
    assert imports("gold.top") == {"gold", "silver", "silver.names", "silver.times"}
    assert imports("silver.times") == {"silver", "silver.zones"}


@pytest.mark.parametrize("name", ["gold/top.py", "silver/names.py", "silver/times.py", "silver/zones.py", "silver/__init__.py"])
def test_a_change_in_the_module_or_anything_it_reaches_changes_the_fingerprint(project: Path, name: str) -> None:
    before = code_of(project)
    assert after_edit(project, name, CODE[name] + "\nCHANGED = 1\n") != before
    assert after_edit(project, name, CODE[name]) == before


def test_a_change_elsewhere_leaves_the_fingerprint_alone(project: Path) -> None:
    before = code_of(project)
    assert after_edit(project, "silver/unrelated.py", "CHANGED = 1\n") == before
    assert after_edit(project, "silver/new.py", "NEW = 1\n") == before


def test_comments_docstrings_and_formatting_leave_the_fingerprint_alone(project: Path) -> None:
    before = code_of(project)
    assert (
        after_edit(project, "silver/zones.py", '"""Zones."""\n\n# Of the world.\nZONE = (\n    "UTC"\n)\n"""What it is."""\n')
        == before
    )
    assert after_edit(project, "silver/zones.py", "ZONE = 'CET'\n") != before


def test_of_the_kernel_only_its_declared_version_counts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = after_edit(project, "silver/zones.py", "from lakehouse import declare\n")
    assert after_edit(project, "lakehouse/declare.py", "CHANGED = 1\n") == before
    monkeypatch.setattr(fingerprint, "KERNEL_VERSION", fingerprint.KERNEL_VERSION + 1)
    assert code_of(project) != before


def test_modules_that_import_each_other_have_a_fingerprint(project: Path) -> None:
    before = code_of(project)
    assert after_edit(project, "silver/zones.py", "import gold.top\n") not in ("", before)


def test_a_cache_spares_parsing_and_is_never_believed_over_the_text(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache.json"
    first = Fingerprints(cache, project)
    before = first.code("gold.top")
    first.syntax.write()
    parsed: list[bytes] = []
    monkeypatch.setattr("lakehouse.plan.syntax.syntax_of", lambda source: parsed.append(source) or real(source))
    assert Fingerprints(cache, project).code("gold.top") == before
    assert parsed == []
    (project / "silver/zones.py").write_text("ZONE = 'CET'\n")
    assert Fingerprints(cache, project).code("gold.top") != before
    assert parsed == [b"ZONE = 'CET'\n"]
    cache.write_text("{damaged")
    (project / "silver/zones.py").write_text(CODE["silver/zones.py"])
    assert Fingerprints(cache, project).code("gold.top") == before


def test_parameters_are_part_of_the_fingerprint_and_their_order_is_not(project: Path) -> None:
    def of(**parameters: object) -> str:
        return Fingerprints(project=project).of("gold.top", parameters)

    assert of(a=1, b="x") == of(b="x", a=1)
    assert of(folder=Path("one")) == of(folder=Path("one")) != of(folder=Path("two"))
    assert len({Fingerprints(project=project).of(module, {}) for module in ("gold.top", "silver.names", "silver.zones")}) == 3
    assert len({of(a=1), of(a=2), of(a="1"), of(), of(b=1), of(a={"ann": "UTC"}), of(a={"ann": "Asia/Tokyo"})}) == 7


def described(name: str, comment: str, description: str) -> Table:
    declared = REGISTRY[name]
    first, *others = declared.columns
    return replace(declared, columns=(replace(first, comment=comment), *others), description=description)


def test_description_and_comments_have_a_fingerprint_of_their_own() -> None:
    load()
    listed = [("listener", "One row."), ("a listener", "One row."), ("listener", "A row.")]
    assert len({metadata_fingerprint(described("gold.top_artists", *texts)) for texts in listed}) == len(listed)


def test_real_tables_notice_a_change_in_what_they_share() -> None:
    assert Fingerprints().imported_modules("gold.descriptive.temporal_trends") >= {"music.listening", "music.statistics"}


def test_no_table_takes_more_of_the_kernel_than_its_version() -> None:
    fingerprints = Fingerprints()
    modules = {table.module for table in load().values() if table.module}
    assert len(modules) > 60
    assert not [name for module in modules for name in fingerprints.imported_modules(module) if name.startswith("lakehouse")]


@pytest.mark.parametrize(
    "text",
    [
        "from silver import names, times\n",
        "from silver import (  # both\n    names,  # folded\n    times as clock,\n)\n",
        "import json, silver.names, silver.times as times\n",
        "if True:\n\tfrom silver import names as n, times\n",
        "import json; from silver import names; import silver.times\n",
        "from silver \\\n    import names, times\n",
    ],
)
def test_every_form_of_an_import_is_seen(project: Path, text: str) -> None:
    (project / "gold/top.py").write_text(text)
    assert Fingerprints(project=project).imported_modules("gold.top") >= {"silver.names", "silver.times"}


def test_a_cache_without_a_file_keeps_nothing(project: Path) -> None:
    fingerprints = Fingerprints(project=project)
    fingerprints.code("gold.top")
    before = sorted(project.rglob("*"))
    fingerprints.syntax.write()
    assert sorted(project.rglob("*")) == before


def test_a_cache_is_written_only_when_something_is_new(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"

    def written_by(module: str) -> int:
        """The file after a run that asked for the module; another file has another number."""
        fingerprints = Fingerprints(cache, project)
        fingerprints.code(module)
        fingerprints.syntax.write()
        return cache.stat().st_ino

    first = written_by("silver.times")
    assert written_by("silver.times") == first
    assert written_by("silver.zones") == first
    assert written_by("gold.top") != first


def test_a_module_in_a_package_of_a_package_imports_the_inner_one(project: Path) -> None:
    after_edit(project, "gold/charts/__init__.py", "")
    after_edit(project, "gold/charts/weeks.py", "import json\n")
    imports = Fingerprints(project=project).imported_modules
    assert imports("gold.charts.weeks") == {"gold.charts"}
    assert imports("json") == frozenset()


def test_no_comment_of_a_column_is_part_of_a_fingerprint() -> None:
    comments = {c.comment for declared in load().values() for c in declared.columns if len(c.comment) > 20}
    assert len(comments) > 300
    folders = ("bronze", "silver", "gold", "validators", "ingestion", "music", "features", "models")
    files = [file for folder in folders for file in (PROJECT_ROOT / folder).rglob("*.py")]
    strings = {string for file in files for string in strings_that_count(file)}
    assert sorted(comments & strings) == []


def strings_that_count(file: Path) -> set[str]:
    """The texts of the strings that are part of a module's normalised tree."""
    return {ast.literal_eval(text) for token in tokens(ast.parse(file.read_bytes())) if (text := token.strip())[:1] in ("'", '"')}
