"""The proxy's agent: holds the route table, believes only the newest leader.

It merges what the master sends, keeps it on disk, and hands the whole table to Envoy's keeper; what the
keeper says goes back to the master. It decides, its children act. What it never does is invent a table:
without a master the last one stays in force, and only a master of the highest epoch may empty it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import structlog

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.model.ids import Epoch, ProxyId
from orca.model.route import RouteTable
from orca.proxy.keeper import EnvoyKeeper, KeeperMessage
from orca.proxy.link import LinkMessage, MasterLink
from orca.proxy.memory import Memory, Remembered
from orca.proxy.messages import (
    AgentMessage,
    Applied,
    Configure,
    Drained,
    FromMaster,
    HangUp,
    KeeperReady,
    LinkDown,
    LinkUp,
    Say,
    Serve,
    Ticket,
)
from orca.proxy.ports import Envoy
from orca.proxy.settings import ProxySettings
from orca.proxy.table import merged
from orca.rpc.messages import (
    HeartbeatAck,
    ProxyApplied,
    ProxyDrained,
    ProxyHello,
    ProxyMessage,
    RouteUpdate,
)
from orca.rpc.session import Dialer

_log = structlog.get_logger(__name__)

_NOTHING = RouteTable()


class ProxyAgent(Actor[AgentMessage]):
    """One per proxy."""

    def __init__(
        self, settings: ProxySettings, *, dialer: Dialer, envoy: Envoy, memory: Memory
    ) -> None:
        self._settings = settings
        self._dialer = dialer
        self._envoy = envoy
        self._memory = memory
        self._known = Remembered()
        self._session: int | None = None
        self._told_all = False
        """Whether the present session has begun with a complete table."""
        self._ticket: Ticket | None = None

    async def started(self) -> None:
        self._known = self._memory.load()
        name = self._settings.name
        me = self.context.me
        self._keeper: Ref[KeeperMessage] = self.context.spawn(
            "envoy", lambda: EnvoyKeeper(self._envoy, agent=me, seed=name)
        )
        self._link: Ref[LinkMessage] = self.context.spawn(
            "link",
            lambda: MasterLink(
                self._dialer,
                agent=me,
                heartbeat_seconds=self._settings.heartbeat_seconds,
                seed=name,
            ),
        )

    async def receive(self, message: AgentMessage) -> None:
        match message:
            case KeeperReady():
                self._serve()
            case LinkUp(session):
                self._hello(session)
            case LinkDown():
                self._session = None
            case FromMaster(session, command):
                if session == self._session:
                    self._obey(command)
            case Applied(ticket, error):
                self._report(ticket, error)
            case Drained(replicas):
                self._say(ProxyDrained(replicas=replicas))
            case Configure(settings):
                self._settings = settings
                self._keeper.tell(message, key="configure")
            case _:
                assert_never(message)

    def _hello(self, session: int) -> None:
        self._session = session
        self._told_all = False
        name = self._settings.name
        known = self._known
        self._say(
            ProxyHello(proxy=ProxyId(name), name=name, epoch=known.epoch, lineage=known.lineage)
        )

    def _obey(self, command: RouteUpdate | HeartbeatAck) -> None:
        if command.epoch < self._known.epoch:
            self._hang_up(
                f"its epoch {command.epoch} is older than {self._known.epoch}, seen before"
            )
            return
        if isinstance(command, RouteUpdate):
            self._update(command)
        elif command.epoch > self._known.epoch:
            self._remember(command.epoch, self._known.table)

    def _update(self, update: RouteUpdate) -> None:
        if not update.complete and not self._told_all:
            self._hang_up("it began with an increment instead of everything")
            return
        self._told_all = True
        self._known = replace(self._known, lineage=update.lineage)
        self._remember(update.epoch, merged(self._known.table or _NOTHING, update))
        self._ticket = Ticket(self._session or 0, update.version)
        self._serve()

    def _remember(self, epoch: Epoch, table: RouteTable | None) -> None:
        self._known = replace(self._known, epoch=epoch, table=table)
        try:
            self._memory.save(self._known)
        except errors.Unavailable as error:
            # The keeper meets the same disk and reports it; serving comes first.
            _log.error("proxy_memory_not_saved", reason=error.message)

    def _serve(self) -> None:
        # Before the first table Envoy answers 404 rather than not at all.
        table = self._known.table or _NOTHING
        self._keeper.tell(Serve(table, self._ticket), key="serve")

    def _report(self, ticket: Ticket | None, error: str) -> None:
        if ticket is not None and ticket.session == self._session:
            self._say(ProxyApplied(version=ticket.version, error=error))

    def _say(self, message: ProxyMessage) -> None:
        if self._session is not None:
            self._link.tell(Say(self._session, message))

    def _hang_up(self, reason: str) -> None:
        _log.warning("proxy_refuses_master", reason=reason)
        if self._session is not None:
            self._link.tell(HangUp(self._session, f"the master was refused: {reason}"))
        self._session = None
