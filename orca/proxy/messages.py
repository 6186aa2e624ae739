"""What the proxy's three actors tell each other: the agent, its link to the master, Envoy's keeper."""

from __future__ import annotations

from dataclasses import dataclass

from orca.model.ids import ReplicaId
from orca.model.route import RouteTable
from orca.proxy.settings import ProxySettings
from orca.rpc.messages import ProxyCommand, ProxyMessage


@dataclass(frozen=True, slots=True)
class Ticket:
    """Names a version without mixing up the masters that numbered it."""

    session: int
    version: int


# --- to the agent -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A session stands; its first word is the agent's."""

    session: int


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The session is over; the link dials again by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class FromMaster:
    """The master said something."""

    session: int
    command: ProxyCommand


@dataclass(frozen=True, slots=True)
class KeeperReady:
    """The keeper has begun, or begun again, and does not know what to serve."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of the newest `Serve`. `error` is empty once it is in force."""

    ticket: Ticket | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Drained:
    """These replicas drain and have no request in flight any more."""

    replicas: tuple[ReplicaId, ...]


@dataclass(frozen=True, slots=True)
class Configure:
    """Use other settings."""

    settings: ProxySettings


AgentMessage = LinkUp | LinkDown | FromMaster | KeeperReady | Applied | Drained | Configure


# --- to the link ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Send this in the given session; forgotten if that is over."""

    session: int
    message: ProxyMessage


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the session and dial another."""

    session: int
    reason: str


# --- to the keeper ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Serve:
    """Make Envoy serve this table. The newest one counts."""

    table: RouteTable
    ticket: Ticket | None = None
