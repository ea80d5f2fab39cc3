"""Trino's configuration files for this machine and for containers, the Java that runs it, and where a run finds it."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from bi import secrets, stack
from bi.install import PLUGINS
from bi.process import StackError
from bi.settings import BISettings, problems_of
from bi.trino.configuration import Place, fingerprint, render
from bi.trino.java import java_home
from bi.trino.registration import access_for, is_shown
from lakehouse.plan import graph

TABLES = graph.load()
NO_SETTINGS: dict[str, str] = {}


@pytest.fixture
def settings(tmp_path: Path) -> BISettings:
    found = BISettings(dir=tmp_path / "bi")
    secrets.prepare(found, tmp_path / "lakehouse")
    return found


def rendered(settings: BISettings, place: Place) -> dict[str, str]:
    render(settings, place, TABLES)
    etc = settings.dir / "trino" / "etc"
    return {str(path.relative_to(etc)): path.read_text() for path in sorted(etc.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("kind", ["native", "containers"])
def test_every_place_in_the_templates_is_filled_in(settings: BISettings, kind: str) -> None:
    files = rendered(settings, Place.native(settings) if kind == "native" else Place.container())
    assert {"config.properties", "jvm.config", "catalog/lakehouse.properties", "rules.json", "password.db"} <= files.keys()
    # The analysts' passwords come from the environment alone.
    known = {**secrets.read_env(settings.credentials), **secrets.read_env(settings.secrets)}
    values = [value for key, value in known.items() if "PASSWORD" in key or "SECRET" in key]
    for name, text in files.items():
        assert "@{" not in text
        assert "#" not in text or not name.endswith((".config", ".properties"))
        assert not [value for value in values if value in text], name
    assert {stat.S_IMODE(p.stat().st_mode) for p in (settings.dir / "trino" / "etc").rglob("*") if p.is_file()} == {0o600}


def test_on_this_machine_it_listens_on_this_machine_only(settings: BISettings) -> None:
    files = rendered(settings, Place.native(settings))
    assert "node.bind-ip=127.0.0.1\n" in files["node.properties"]
    assert "http-server.http.enabled=false\n" in files["config.properties"]
    assert f"{settings.dir}/server.pem" in files["config.properties"]
    assert "127.0.0.1:5433/notes" in files["catalog/notes.properties"]


def test_in_containers_paths_and_names_are_theirs(settings: BISettings) -> None:
    files = rendered(settings, Place.container())
    for text in files.values():
        assert str(settings.dir) not in text
    assert "discovery.uri=https://trino:8443\n" in files["config.properties"]
    assert "jdbc:postgresql://postgres:5432/notes" in files["catalog/notes.properties"]
    plugins = settings.dir / "trino" / "plugin"
    assert {path.name: str(path.readlink()) for path in plugins.iterdir()} == {p: f"/usr/lib/trino/plugin/{p}" for p in PLUGINS}


def test_prepare_for_containers_makes_the_certificate_out_to_trino_too(tmp_path: Path) -> None:
    from cryptography import x509

    settings = BISettings(dir=tmp_path / "bi")
    stack.prepare(settings, tmp_path / "lakehouse", containers=True)
    certificate = x509.load_pem_x509_certificate(settings.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "trino"]


def test_rendering_again_changes_nothing_and_settings_change_the_fingerprint(settings: BISettings) -> None:
    files = rendered(settings, Place.native(settings))
    before = fingerprint(settings)
    assert rendered(settings, Place.native(settings)) == files
    assert fingerprint(settings) == before
    more = settings.model_copy(update={"trino_memory": "3G"})
    assert "-Xmx3G\n" in rendered(more, Place.native(more))["jvm.config"]
    assert fingerprint(settings) != before


def test_only_the_catalog_that_everyone_reads_is_read_only_and_s3_is_added_to_both(settings: BISettings) -> None:
    files = rendered(settings, Place.native(settings))
    assert "delta.security=READ_ONLY\n" in files["catalog/lakehouse.properties"]
    assert "s3." not in files["catalog/lakehouse.properties"]
    more = settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:7070"})
    files = rendered(more, Place.native(more))
    for name in ("lakehouse", "lakehouse_etl"):
        assert "s3.endpoint=http://127.0.0.1:7070\n" in files[f"catalog/{name}.properties"]
        assert "s3.aws-secret-key=${ENV:LAKEHOUSE_S3_SECRET_KEY}\n" in files[f"catalog/{name}.properties"]


def java(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").write_text("")
    (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return folder


def test_the_newest_fitting_java_is_found(tmp_path: Path) -> None:
    java(tmp_path / "old", "1.8.0_402")
    java(tmp_path / "middle", "24.0.1")
    newest = java(tmp_path / "new", "25")
    usual = (f"{tmp_path}/*",)
    assert java_home(NO_SETTINGS, usual) == newest
    assert java_home({"JAVA_HOME": str(tmp_path / "middle")}, usual) == tmp_path / "middle"
    assert java_home({"JAVA_HOME": str(tmp_path / "old")}, usual) == newest
    assert java_home({"JAVA_HOME": "/nowhere", "TRINO_JAVA_HOME": str(tmp_path / "middle")}, usual) == tmp_path / "middle"


def test_no_fitting_java_is_told_with_what_was_found(tmp_path: Path) -> None:
    java(tmp_path / "old", "17.0.2")
    with pytest.raises(StackError, match=r"needs Java 24 or later \(found: 17 in .*/old\).*TRINO_JAVA_HOME"):
        java_home(NO_SETTINGS, (f"{tmp_path}/*",))
    with pytest.raises(StackError, match=r"TRINO_JAVA_HOME=.*/old is not Java 24"):
        java_home({"TRINO_JAVA_HOME": str(tmp_path / "old")}, ())


def test_a_run_finds_the_trino_of_its_own_lakehouse_only(settings: BISettings, tmp_path: Path) -> None:
    environment = {"LAKEHOUSE_BI_DIR": str(settings.dir)}
    found = access_for(tmp_path / "lakehouse", environment)
    assert found is not None
    assert found.url == "https://localhost:8443"
    assert found.location == f"local://{tmp_path}/lakehouse"
    assert access_for(tmp_path / "other", environment) is None
    assert (is_shown(tmp_path / "lakehouse", environment), is_shown(tmp_path / "other", environment)) == (True, False)
    assert access_for(tmp_path / "lakehouse", {"LAKEHOUSE_BI_DIR": str(tmp_path / "none")}) is None
    named = access_for(tmp_path / "lakehouse", environment | {"TRINO_URL": "https://trino:1", "TRINO_LOCATION": "s3://lake/x/"})
    assert named is not None
    assert (named.url, named.location) == ("https://trino:1", "s3://lake/x")


def test_a_port_that_is_taken_is_told_with_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert stack.port_problem("Trino", port, "TRINO") == [
            f"port {port}, which Trino needs, is in use; set LAKEHOUSE_BI_TRINO_PORT to a free one"
        ]
    assert stack.port_problem("Trino", port, "TRINO") == []


@pytest.mark.parametrize("folder", ["/a" * 50, "/tmp/a b", "/tmp/a'b", "/tmp/a\nb"])  # noqa: S108
def test_folders_that_the_servers_cannot_have_are_refused(folder: str) -> None:
    with pytest.raises(ValidationError):
        BISettings(dir=Path(folder))


def test_the_postgres_script_names_no_password() -> None:
    text = (Path(__file__).parents[2] / "postgres" / "init.sql").read_text()
    assert re.findall(r"PASSWORD (\S+)", text) == [":'owner_password';", ":'superset_password';", ":'notes_password';"]


def test_two_servers_cannot_have_one_port() -> None:
    with pytest.raises(ValidationError, match="three different ports"):
        BISettings(trino_port=9000, superset_port=9000)


def test_a_wrong_setting_is_told_by_the_name_it_is_set_by() -> None:
    with pytest.raises(ValidationError) as raised:
        BISettings(trino_port=80)
    assert problems_of(raised.value)[0].startswith("LAKEHOUSE_BI_TRINO_PORT: ")
