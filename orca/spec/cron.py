"""Whether a text is a cron schedule; running one is the scheduler's business.

Five fields (minute hour day month weekday) or six (seconds first), `*`, lists, ranges, steps, and the
names of months and weekdays.
"""

from __future__ import annotations

import re

from orca import errors

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_ALIASES = {"@hourly", "@daily", "@weekly", "@monthly", "@yearly"}
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("second", 0, 59, []),
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?")


def check(text: str) -> str:
    """`text` itself, when it is a schedule. Raises `errors.UserError` naming the field that is not."""
    if text in _ALIASES:
        return text
    fields = text.split()
    if len(fields) not in (5, 6):
        raise errors.UserError(
            f'a schedule has 5 or 6 fields, not {len(fields)}: "{text}"',
            hint='write "0 0 3 * * *": second, minute, hour, day, month, weekday',
        )
    for value, (name, low, high, names) in zip(fields, _FIELDS[-len(fields) :], strict=True):
        for part in value.split(","):
            if not _valid(part, low, high, names):
                raise errors.UserError(
                    f'the schedule "{text}" has no valid {name}: "{part}"',
                    hint=f"{low} to {high}, or *",
                )
    return text


def _valid(part: str, low: int, high: int, names: list[str]) -> bool:
    found = _PART.fullmatch(part.upper())
    if not found:
        return False
    first, last, step = found.groups()
    if step is not None and int(step) == 0:
        return False
    if first == "*":
        return last is None
    ends = [_number(end, low, names) for end in (first, last) if end is not None]
    return all(low <= end <= high for end in ends) and ends == sorted(ends)


def _number(text: str, low: int, names: list[str]) -> int:
    """The value of a number or name; -1 for anything else."""
    if text in names:
        return names.index(text) + low
    return int(text) if text.isdecimal() else -1
