"""What the proxy's actors need of Envoy. `envoy.py` is the real one, `testing/fake_envoy.py` a fake.

One contract suite runs on both (`tests/contract/proxy/test_envoy_port.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from orca.model.ids import ServiceId
from orca.model.route import RouteTable
from orca.proxy.settings import ProxySettings


class EndpointKey(NamedTuple):
    """An endpoint as Envoy knows it."""

    service: ServiceId
    address: str
    port: int


class Envoy(Protocol):
    """A data plane that can be brought to serve a route table."""

    async def apply(self, table: RouteTable) -> None:
        """Serve `table`, starting or replacing Envoy where needed; returns once it is in force.

        Doing it again changes nothing. Raises:
        ProxyConfigRejected  a part was refused; its last good version serves, other parts are applied
        Conflict             a stranger holds the port, and Envoy is not running there
        Unavailable          Envoy does not answer in time, or its files cannot be written
        Failed               Envoy cannot be started
        """
        ...

    def configure(self, settings: ProxySettings) -> None:
        """Use other settings from the next `apply` on. The home must stay the same."""
        ...

    def is_alive(self) -> bool:
        """Whether Envoy runs; cheap."""
        ...

    async def active_requests(self, services: Collection[ServiceId]) -> Mapping[EndpointKey, int]:
        """Requests in flight at each endpoint of these services. Raises `Unavailable`."""
        ...

    async def maintain(self) -> None:
        """Called every second: keep log files within their bounds, end an Envoy that was replaced.

        Raises `Unavailable`.
        """
        ...

    async def stop(self, *, drain_seconds: float) -> bool:
        """Finish requests in flight for up to `drain_seconds`, then end; False if it did not run."""
        ...
