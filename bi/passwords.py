"""Hashes of passwords, by scrypt: guessing takes 32 MiB of memory for each try.

A hash is written as Werkzeug writes it, `scrypt:N:r:p$SALT$HEX`, so that Superset accepts the same one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

# RFC 7914's costs for log-ins, doubled, as OWASP recommends since 2021: 32 MiB and about 0.1 s.
COST, BLOCK, PARALLEL = 2**15, 8, 1
MEMORY = 132 * COST * BLOCK
LONGEST = 200


def hashed(password: str) -> str:
    """The hash of a password, with a salt of its own."""
    salt = secrets.token_hex(16)
    return f"scrypt:{COST}:{BLOCK}:{PARALLEL}${salt}${_digest(password, salt).hex()}"


def is_right(password: str, stored: str | None) -> bool:
    """Whether the password has this hash. Takes the same time where there is none, so that time tells nobody who has one."""
    method, salt, digest = (stored or f"scrypt:{COST}:{BLOCK}:{PARALLEL}$-$-").split("$")
    if method != f"scrypt:{COST}:{BLOCK}:{PARALLEL}":
        raise ValueError("a stored password has an unknown hash; `lakehouse listener add NAME` replaces it")
    found = _digest(password[:LONGEST], salt).hex()
    return hmac.compare_digest(found, digest) and stored is not None


def _digest(password: str, salt: str) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt.encode(), n=COST, r=BLOCK, p=PARALLEL, maxmem=MEMORY)
