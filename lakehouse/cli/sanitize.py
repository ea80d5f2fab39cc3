"""What text from outside may hold that a terminal or a spreadsheet would act upon."""

from __future__ import annotations

import re

# Control characters, and those that turn the direction of writing.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection).
FORMULA = r"^[=+\-@\t\r]"
