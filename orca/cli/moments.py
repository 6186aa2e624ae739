"""Points in time as people type them."""

from __future__ import annotations

import re
from datetime import datetime

from orca import errors

_UNITS_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_RELATIVE = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d)")


def parse_since(text: str, *, now: float) -> float:
    """Unix seconds, from `15m` (ago), an ISO 8601 time (local unless it says), or unix seconds.

    Raises `errors.UserError`.
    """
    if _RELATIVE.sub("", text) == "" and text:
        parts = _RELATIVE.findall(text)
        return now - sum(float(number) * _UNITS_SECONDS[unit] for number, unit in parts)
    if re.fullmatch(r"\d{9,}(\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise errors.UserError(
            f"{text!r} is not a time.", hint="Say 90s, 15m, 2h, 3d, or 2026-01-31T12:00."
        ) from error
