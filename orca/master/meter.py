"""Where the leader says how long its work took. It keeps nothing; a program that measures listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _unheard(_seconds: float) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Each is told the seconds of one piece of work."""

    planned: Callable[[float], None] = _unheard
    """One plan was computed."""
    committed: Callable[[float], None] = _unheard
    """One plan with steps was committed, all of it."""
