"""What a replica's actor is told, and what it tells the agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orca import errors
from orca.model.ids import ReplicaId
from orca.model.replica import ReplicaStatus
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
class StepDone:
    """A step ended well."""

    step: str
    outcome: Any


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step ended with an error."""

    step: str
    error: errors.OrcaError


@dataclass(frozen=True, slots=True)
class Due:
    """It is time for something: `probe:<name>`, `retry`, `settled`, `name`, `listen`."""

    what: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A probe was answered; `error` when nothing was learned."""

    name: str
    attempt: int
    reason: str = ""
    error: errors.OrcaError | None = None


ReplicaMessage = (
    Want | Dismiss | Look | DockerAway | DockerBack | StepDone | StepFailed | Due | Answer
)

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
