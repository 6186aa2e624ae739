"""When a draining endpoint has drained: no request in flight, seen twice in a row.

Once is not enough: a worker of Envoy may have chosen the endpoint a moment before it learned of the
drain, and a request counts only once it has a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orca.model.ids import ReplicaId, ServiceId
from orca.model.route import RouteTable
from orca.proxy.ports import EndpointKey
from orca.proxy.table import draining

SAMPLES: Final = 2


class DrainWatch:
    """Follows the draining endpoints of one table that is in force."""

    def __init__(self) -> None:
        self._watched: dict[EndpointKey, ReplicaId] = {}
        self._idle: dict[EndpointKey, int] = {}

    def __repr__(self) -> str:
        return f"DrainWatch({sorted(self._watched.values())})"

    def follow(self, table: RouteTable | None) -> None:
        """Watch the draining endpoints of `table` from now on; what was reported is reported anew."""
        self._watched = {} if table is None else draining(table)
        self._idle = {}

    def services(self) -> frozenset[ServiceId]:
        """The services that have an endpoint to watch."""
        return frozenset(key.service for key in self._watched)

    def sample(self, active: Mapping[EndpointKey, int]) -> tuple[ReplicaId, ...]:
        """Take requests in flight into account; the replicas that have drained, each once.

        An endpoint Envoy does not mention tells nothing.
        """
        for key in self._watched:
            idle = active.get(key) == 0
            self._idle[key] = self._idle.get(key, 0) + 1 if idle else 0
        done = [key for key in self._watched if self._idle[key] >= SAMPLES]
        return tuple(sorted(self._watched.pop(key) for key in done))
