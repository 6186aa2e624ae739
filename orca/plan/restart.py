"""When a replica whose container died is started again. Pure: the node acts on it.

The first death is answered at once, so that a crash costs milliseconds; further ones in a row wait 1, 2,
4 … 60 seconds. A run of 10 seconds or more ends the row. `max_restarts` bounds the restarts of one row:
a service that crashes once a week is restarted for ever, one that cannot start gives up.
"""

from __future__ import annotations

from dataclasses import dataclass

HEALTHY_SECONDS = 10.0
"""A run this long was a good one."""
BACKOFF_SECONDS_MAX = 60.0
NO_LIMIT = -1


@dataclass(frozen=True, slots=True)
class Restart:
    """Start again after `delay_seconds`; `row` counts the restarts since the last good run."""

    delay_seconds: float
    row: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start again."""

    reason: str


def next_restart(*, row: int, ran_seconds: float, max_restarts: int = NO_LIMIT) -> Restart | GiveUp:
    """What follows a death, after `row` restarts since the last good run."""
    row = 0 if ran_seconds >= HEALTHY_SECONDS else row
    if max_restarts != NO_LIMIT and row >= max_restarts:
        times = "once" if row == 1 else f"{row} times"
        return GiveUp(
            "it may not be restarted (max_restarts = 0)"
            if row == 0
            else f"restarted {times} without staying up for {HEALTHY_SECONDS:.0f} s"
        )
    return Restart(delay_seconds=backoff_seconds(row), row=row + 1)


def backoff_seconds(row: int) -> float:
    """Seconds to wait before restart number `row + 1` of a row: 0, 1, 2, 4 … 60."""
    if row == 0:
        return 0.0
    return min(BACKOFF_SECONDS_MAX, 2.0 ** min(row - 1, 10))
