"""What a replica's actor is told, and what it tells the agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orca import errors
from orca.model.ids import ReplicaId
from orca.model.replica import ReplicaStatus
from orca.node.replica.tasks import Task
from orca.node.runtime import ContainerEvent
from orca.rpc.messages import Assignment

# --- what it is told ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Want:
    """What the leader wants now."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Dismiss:
    """The leader knows this replica no more: take it down."""

    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the container again; `event` is what made somebody think so."""

    event: ContainerEvent | None = None


@dataclass(frozen=True, slots=True)
class DockerAway:
    """Docker does not answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class DockerBack:
    """Docker answers."""


@dataclass(frozen=True, slots=True)
class TaskDone:
    """A task of its own ended well."""

    task: Task
    outcome: Any = None


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """A task of its own ended with an error."""

    task: Task
    error: errors.OrcaError


ReplicaMessage = Want | Dismiss | Look | DockerAway | DockerBack | TaskDone | TaskFailed

# --- what it tells ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """Its status changed."""

    status: ReplicaStatus


@dataclass(frozen=True, slots=True)
class Surveyed:
    """It knows where it stands since it was started: its status may be believed."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing of it is left on this host."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True)
class Suspect:
    """Docker did not answer it."""

    reason: str


ReplicaNews = Changed | Surveyed | Gone | Suspect
