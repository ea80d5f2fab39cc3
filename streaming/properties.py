"""The private properties file: what a client needs to log in to Kafka, passed through to librdkafka, and shown nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from polling.redaction import Redaction
from streaming.errors import StreamError

PREFIXES = ("security.", "sasl.", "ssl.", "enable.ssl.", "enable.sasl.", "https.")
# Names that only Java's clients know, and what to write instead.
JAVA_ONLY = {
    "sasl.jaas.config": "sasl.username and sasl.password",
    "ssl.truststore.location": "ssl.ca.location (PEM)",
    "ssl.truststore.password": "ssl.ca.location (PEM)",
}
# Values of these are words that everybody knows; hiding them would blacken the log.
OPEN = ("security.protocol", "sasl.mechanism", "sasl.mechanisms", "ssl.endpoint.identification.algorithm")
SHORTEST_SECRET = 4
LINE = re.compile(r"\s*([A-Za-z0-9._-]+)\s*[=:]\s*(.*?)\s*")


def read_properties(path: Path | None) -> dict[str, str]:
    """The properties of a file, `name=value` a line. Raises StreamError with the remedy; no message holds a value."""
    if path is None:
        return {}
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StreamError(f"{path} cannot be read ({_reason(error)}): LAKEHOUSE_KAFKA_CONFIG names it") from None
    if mode & 0o077:
        raise StreamError(f"others may read {path}, which holds secrets: chmod 600 {path}")
    properties = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        if (match := LINE.fullmatch(line)) is None:
            raise StreamError(f"{path}, line {number} is no property: write name=value")
        properties[match[1]] = match[2]
    for name in properties:
        if name in JAVA_ONLY:
            raise StreamError(f"{path}: {name} is for Java's clients: write {JAVA_ONLY[name]}")
        if not name.startswith(PREFIXES):
            raise StreamError(f"{path}: {name} cannot be set there; the file takes security.*, sasl.* and ssl.* only")
    return properties


def redaction(properties: Mapping[str, str]) -> Redaction:
    """Hides the values of the properties in a text."""
    return Redaction.of(value for name, value in properties.items() if name not in OPEN and len(value) >= SHORTEST_SECRET)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "it cannot be opened" if isinstance(error, OSError) else "it is not UTF-8"
