"""Events and deployment records: what happened, for people and for bridges."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orca.model.ids import RevisionNumber, ServiceId


class Level(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    at: float
    """Unix seconds."""
    kind: str
    """Dotted machine name: `rollout.failed`, `replica.restarted` …"""
    message: str
    level: Level = Level.INFO
    service: ServiceId | None = None
    replica: str = ""
    node: str = ""
    rollout: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One line of a service's history: who moved it where, and how that ended."""

    id: str
    """The rollout's id."""
    service: ServiceId
    kind: str
    """`deploy`, `rollback`, `restart`."""
    from_revision: RevisionNumber
    to_revision: RevisionNumber
    at: float
    by: str = ""
    outcome: str = "progressing"
    finished_at: float = 0.0
    reason: str = ""
