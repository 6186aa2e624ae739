"""What a plan is made of: frozen steps that can be printed, asserted on, and committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orca.model.ids import ServiceId
from orca.model.replica import Desired, Replica
from orca.model.service import Rollout, RolloutPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReplica:
    """Assign a new replica to a node."""

    replica: Replica
    reason: str

    def describe(self) -> str:
        """In words."""
        r = self.replica
        return f"start {r.service} slot {r.slot}, revision {r.revision}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDesired:
    """Move a replica's desired state on; `replica` is the record as it will be."""

    replica: Replica
    reason: str

    def describe(self) -> str:
        """In words."""
        verb = {Desired.DRAIN: "drain", Desired.STOP: "stop", Desired.RUN: "run"}[
            self.replica.desired
        ]
        r = self.replica
        return f"{verb} {r.service} slot {r.slot}, revision {r.revision}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetReplica:
    """Delete the record of a replica that is no more."""

    replica: Replica

    def describe(self) -> str:
        """In words."""
        return f"forget {self.replica.service} slot {self.replica.slot}: it has stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRollout:
    """Write a rollout's progress or its end."""

    service: ServiceId
    rollout: Rollout

    def describe(self) -> str:
        """In words."""
        match self.rollout.phase:
            case RolloutPhase.PROGRESSING:
                return f"{self.service}: {self.rollout.ready_seen} ready"
            case RolloutPhase.COMPLETE:
                return f"{self.service}: rollout complete"
            case RolloutPhase.FAILED:
                return f"{self.service}: rollout failed: {self.rollout.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetService:
    """Delete a removed service of which nothing runs any more, with its revisions and history."""

    service: ServiceId

    def describe(self) -> str:
        """In words."""
        return f"forget {self.service}: removed"


Step = CreateReplica | SetDesired | ForgetReplica | MoveRollout | ForgetService


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now, what is waited for, and when to look again without any news."""

    steps: tuple[Step, ...] = ()
    waiting: Mapping[ServiceId, str] = field(default_factory=dict)
    """Per service that cannot go on: what it waits for, in words."""
    wake_at: float | None = None
    """Unix seconds; None is "only when something changes"."""
