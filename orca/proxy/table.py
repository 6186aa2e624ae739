"""Route tables: how an update changes one, and what in one is draining."""

from __future__ import annotations

import ipaddress

from orca.model.ids import ReplicaId, ServiceId
from orca.model.route import EndpointState, RouteTable
from orca.proxy.ports import EndpointKey
from orca.rpc.messages import RouteUpdate


def merged(table: RouteTable, update: RouteUpdate) -> RouteTable:
    """The table after an update: a complete one replaces everything, an increment what it names."""
    if update.complete:
        return RouteTable(routes=update.routes, backends=update.backends)
    removed = {ServiceId.parse(name) for name in update.removed}
    backends = {b.service: b for b in (*table.backends, *update.backends)}
    return RouteTable(
        routes=update.routes if update.routes_changed else table.routes,
        backends=tuple(b for service, b in sorted(backends.items()) if service not in removed),
    )


def draining(table: RouteTable) -> dict[EndpointKey, ReplicaId]:
    """The draining endpoints, as Envoy names them."""
    return {
        EndpointKey(backend.service, _canonical(endpoint.address), endpoint.port): endpoint.replica
        for backend in table.backends
        for endpoint in backend.endpoints
        if endpoint.state is EndpointState.DRAINING
    }


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:  # Envoy will refuse it, and say so
        return address
