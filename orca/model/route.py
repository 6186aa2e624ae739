"""Routes: which request goes to which service, and the endpoints that may answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orca.model.ids import ReplicaId, ServiceId


class EndpointState(StrEnum):
    """What the proxy does with an endpoint."""

    SERVING = "serving"
    DRAINING = "draining"
    """Finish what is in flight, send nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Endpoint:
    """One ready replica's address."""

    replica: ReplicaId
    address: str
    port: int
    state: EndpointState = EndpointState.SERVING


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The endpoints of one service. Empty while nothing is ready: the proxy answers 503."""

    service: ServiceId
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Route:
    """Requests for `domain` whose path starts with `path` go to `service`; the longest path wins.

    `path` is a prefix at a segment boundary: `/api` matches `/api` and `/api/x`, not `/apix`.
    """

    domain: str
    path: str
    service: ServiceId


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """All a proxy has to know. Equal tables need no new configuration."""

    routes: tuple[Route, ...] = ()
    backends: tuple[Backend, ...] = ()
