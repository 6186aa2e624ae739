"""Sessions with proxies: a complete route table first, then increments; acknowledgements back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orca.errors import Conflict, Fenced, Unavailable
from orca.master.nodes import MISSED_HEARTBEATS_MAX
from orca.master.race import race
from orca.model.ids import Epoch, ProxyId, ReplicaId
from orca.model.route import RouteTable
from orca.rpc.messages import (
    Heartbeat,
    HeartbeatAck,
    ProxyApplied,
    ProxyCommand,
    ProxyDrained,
    ProxyHello,
    ProxyMessage,
    RouteUpdate,
)
from orca.rpc.session import ProxyMasterSide
from orca.telemetry.logs import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConnected:
    """A session began."""

    proxy: ProxyId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyReported:
    """A version was applied or refused."""

    proxy: ProxyId
    version: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHasDrained:
    """Draining replicas without a request in flight."""

    proxy: ProxyId
    replicas: frozenset[ReplicaId]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyGone:
    """The session ended."""

    proxy: ProxyId


ProxyNews = ProxyConnected | ProxyReported | ProxyHasDrained | ProxyGone


def difference(
    before: RouteTable | None, after: RouteTable, *, epoch: Epoch, version: int
) -> RouteUpdate:
    """The update that takes a proxy from one table to another; complete when it has none."""
    if before is None:
        return RouteUpdate(
            epoch=epoch,
            version=version,
            complete=True,
            routes=after.routes,
            backends=after.backends,
        )
    known = {backend.service: backend for backend in before.backends}
    present = {backend.service for backend in after.backends}
    routes_changed = before.routes != after.routes
    return RouteUpdate(
        epoch=epoch,
        version=version,
        complete=False,
        routes_changed=routes_changed,
        routes=after.routes if routes_changed else (),
        backends=tuple(b for b in after.backends if known.get(b.service) != b),
        removed=tuple(str(service) for service in known if service not in present),
    )


@dataclass(slots=True)
class _Link:
    session: ProxyMasterSide
    acks: asyncio.Queue[ProxyCommand] = field(default_factory=lambda: asyncio.Queue(maxsize=100))
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    sent: RouteTable | None = None


class ProxySessions:
    """All sessions of one leadership; each is brought to the newest table, skipping those between."""

    def __init__(
        self,
        *,
        epoch: Epoch,
        heartbeat_seconds: float,
        tell: Callable[[ProxyNews], None],
        lineage: str = "",
    ) -> None:
        self._epoch = epoch
        self._lineage = lineage
        self._heartbeat_seconds = heartbeat_seconds
        self._tell = tell
        self._links: dict[ProxyId, _Link] = {}
        self._table: RouteTable | None = None
        self._version = 0
        self._closed = False

    def publish(self, table: RouteTable) -> None:
        """Bring all proxies to this table. Until the first call they keep what they have."""
        if table == self._table:
            return
        self._table = table
        self._version += 1
        for link in self._links.values():
            link.bell.set()

    async def serve(self, session: ProxyMasterSide) -> None:
        """Serve a session until it ends. Raises `Unavailable` when it breaks."""
        async with asyncio.timeout(10):
            hello = await session.receive()
        if not isinstance(hello, ProxyHello):
            raise Conflict("the session did not begin with a hello")
        if hello.lineage not in ("", self._lineage):
            raise Fenced(f"proxy {hello.proxy} follows another state than the one in etcd")
        if hello.epoch > self._epoch:
            raise Fenced(f"proxy {hello.proxy} already follows epoch {hello.epoch}")
        if self._closed:
            raise Unavailable("this master no longer leads")
        link = _Link(session)
        link.bell.set()
        if before := self._links.get(hello.proxy):
            before.ended.set()
        self._links[hello.proxy] = link
        self._tell(ProxyConnected(proxy=hello.proxy, name=hello.name))
        try:
            await self._converse(hello.proxy, link)
        finally:
            if self._links.get(hello.proxy) is link:
                del self._links[hello.proxy]
                self._tell(ProxyGone(proxy=hello.proxy))

    async def _converse(self, proxy: ProxyId, link: _Link) -> None:
        try:
            await race(self._read(proxy, link), self._write(link), link.ended.wait())
        except (Unavailable, TimeoutError) as error:
            log.info("proxy session ended", proxy=proxy, why=str(error) or "it stopped delivering")

    async def _read(self, proxy: ProxyId, link: _Link) -> None:
        patience = self._heartbeat_seconds * MISSED_HEARTBEATS_MAX
        while True:
            async with asyncio.timeout(patience):
                message = await link.session.receive()
            self._take(proxy, link, message)

    def _take(self, proxy: ProxyId, link: _Link, message: ProxyMessage) -> None:
        if self._links.get(proxy) is not link:
            return  # a newer session has said how things are
        match message:
            case ProxyApplied():
                self._tell(ProxyReported(proxy=proxy, version=message.version, error=message.error))
            case ProxyDrained():
                self._tell(ProxyHasDrained(proxy=proxy, replicas=frozenset(message.replicas)))
            case Heartbeat():
                link.acks.put_nowait(HeartbeatAck(sequence=message.sequence, epoch=self._epoch))
                link.bell.set()
            case ProxyHello():
                raise Unavailable("the proxy said hello twice")

    async def _write(self, link: _Link) -> None:
        while True:
            await link.bell.wait()
            link.bell.clear()
            while not link.acks.empty():
                await link.session.send(link.acks.get_nowait())
            if self._table is not None and self._table is not link.sent:
                table, version = self._table, self._version
                update = difference(link.sent, table, epoch=self._epoch, version=version)
                await link.session.send(replace(update, lineage=self._lineage))
                link.sent = table

    def close(self) -> None:
        """End all sessions, also those that have not yet begun: this master no longer leads."""
        self._closed = True
        for link in self._links.values():
            link.ended.set()
