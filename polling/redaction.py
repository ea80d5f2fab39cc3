"""Secrets are taken out of every text that may be seen: messages of errors, and what libraries log of addresses."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"


@dataclass(frozen=True)
class Redaction:
    """Replaces secrets in texts, as they are and as they stand in an address. Two of the same secrets are equal."""

    forms: tuple[str, ...]

    @classmethod
    def of(cls, secrets: Iterable[str]) -> Redaction:
        """Empty secrets are left out."""
        forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""), quote_plus(secret))}
        # The longest first, so that no part of one stays behind another.
        return cls(tuple(sorted(forms, key=lambda form: (-len(form), form))))

    def __call__(self, text: str) -> str:
        for form in self.forms:
            text = text.replace(form, HIDDEN)
        return text


class _HideKeys(logging.Filter):
    """Rewrites records that hold a secret; those of all clients of this process, as the logger is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.redactions: set[Redaction] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = shown = record.getMessage()
        for redaction in tuple(self.redactions):
            shown = redaction(shown)
        if shown != text:
            record.msg, record.args = shown, ()
        return True


_HIDE_KEYS = _HideKeys()


def hide_in_logs(redaction: Redaction) -> None:
    """urllib3 logs whole addresses, at DEBUG each and at WARNING those with damaged headers: without this secret from now on."""
    _HIDE_KEYS.redactions.add(redaction)
    for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(_HIDE_KEYS)
