"""What master, node and proxy say to each other, as the programs see it.

These are the domain's own types; `convert.py` turns them into protobuf and back, so that nothing above
this package ever meets a `_pb2` class. Every message from a master carries its epoch: the receiver
refuses one that is lower than the highest it has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orca.model.container import ContainerSpec, PullPolicy
from orca.model.ids import CommandId, Epoch, NodeId, ProxyId, ReplicaId
from orca.model.node import NodeFacts
from orca.model.replica import Replica, ReplicaStatus
from orca.model.route import Backend, Route

# --- node → master ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHello:
    """First message of a session: identity, facts, and every replica with its state."""

    node: NodeId
    name: str
    epoch: Epoch
    """Highest epoch this node has seen."""
    lineage: str = ""
    """The state whose orders it follows, from the last welcome; empty before the first."""
    facts: NodeFacts
    statuses: tuple[ReplicaStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """Replicas whose status changed, and replicas of which nothing is left on the node."""

    statuses: tuple[ReplicaStatus, ...] = ()
    gone: tuple[ReplicaId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Proof that the stream delivers. Answered by an acknowledgement with the same number."""

    sequence: int
    facts: NodeFacts | None = None
    """Set when the facts changed since they were last sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDone:
    """The outcome of a command. `error` is empty on success."""

    command: CommandId
    error_kind: str = ""
    error: str = ""
    hint: str = ""
    image_id: str = ""
    """Of `ResolveImage`: what the image resolved to."""


NodeMessage = NodeHello | StatusReport | Heartbeat | CommandDone

# --- master → node ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The answer to a hello."""

    epoch: Epoch
    cluster: str
    lineage: str = ""
    """Names the state in etcd. Epochs compare only within one: a store that was lost begins anew."""
    heartbeat_seconds: float
    """The node sends a heartbeat this often and gives the session up after three unanswered ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One replica the node has to bring to its desired state."""

    replica: Replica
    container: ContainerSpec
    """With secrets resolved: never to be stored or logged."""
    spec_hash: str
    secret_files: Mapping[str, str] = field(default_factory=dict)
    """Contents of `/run/secrets/<name>`."""
    min_ready_seconds: float = 0.0
    """How long it has to be ready before the node may call it available."""
    settled_name: bool = False
    """Whether the replica may take its slot's name, `orca-<service>[-<slot>]`."""
    blocked: str = ""
    """Why no container may be created now (a secret cannot be opened); an existing one stays."""
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignments:
    """What the node has to run. A complete set means: anything of this cluster not in it is an orphan."""

    epoch: Epoch
    complete: bool
    assignments: tuple[Assignment, ...] = ()
    forgotten: tuple[ReplicaId, ...] = ()
    """Only in increments: replicas the node need no longer report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveImage:
    """Find out what an image is, pulling it first where the policy says so. Answered by `CommandDone`."""

    command: CommandId
    epoch: Epoch
    image: str
    pull: PullPolicy
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsRequest:
    """Log lines of one replica."""

    replica: ReplicaId
    follow: bool = False
    tail: int = -1
    """Lines from the end; -1 is all."""
    since: float = 0.0
    """Unix seconds; 0 is the beginning."""
    previous: bool = False
    """The attempt, or the replica in the same slot, before the present one."""
    timestamps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """A command inside a running replica."""

    replica: ReplicaId
    command: tuple[str, ...]
    tty: bool = False
    stdin: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    columns: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStream:
    """Ask the node to dial a bulk stream: `stream` is the ticket it presents there."""

    stream: str
    epoch: Epoch
    logs: LogsRequest | None = None
    exec: ExecRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatAck:
    """The stream delivers in both directions."""

    sequence: int
    epoch: Epoch


MasterMessage = Welcome | Assignments | ResolveImage | OpenStream | HeartbeatAck

# --- bulk streams, both ways ----------------------------------------------------------------------


class Channel(StrEnum):
    """What a chunk's bytes are."""

    STDIN = "stdin"
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamChunk:
    """A piece of a bulk stream. The node's first chunk carries nothing but the ticket."""

    stream: str
    channel: Channel = Channel.STDOUT
    data: bytes = b""
    closed: bool = False
    """No more bytes on this channel; from the node on stdout: the stream is over."""
    exit_code: int = -1
    """Of an exec, in the last chunk."""
    columns: int = 0
    rows: int = 0
    """A new terminal size, when not 0."""
    error_kind: str = ""
    error: str = ""


# --- proxy ↔ master -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHello:
    """First message of a proxy's session."""

    proxy: ProxyId
    name: str
    epoch: Epoch
    lineage: str = ""
    """As in a node's hello."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyApplied:
    """A version was applied, or refused with `error` while the last good one keeps serving."""

    version: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyDrained:
    """Draining endpoints that have no request in flight."""

    replicas: tuple[ReplicaId, ...]


ProxyMessage = ProxyHello | ProxyApplied | ProxyDrained | Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteUpdate:
    """Routes and endpoints. The first of a session is complete; increments name what changed."""

    epoch: Epoch
    version: int
    complete: bool
    routes_changed: bool = True
    """Whether `routes` replaces the routes; otherwise only backends changed."""
    routes: tuple[Route, ...] = ()
    backends: tuple[Backend, ...] = ()
    removed: tuple[str, ...] = ()
    """Backends that are no more, as `project/service`."""
    lineage: str = ""
    """As in a node's welcome."""


ProxyCommand = RouteUpdate | HeartbeatAck
