"""The link to the leading master: dial, keep alive, dial again.

It knows nothing of routes. A session in which three heartbeats in a row went without any sign of the
master is over, whatever TCP thinks of it. The hard part is news of a session that is over already: a
session has a number, and what carries another one is dropped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, assert_never

import structlog

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.proxy.backoff import Backoff
from orca.proxy.messages import AgentMessage, FromMaster, HangUp, LinkDown, LinkUp, Say
from orca.rpc.messages import Heartbeat, ProxyCommand, ProxyMessage
from orca.rpc.session import Dialer, ProxySide

_log = structlog.get_logger(__name__)

UNANSWERED_MAX: Final = 3
OUTBOX_MAX: Final = 100
DIAL_SECONDS_MAX: Final = 5.0


@dataclass(frozen=True, slots=True)
class Dial:
    """Try to reach the master."""


@dataclass(frozen=True, slots=True)
class DialTooLong:
    """The dial has taken as long as it may."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """The master was reached."""

    number: int
    session: ProxySide


@dataclass(frozen=True, slots=True)
class Came:
    """A message came in."""

    session: int
    command: ProxyCommand


@dataclass(frozen=True, slots=True)
class Sent:
    """The message at the head of the outbox is on its way."""

    session: int


@dataclass(frozen=True, slots=True)
class Broke:
    """A session, or the attempt at one, failed."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class Beat:
    """Time for a heartbeat."""


LinkMessage = Say | HangUp | Dial | DialTooLong | Dialled | Came | Sent | Broke | Beat


class MasterLink(Actor[LinkMessage]):
    """One per proxy."""

    def __init__(
        self, dialer: Dialer, *, agent: Ref[AgentMessage], heartbeat_seconds: float, seed: str
    ) -> None:
        self._dialer = dialer
        self._agent = agent
        self._heartbeat_seconds = heartbeat_seconds
        self._backoff = Backoff(first_seconds=0.1, seconds_max=5.0, seed=seed)
        self._session: ProxySide | None = None
        self._number = 0
        """Of the session, so that news of an earlier one is recognised."""
        self._outbox: deque[ProxyMessage] = deque()
        self._sequence = 0
        self._unanswered = 0

    async def started(self) -> None:
        self.context.me.tell(Dial())

    async def stopped(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def receive(self, message: LinkMessage) -> None:
        match message:
            case Dial():
                self._dial()
            case DialTooLong():
                await self._broke("the master did not answer the call")
            case Dialled(number, session):
                await self._begin(number, session)
            case Came(number, command):
                self._came(number, command)
            case Say(number, outgoing):
                await self._say(number, outgoing)
            case Sent(number):
                self._sent(number)
            case Beat():
                await self._beat()
            case Broke(number, reason) | HangUp(number, reason):
                if number == self._number:
                    await self._broke(reason)
            case _:
                assert_never(message)

    def _dial(self) -> None:
        self._number += 1
        number = self._number
        self.context.start(
            self._dialer.proxy_session(),
            key="dial",
            done=lambda session: Dialled(number, session),
            failed=self._broken(),
        )
        self.context.after(DIAL_SECONDS_MAX, DialTooLong(), key="dial-limit")

    async def _begin(self, number: int, session: ProxySide) -> None:
        if number != self._number:  # it came just after it was given up
            await session.close()
            return
        self.context.cancel("dial-limit")
        self._session = session
        self._outbox.clear()
        self._unanswered = 0
        self.context.every(self._heartbeat_seconds, Beat(), key="beat")
        self._agent.tell(LinkUp(self._number))
        self._read(session)

    def _read(self, session: ProxySide) -> None:
        number = self._number
        self.context.start(
            session.receive(),
            key="read",
            done=lambda command: Came(number, command),
            failed=self._broken(),
        )

    def _came(self, number: int, command: ProxyCommand) -> None:
        if number != self._number or self._session is None:
            return
        self._unanswered = 0
        self._backoff.reset()
        self._agent.tell(FromMaster(number, command))
        self._read(self._session)

    async def _say(self, number: int, message: ProxyMessage) -> None:
        if number != self._number or self._session is None:
            return
        if len(self._outbox) >= OUTBOX_MAX:
            await self._broke(f"the master takes nothing: {OUTBOX_MAX} messages wait")
            return
        self._outbox.append(message)
        if len(self._outbox) == 1:
            self._send(self._session)

    def _send(self, session: ProxySide) -> None:
        number = self._number
        self.context.start(
            session.send(self._outbox[0]),
            key="send",
            done=lambda _: Sent(number),
            failed=self._broken(),
        )

    def _sent(self, number: int) -> None:
        if number != self._number or self._session is None:
            return
        self._outbox.popleft()
        if self._outbox:
            self._send(self._session)

    async def _beat(self) -> None:
        if self._unanswered >= UNANSWERED_MAX:
            await self._broke(f"{self._unanswered} heartbeats were not answered")
            return
        self._unanswered += 1
        self._sequence += 1
        await self._say(self._number, Heartbeat(sequence=self._sequence))

    async def _broke(self, reason: str) -> None:
        for key in ("dial", "dial-limit", "read", "send", "beat"):
            self.context.cancel(key)
        session, self._session = self._session, None
        # Whatever the broken session still has to say carries its old number.
        self._number += 1
        pause = self._backoff.pause()
        _log.warning("proxy_link_down", reason=reason, redial_seconds=round(pause, 2))
        self.context.after(pause, Dial(), key="redial")
        if session is not None:
            self._agent.tell(LinkDown(reason))
            await session.close()

    def _broken(self) -> _Broken:
        return _Broken(self._number)


@dataclass(frozen=True, slots=True)
class _Broken:
    """Turns the error of a piece of work into the news that its session broke."""

    session: int

    def __call__(self, error: errors.OrcaError) -> Broke:
        return Broke(self.session, error.message)
