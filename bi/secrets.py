"""Passwords, keys and the certificate: generated once, into files that only their owner can read."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from dotenv import dotenv_values

from bi.settings import BISettings

PASSWORDS = (
    *["TRINO_ETL_PASSWORD", "TRINO_BI_PASSWORD", "TRINO_ANALYST_PASSWORD"],
    *["SUPERSET_ADMIN_PASSWORD", "SUPERSET_LISTENER_PASSWORD", "SUPERSET_ANALYST_PASSWORD"],
)
SERVER_SECRETS = (
    *["TRINO_SHARED_SECRET", "POSTGRES_PASSWORD", "SUPERSET_DB_PASSWORD", "NOTES_DB_PASSWORD"],
    *["SUPERSET_SECRET_KEY", "SUPERSET_GUEST_SECRET"],
)
VALID_DAYS = 825


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once by one that only its owner can read (0600), in a folder that only its owner can enter (0700)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    part.replace(path)


def read_env(path: Path) -> dict[str, str]:
    """KEY=value of a file as they stand; nothing where there is none."""
    return {key: value for key, value in dotenv_values(path, interpolate=False).items() if value is not None}


def credentials(settings: BISettings) -> dict[str, str]:
    """The log-ins, with the servers' addresses as they are here: another container knows them by other names than this machine.

    Empty where there are none yet.
    """
    known = read_env(settings.credentials)
    return {name: os.environ.get(name, value) if name.endswith("_URL") else value for name, value in known.items()}


def write_env(path: Path, values: Mapping[str, str]) -> None:
    """Write KEY=value lines to a private file, unless they are there already."""
    if read_env(path) != dict(values):
        write_private(path, "".join(f"{key}={value}\n" for key, value in values.items()).encode())
    path.chmod(0o600)


def prepare(settings: BISettings, lakehouse: Path) -> None:
    """Generate what is missing of passwords, secrets and certificate; what is there stays. Idempotent.

    The credentials name the lakehouse that the stack shows (TRINO_LAKEHOUSE): runs over another do not register theirs.
    """
    settings.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Root runs Postgres as another user, who has to pass through; every secret in there is closed by itself.
    settings.dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    if not (settings.certificate.is_file() and settings.key_and_certificate.is_file()):
        _make_certificate(settings)
    places = {
        "TRINO_URL": f"https://localhost:{settings.trino_port}",
        "TRINO_CA": str(settings.certificate),
        "TRINO_LAKEHOUSE": str(lakehouse),
        "SUPERSET_URL": f"http://localhost:{settings.superset_port}",
    }
    known = read_env(settings.credentials)
    write_env(
        settings.credentials,
        places
        | {name: known.get(name) or secrets.token_urlsafe(24) for name in PASSWORDS}
        | {key: value for key, value in known.items() if key not in places and key not in PASSWORDS},
    )
    known = read_env(settings.secrets)
    write_env(settings.secrets, {name: known.get(name) or secrets.token_urlsafe(42) for name in SERVER_SECRETS})


def _make_certificate(settings: BISettings) -> None:
    """A self-signed certificate for localhost and the configured names, valid for VALID_DAYS."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName(each) for each in ("localhost", *settings.names)]
    now = dt.datetime.now(dt.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([*names, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(settings.key_and_certificate, private + certificate)
    write_private(settings.certificate, certificate)
