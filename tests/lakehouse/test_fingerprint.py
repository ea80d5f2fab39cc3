"""The fingerprint of a table: what makes it change, and what does not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse.plan import fingerprint
from lakehouse.plan.fingerprint import code_fingerprint, imported_modules, module_file
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
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(fingerprint, "PROJECT_ROOT", tmp_path)
    for name, code in CODE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    forget()
    yield tmp_path
    forget()


def forget() -> None:
    """A process reads a module once; another run is another process."""
    for function in (fingerprint.module_file, fingerprint.imported_modules, fingerprint.code_fingerprint):
        function.cache_clear()


def after_edit(project: Path, name: str, code: str) -> str:
    (project / name).write_text(code)
    forget()
    return code_fingerprint("gold.top")


def test_imports_of_the_project_are_found_wherever_they_stand(project: Path) -> None:
    assert imported_modules("gold.top") == {"gold", "silver", "silver.names", "silver.times"}
    assert imported_modules("silver.times") == {"silver", "silver.zones"}


@pytest.mark.parametrize("name", ["gold/top.py", "silver/names.py", "silver/times.py", "silver/zones.py", "silver/__init__.py"])
def test_a_change_in_the_module_or_anything_it_reaches_changes_the_fingerprint(project: Path, name: str) -> None:
    before = code_fingerprint("gold.top")
    assert after_edit(project, name, CODE[name] + "\nCHANGED = 1\n") != before
    assert after_edit(project, name, CODE[name]) == before


def test_a_change_elsewhere_leaves_the_fingerprint_alone(project: Path) -> None:
    before = code_fingerprint("gold.top")
    assert after_edit(project, "silver/unrelated.py", "CHANGED = 1\n") == before
    assert after_edit(project, "silver/new.py", "NEW = 1\n") == before


def test_modules_that_import_each_other_have_a_fingerprint(project: Path) -> None:
    assert after_edit(project, "silver/zones.py", "import gold.top\n") != ""


def test_parameters_are_part_of_the_fingerprint_and_their_order_is_not(project: Path) -> None:
    def of(**parameters: object) -> str:
        return fingerprint.fingerprint("gold.top", parameters)

    assert of(a=1, b="x") == of(b="x", a=1)
    assert len({of(a=1), of(a=2), of(a="1"), of(), of(b=1), of(a={"ann": "UTC"}), of(a={"ann": "Asia/Tokyo"})}) == 7


def test_real_tables_notice_a_change_in_what_they_share() -> None:
    reached = {"music.listening", "lakehouse.declare"}
    assert reached & imported_modules("gold.descriptive.top_artists")


def parsed_imports(module: str) -> set[str]:
    """What Python's own parser finds imported."""
    path = module_file(module)
    assert path is not None
    names = {module.rpartition(".")[0]}
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name and module_file(name) and name != module}


def test_no_import_of_the_project_is_missed() -> None:
    folders = ("lakehouse", "ingestion", "bronze", "silver", "gold", "models", "recommenders", "synthetic", "tests", "bi")
    files = [file for folder in folders for file in (PROJECT_ROOT / folder).rglob("*.py")]
    modules = [".".join(file.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    assert len(modules) > 200
    missed = {module: parsed_imports(module) - imported_modules(module) for module in modules}
    assert [module for module, names in missed.items() if names] == []


@pytest.mark.parametrize(
    "text",
    [
        "from silver import names, times\n",
        "from silver import (  # both\n    names,  # folded\n    times as clock,\n)\n",
        "import json, silver.names, silver.times as times\n",
        "if True:\n\tfrom silver import names as n, times\n",
    ],
)
def test_every_form_of_an_import_is_seen(project: Path, text: str) -> None:
    (project / "gold/top.py").write_text(text)
    forget()
    assert imported_modules("gold.top") >= {"silver.names", "silver.times"}
    assert imported_modules("gold.top") == parsed_imports("gold.top")
