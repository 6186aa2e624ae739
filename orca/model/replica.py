"""Replicas: what the leader assigned (desired) and what a node says of it (observed).

The two halves have different owners and different types. States are ordered and never go back: a
restart in place raises the attempt number, a replacement is a new replica.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId


class ReplicaState(IntEnum):
    """Where a replica stands in its life, as its node observes it."""

    PENDING = 0
    ASSIGNED = 1
    PULLING = 2
    CREATING = 3
    STARTING = 4
    RUNNING = 5
    STOPPING = 6
    STOPPED = 7
    FAILED = 8
    LOST = 9

    @property
    def label(self) -> str:
        """The state's name as people read it."""
        return self.name.lower()

    @property
    def is_final(self) -> bool:
        """Whether no container will ever run under this replica's id again."""
        return self >= ReplicaState.STOPPED


def can_follow(before: ReplicaState, after: ReplicaState, *, new_attempt: bool) -> bool:
    """Whether a replica may move from one state to another.

    Within an attempt states only rise. A new attempt begins again at `PULLING` or later, but only while
    the replica is neither stopping nor final.
    """
    if before.is_final:
        return False
    if new_attempt:
        return before < ReplicaState.STOPPING and after >= ReplicaState.PULLING
    return after >= before


class Desired(StrEnum):
    """What the leader wants of a replica; moves only to the right."""

    RUN = "run"
    DRAIN = "drain"
    """Keep running, take no new requests."""
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One copy of a revision on one node, as the leader assigned it."""

    id: ReplicaId
    service: ServiceId
    revision: RevisionNumber
    generation: int
    slot: int
    node: NodeId
    epoch: Epoch
    """Epoch of the leader that created it."""
    desired: Desired = Desired.RUN
    created_at: float = 0.0
    drain_until: float = 0.0
    """Unix seconds after which a draining replica is stopped whatever it still serves."""
    reason: str = ""
    """Why it is in its desired state, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """What a node says of one replica. Never stored: re-sent whole on every connect."""

    replica: ReplicaId
    state: ReplicaState
    ready: bool = False
    available: bool = False
    """Ready for its rollout's `min_ready_seconds` without a break, and then seen to run by a fresh look."""
    attempt: int = 1
    restarts: int = 0
    """Restarts in place so far."""
    container_id: str = ""
    container_name: str = ""
    address: str = ""
    """IP address that the proxy on the same node reaches."""
    port: int = 0
    reason: str = ""
    exit_code: int = -1
    """Of the last attempt that ended; -1 when none has."""
    oom_killed: bool = False
    last_lines: tuple[str, ...] = ()
    """Last log lines of the last attempt that ended."""
    started_at: float = 0.0
    changed_at: float = 0.0
    """Unix seconds, the node's clock."""
    next_restart_at: float = 0.0
    """Unix seconds of the next restart while backing off, else 0."""
    permanent: bool = False
    """Failed in a way that trying again cannot mend (image missing, command not found)."""
