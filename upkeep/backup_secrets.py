"""Secrets in a backup: one content, encrypted with a key that a passphrase gives."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakehouse.cli.errors import UsageError
from upkeep.backup_content import Source
from upkeep.backup_store import BackupError

FORMAT = "listening-lakehouse/secrets/1"
# Parameters of RFC 7914 for files, of about 0.1 s and 32 MB: each guess at the passphrase costs as much.
COST, BLOCK, PARALLEL = 2**15, 8, 1
KEY_BYTES, SALT_BYTES, NONCE_BYTES = 32, 16, 12
MOST_MEMORY = 128 * 1024 * 1024
SHORTEST = 8


def read_passphrase(path: Path) -> bytes:
    """The first line of a private file. Raises UsageError for one that others can read, or that holds no passphrase."""
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise UsageError(f"other users of this machine can read {path}: chmod 600 {path}")
        line = path.read_bytes().split(b"\n", 1)[0].strip()
    except FileNotFoundError:
        raise UsageError(f"the passphrase file {path} does not exist") from None
    if len(line) < SHORTEST:
        raise UsageError(f"the passphrase in {path} has fewer than {SHORTEST} characters")
    return line


def sealed(files: Iterable[Source], passphrase: bytes) -> bytes:
    """The files' paths and contents, encrypted: a line of JSON with what is needed to read it, and the ciphertext."""
    content = {file.path: base64.b64encode(file.place.read_bytes()).decode() for file in files}
    salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
    header = {"format": FORMAT, "salt": salt.hex(), "nonce": nonce.hex(), "n": COST, "r": BLOCK, "p": PARALLEL}
    line = json.dumps(header).encode() + b"\n"
    return line + AESGCM(_key(passphrase, header)).encrypt(nonce, json.dumps(content).encode(), line)


def opened(content: bytes, passphrase: bytes) -> dict[str, bytes]:
    """The contents by path. Raises BackupError for another passphrase, or what is damaged."""
    line, _, sealed_text = content.partition(b"\n")
    try:
        header = json.loads(line)
        if header["format"] != FORMAT or (header["n"], header["r"], header["p"]) != (COST, BLOCK, PARALLEL):
            raise ValueError("it was written by another version")
        plain = AESGCM(_key(passphrase, header)).decrypt(bytes.fromhex(header["nonce"]), sealed_text, line + b"\n")
        return {str(path): base64.b64decode(text) for path, text in json.loads(plain).items()}
    except InvalidTag:
        raise BackupError("the secrets of this backup cannot be read with that passphrase") from None
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"the secrets of this backup are damaged: {error}") from error


def _key(passphrase: bytes, header: dict[str, Any]) -> bytes:
    salt = bytes.fromhex(header["salt"])
    return hashlib.scrypt(passphrase, salt=salt, n=COST, r=BLOCK, p=PARALLEL, maxmem=MOST_MEMORY, dklen=KEY_BYTES)
