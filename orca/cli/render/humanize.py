"""Durations, ages, times and sizes as people say them."""

from __future__ import annotations

from datetime import datetime, tzinfo

_STEPS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))
_SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def duration(seconds: float) -> str:
    """One or two significant digits of the largest fitting unit: `0.4 s`, `12 s`, `3 min`, `5 d`."""
    seconds = max(seconds, 0.0)
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{int(seconds / size)} {unit}"
    return f"{seconds:.1f} s" if 0 < seconds < 1 else f"{int(seconds)} s"


def age(since: float, now: float) -> str:
    """How long ago `since` was; `-` when it never was."""
    return duration(now - since) if since else "-"


def ago(since: float, now: float) -> str:
    """The same in a sentence."""
    return f"{age(since, now)} ago" if since else "never"


def moment(at: float, zone: tzinfo | None = None) -> str:
    """A point in time to the second, in the user's time zone unless one is given."""
    return datetime.fromtimestamp(at, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def size(count_bytes: int) -> str:
    """A size in binary units."""
    for unit_bytes, unit in _SIZES:
        if count_bytes >= unit_bytes:
            return f"{count_bytes / unit_bytes:.1f} {unit}"
    return f"{count_bytes} B"


def plural(count: int, noun: str) -> str:
    """`1 replica`, `2 replicas`, `0 replicas`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
