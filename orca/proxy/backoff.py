"""Growing pauses between attempts, with jitter."""

from __future__ import annotations

import random


class Backoff:
    """Each pause is up to twice the one before it, and at least half of what it could be."""

    def __init__(self, *, first_seconds: float, seconds_max: float, seed: str) -> None:
        self._first = first_seconds
        self._max = seconds_max
        self._next = first_seconds
        self._random = random.Random(seed)  # noqa: S311  jitter is no secret

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        seconds = self._next * self._random.uniform(0.5, 1.0)
        self._next = min(self._next * 2, self._max)
        return seconds

    def reset(self) -> None:
        """An attempt went well: start over."""
        self._next = self._first
