"""What `prepare --containers` writes is what the services of docker-compose.yml look for."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from bi import stack
from bi.secrets import read_env
from bi.settings import BISettings
from tests.containers.test_compose import ROOT, SERVICES, words

SCRIPT = ROOT / "docker" / "with_secrets.sh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bi")
    stack.prepare(BISettings(dir=folder), Path("/lakehouse/own"), containers=True)
    return folder


def test_files_that_services_name_are_there(folder: Path) -> None:
    text = " ".join([*map(str, SERVICES.values()), (ROOT / "docker" / "trino.sh").read_text()])
    named = set(re.findall(r"/bi/([\w./-]+)", text))
    assert named == {"ca.pem", "trino/etc", "trino/data"}
    assert not [name for name in named if not (folder / name).exists()]


def test_trino_gets_every_secret_that_its_configuration_names(folder: Path) -> None:
    files = [path for path in (folder / "trino" / "etc").rglob("*") if path.is_file()]
    wanted = {name for path in files for name in re.findall(r"\$\{ENV:(\w+)\}", path.read_text())}
    given = words(SERVICES["trino"])
    assert wanted == set(given[2 : given.index("--")])


def test_trino_is_found_under_its_service_s_name(folder: Path) -> None:
    certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "trino"} <= set(names.get_values_for_type(x509.DNSName))
    configuration = (folder / "trino" / "etc" / "config.properties").read_text()
    assert "discovery.uri=https://trino:8443\n" in configuration
    assert "8443" in SERVICES["pipeline"]["environment"]["TRINO_URL"]


def test_analysts_tables_are_where_the_postgres_service_is(folder: Path) -> None:
    assert "//postgres:5432/notes\n" in (folder / "trino" / "etc" / "catalog" / "notes.properties").read_text()
    assert not SERVICES["postgres"].get("ports")


def test_secrets_are_closed_files(folder: Path) -> None:
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*") if path.is_file()} == {0}


def test_only_named_secrets_are_handed_on(folder: Path) -> None:
    given = call(folder, "TRINO_SHARED_SECRET", "TRINO_BI_PASSWORD", "--", "env")
    known = read_env(folder / "secrets.env") | read_env(folder / "credentials.env")
    found = dict(line.split("=", 1) for line in given.stdout.splitlines())
    assert {name: found[name] for name in known if name in found} == {
        name: known[name] for name in ("TRINO_SHARED_SECRET", "TRINO_BI_PASSWORD")
    }


def test_a_missing_secret_stops_the_start(folder: Path) -> None:
    refused = call(folder, "NO_SUCH_SECRET", "--", "env")
    assert refused.returncode == 1 and "NO_SUCH_SECRET" in refused.stderr and not refused.stdout


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.defpath, "LAKEHOUSE_BI_DIR": str(folder)}
    return subprocess.run(["sh", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, check=False)  # noqa: S607
