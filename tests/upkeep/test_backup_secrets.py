"""Secrets leave the machine encrypted only, and come back with the right passphrase only."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.cli.errors import UsageError
from upkeep.backup_content import Source
from upkeep.backup_secrets import opened, read_passphrase, sealed
from upkeep.backup_store import BackupError

PASSPHRASE = b"correct horse"


@pytest.fixture
def secret(tmp_path: Path) -> Source:
    (tmp_path / "token.json").write_bytes(b"refresh-token")
    return Source("state", "tokens/token.json", tmp_path / "token.json")


def test_what_was_sealed_comes_back_with_the_passphrase(secret: Source) -> None:
    content = sealed([secret], PASSPHRASE)
    assert b"refresh-token" not in content
    assert b"token.json" not in content
    assert opened(content, PASSPHRASE) == {"tokens/token.json": b"refresh-token"}
    assert sealed([secret], PASSPHRASE) != content


def test_another_passphrase_and_a_changed_content_are_refused(secret: Source) -> None:
    content = sealed([secret], PASSPHRASE)
    with pytest.raises(BackupError, match="cannot be read with that passphrase"):
        opened(content, b"correct hearse")
    with pytest.raises(BackupError):
        opened(content[:-1] + bytes([content[-1] ^ 1]), PASSPHRASE)
    with pytest.raises(BackupError, match="damaged"):
        opened(b"{}", PASSPHRASE)


def test_a_passphrase_is_the_first_line_of_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    with pytest.raises(UsageError, match="does not exist"):
        read_passphrase(path)
    path.write_bytes(PASSPHRASE + b"\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        read_passphrase(path)
    path.chmod(0o600)
    assert read_passphrase(path) == PASSPHRASE
    path.write_bytes(b"short\n")
    with pytest.raises(UsageError, match="fewer than 8"):
        read_passphrase(path)
