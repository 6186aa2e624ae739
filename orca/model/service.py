"""Services, their immutable revisions and the rollout that moves between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orca.model.container import ContainerSpec
from orca.model.ids import NO_REVISION, RevisionNumber, ServiceId


class UpdateOrder(StrEnum):
    """What comes first when a replica is replaced."""

    AUTO = "auto"
    """Start-first, unless two copies cannot coexist."""
    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePolicy:
    """How a rollout moves."""

    order: UpdateOrder = UpdateOrder.AUTO
    max_unavailable: int = 1
    """Replicas that may be missing at once when stopping first."""
    max_surge: int = 1
    """Replicas that may be extra at once when starting first."""
    progress_deadline_seconds: float = 300.0
    """A rollout without progress for this long has failed."""
    min_ready_seconds: float = 2.0
    """A newcomer is available once it has been ready this long without a restart."""
    drain_seconds: float = 30.0
    """Longest wait for in-flight requests before a replica is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where replicas may run."""

    node: str = ""
    """Name of the one node allowed; empty is any."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """What the proxy sends to the service."""

    domains: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("/",)
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSpec:
    """All that a revision fixes. The number of replicas is not part of it: scaling is no new version."""

    container: ContainerSpec
    ingress: Ingress = field(default_factory=Ingress)
    update: UpdatePolicy = field(default_factory=UpdatePolicy)
    placement: Placement = field(default_factory=Placement)
    depends_on: tuple[ServiceId, ...] = ()
    secret_versions: Mapping[str, int] = field(default_factory=dict)
    """`scope/NAME` → version at deploy time: a rotated secret makes a redeploy a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One numbered, immutable version of a service's resolved spec."""

    service: ServiceId
    number: RevisionNumber
    spec: RevisionSpec
    spec_hash: str
    created_at: float
    """Unix seconds."""
    created_by: str = ""
    trace: str = ""
    """W3C traceparent of the deploy that made it."""


class RolloutPhase(StrEnum):
    """Where the movement to the target stands."""

    PROGRESSING = "progressing"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The movement of a service to its target. Written by the API when it begins, then by the leader."""

    id: str
    phase: RolloutPhase = RolloutPhase.PROGRESSING
    started_at: float = 0.0
    progressed_at: float = 0.0
    """Unix seconds of the last step forward; the progress deadline counts from here."""
    finished_at: float = 0.0
    ready_seen: int = 0
    """The most newcomers that were ready at once: more of them is progress."""
    reason: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the user wants of one service now.

    Every rollout, also a restart of the same revision, has a generation of its own: replicas of another
    generation are what it replaces.
    """

    id: ServiceId
    revision: RevisionNumber
    generation: int = 1
    last_generation: int = 1
    """The highest generation ever given: one that was abandoned is not given again."""
    version: int = 0
    """How often users have moved it. What the leader writes leaves it as it is."""
    replicas: int = 1
    stopped: bool = False
    removed: bool = False
    """Stop everything, then forget the service."""
    stable: RevisionNumber = NO_REVISION
    """The last revision whose rollout completed; 0 is none yet."""
    stable_generation: int = 0
    """The generation of that rollout."""
    rollout: Rollout
