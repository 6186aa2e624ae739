"""Envoy without Envoy: serves a route table in memory, for simulation on virtual time.

It keeps the promises of `orca.proxy.ports.Envoy` and shows what a client would meet, so that a
simulation can check after every step that nothing is routed where it must not be. Faults are set from
outside: `kill`, `refuse`, `unavailable`. What it does not imitate is time: an order is in force at once.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Collection, Mapping

from orca import errors
from orca.model.ids import ReplicaId, ServiceId
from orca.model.route import Backend, Endpoint, EndpointState, RouteTable
from orca.proxy.matching import match
from orca.proxy.ports import EndpointKey
from orca.proxy.settings import ProxySettings


class FakeEnvoy:
    """Implements `orca.proxy.ports.Envoy`."""

    def __init__(self) -> None:
        self.table = RouteTable()
        """What is in force; it outlives a kill, as Envoy's files do."""
        self.alive = False
        self.applied = 0
        """How often a table was taken."""
        self.starts = 0
        self.settings: ProxySettings | None = None
        self.port_holder = ""
        """A stranger on the port: Envoy cannot be started."""
        self.unavailable = False
        """Nothing that is asked is answered."""
        self.refuse: set[ServiceId] = set()
        """Services whose endpoints are refused."""
        self._requests: Counter[tuple[ServiceId, ReplicaId]] = Counter()

    def __repr__(self) -> str:
        return f"<FakeEnvoy alive={self.alive} routes={len(self.table.routes)}>"

    # --- the port ---

    async def apply(self, table: RouteTable) -> None:
        self._answer()
        if not self.alive:
            self._start()
        refused = [b.service for b in table.backends if self._refuses(b)]
        kept = {b.service: b for b in self.table.backends if b.service in refused}
        backends = tuple(kept.get(b.service, b) for b in table.backends)
        self.table = RouteTable(
            routes=table.routes,
            backends=tuple(b for b in backends if not self._refuses(b)),
        )
        self.applied += 1
        if refused:
            names = ", ".join(f"the endpoints of {service}" for service in sorted(refused))
            raise errors.ProxyConfigRejected(f"Envoy refused {names}: malformed IP address.")

    def configure(self, settings: ProxySettings) -> None:
        self.settings = settings

    def is_alive(self) -> bool:
        return self.alive

    async def active_requests(self, services: Collection[ServiceId]) -> Mapping[EndpointKey, int]:
        self._answer()
        if not self.alive:
            raise errors.Unavailable("Envoy does not run.")
        return {
            EndpointKey(b.service, e.address, e.port): self._requests[(b.service, e.replica)]
            for b in self.table.backends
            if b.service in services
            for e in b.endpoints
        }

    async def maintain(self) -> None:
        self._answer()

    async def stop(self, *, drain_seconds: float) -> bool:
        was_alive, self.alive = self.alive, False
        return was_alive

    # --- what a client meets ---

    def endpoints(self, service: ServiceId) -> tuple[Endpoint, ...]:
        """Where new requests for `service` may go now."""
        return tuple(
            endpoint
            for backend in self.table.backends
            if backend.service == service and self.alive
            for endpoint in backend.endpoints
            if endpoint.state is EndpointState.SERVING
        )

    def routed_replicas(self) -> frozenset[ReplicaId]:
        """Every replica that may get a new request now, for invariants."""
        services = {backend.service for backend in self.table.backends}
        return frozenset(e.replica for service in services for e in self.endpoints(service))

    def request(self, host: str, path: str = "/") -> tuple[int, Endpoint | None]:
        """Status and endpoint that a request would meet: 404, 503, or 200 with its endpoint."""
        if not self.alive:
            raise ConnectionRefusedError
        service = match(self.table, host=host, path=path)
        if service is None:
            return 404, None
        endpoints = self.endpoints(service)
        return (200, endpoints[0]) if endpoints else (503, None)

    def hold(self, service: ServiceId, replica: ReplicaId, requests: int) -> None:
        """Set the number of requests in flight at a replica."""
        self._requests[(service, replica)] = requests

    # --- faults ---

    def kill(self) -> None:
        """End it as kill -9 would."""
        self.alive = False
        self._requests.clear()

    def _answer(self) -> None:
        if self.unavailable:
            raise errors.Unavailable("Envoy does not answer.")

    def _start(self) -> None:
        if self.port_holder:
            raise errors.Conflict(
                f"The proxy's port is in use by {self.port_holder}.", hint="Stop that process."
            )
        self.alive = True
        self.starts += 1

    def _refuses(self, backend: Backend) -> bool:
        return backend.service in self.refuse or any(
            not _is_address(endpoint.address) for endpoint in backend.endpoints
        )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
