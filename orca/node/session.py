"""`SessionActor`: keeps one session with the leading master, for as long as the node lives.

It dials, greets, waits for a welcome, then carries messages both ways and proves with heartbeats that
the stream delivers. It does not know what any message means beyond that. What is said while there is no
session is dropped: the next hello carries everything.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.model.node import NodeFacts
from orca.node.settings import NodeSettings
from orca.rpc import messages
from orca.rpc.session import Dialer, NodeSide

log = logging.getLogger(__name__)

UNANSWERED_MAX = 3
"""Heartbeats without an answer before the session is given up."""


@dataclass(frozen=True, slots=True)
class Say:
    """Send this in the session `session`; dropped when that is over."""

    session: int
    message: messages.NodeMessage


@dataclass(frozen=True, slots=True)
class SayFacts:
    """Send a heartbeat with these facts now, in the session `session`, after its hello."""

    session: int
    facts: NodeFacts


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the present session and dial again."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Dialled:
    side: NodeSide


@dataclass(frozen=True, slots=True)
class _Heard:
    session: int
    message: messages.MasterMessage


@dataclass(frozen=True, slots=True)
class _Lost:
    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Dial:
    pass


@dataclass(frozen=True, slots=True)
class _Beat:
    pass


@dataclass(frozen=True, slots=True)
class _NoWelcome:
    session: int


SessionMessage = Say | SayFacts | HangUp | _Dialled | _Heard | _Lost | _Dial | _Beat | _NoWelcome


@dataclass(frozen=True, slots=True)
class Connected:
    """A session stands; the agent answers with a hello."""

    session: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The session is over."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class Said:
    """A master said something."""

    session: int
    message: messages.MasterMessage


SessionNews = Connected | Disconnected | Said


class SessionActor(Actor[SessionMessage]):
    """The node's session."""

    def __init__(
        self,
        dialer: Dialer,
        agent: Ref[SessionNews],
        settings: NodeSettings,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._dialer = dialer
        self._agent = agent
        self._settings = settings
        self._jitter = jitter
        self._side: NodeSide | None = None
        self._session = 0
        self._welcome = False
        self._redial = settings.redial_seconds
        self._sequence = 0
        self._acknowledged = 0

    async def started(self) -> None:
        """Dial at once."""
        self._dial()

    async def stopped(self) -> None:
        """Hang up."""
        if self._side is not None:
            await self._side.close()

    async def receive(self, message: SessionMessage) -> None:
        """Handle one message."""
        match message:
            case _Dial():
                self._dial()
            case _Dialled():
                self._open(message.side)
            case _Heard():
                await self._heard(message)
            case Say():
                if message.session == self._session:
                    await self._send(message.message)
            case SayFacts():
                # Also before the welcome: the hello on its way to it says what was true before.
                if message.session == self._session:
                    await self._beat(message.facts)
            case _Beat():
                await self._tick()
            case _NoWelcome():
                if message.session == self._session and not self._welcome:
                    await self._lose("no welcome within the time allowed")
            case HangUp():
                await self._lose(message.reason)
            case _Lost():
                if message.session == self._session:
                    await self._lose(message.reason)
            case _:
                assert_never(message)

    def _dial(self) -> None:
        self.context.start(
            self._dialer.node_session(),
            key="dial",
            done=_Dialled,
            failed=lambda error: _Lost(self._session, error.message),
        )

    def _open(self, side: NodeSide) -> None:
        self._side = side
        self._session += 1
        self._welcome = False
        self._sequence = self._acknowledged = 0
        session = self._session
        self.context.after(self._settings.welcome_seconds, _NoWelcome(session), key="welcome")
        self._listen(side, session)
        self._agent.tell(Connected(session))

    def _listen(self, side: NodeSide, session: int) -> None:
        self.context.start(
            side.receive(),
            key="receive",
            done=lambda message: _Heard(session, message),
            failed=lambda error: _Lost(session, error.message),
        )

    async def _heard(self, heard: _Heard) -> None:
        if heard.session != self._session or self._side is None:
            return
        match heard.message:
            case messages.HeartbeatAck():
                self._acknowledged = max(self._acknowledged, heard.message.sequence)
            case messages.Welcome():
                self._welcomed(heard.message)
        # The agent judges the epoch of every message, of acknowledgements too.
        self._agent.tell(Said(heard.session, heard.message))
        self._listen(self._side, heard.session)

    def _welcomed(self, welcome: messages.Welcome) -> None:
        self._welcome = True
        self._redial = self._settings.redial_seconds
        self.context.cancel("welcome")
        period = welcome.heartbeat_seconds or self._settings.heartbeat_seconds
        self.context.every(period, _Beat(), key="beat")

    async def _tick(self) -> None:
        if not self._welcome:
            return
        if self._sequence - self._acknowledged >= UNANSWERED_MAX:
            await self._lose(f"{UNANSWERED_MAX} heartbeats were not answered")
            return
        await self._beat(None)

    async def _beat(self, facts: NodeFacts | None) -> None:
        self._sequence += 1
        await self._send(messages.Heartbeat(sequence=self._sequence, facts=facts))

    async def _send(self, message: messages.NodeMessage) -> None:
        if self._side is None:
            return
        try:
            async with asyncio.timeout(self._settings.welcome_seconds):
                await self._side.send(message)
        except errors.Unavailable as error:
            await self._lose(error.message)
        except TimeoutError:
            await self._lose("the master does not take our messages")

    async def _lose(self, reason: str) -> None:
        side, self._side = self._side, None
        was_open, self._welcome = side is not None, False
        for key in ("receive", "beat", "welcome", "dial"):
            self.context.cancel(key)
        if side is not None:
            await side.close()
        if was_open:
            log.warning("the session with the master ended: %s", reason)
            self._agent.tell(Disconnected(self._session, reason))
        self._session += 1
        # Half to full: many nodes that lost one master come back one after another.
        self.context.after(self._redial * (0.5 + 0.5 * self._jitter()), _Dial(), key="redial")
        self._redial = min(self._redial * 2, self._settings.redial_seconds_max)
