"""`DockerWatcher`: says what changes in Docker, and whether Docker answers at all.

It subscribes to events and lists every container after each subscription and every ten seconds: events
are fast and may be lost, the list is slow and true. Everything it tells means "look again".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.node.runtime import ContainerEvent, ContainerSummary, EngineFacts, Runtime
from orca.node.settings import NodeSettings

log = logging.getLogger(__name__)

LIST_SECONDS = 5.0
"""An engine that has not answered by then counts as away."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """Somebody got no answer from Docker: find out now."""


@dataclass(frozen=True, slots=True)
class _Heard:
    event: ContainerEvent


@dataclass(frozen=True, slots=True)
class _Subscribed:
    pass


@dataclass(frozen=True, slots=True)
class _Broken:
    reason: str


@dataclass(frozen=True, slots=True)
class _Listed:
    facts: EngineFacts
    containers: tuple[ContainerSummary, ...]


WatcherMessage = Recheck | _Heard | _Subscribed | _Broken | _Listed


@dataclass(frozen=True, slots=True)
class DockerUp:
    """Docker answers, and this is every container of this node."""

    facts: EngineFacts
    containers: tuple[ContainerSummary, ...]


@dataclass(frozen=True, slots=True)
class DockerDown:
    """Docker does not answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to a container of this node."""

    event: ContainerEvent


DockerNews = DockerUp | DockerDown | Happened


class DockerWatcher(Actor[WatcherMessage]):
    """Watches the containers that carry `labels`."""

    def __init__(
        self,
        runtime: Runtime,
        agent: Ref[DockerNews],
        *,
        labels: Mapping[str, str],
        settings: NodeSettings,
    ) -> None:
        self._runtime = runtime
        self._agent = agent
        self._labels = labels
        self._settings = settings
        self._retry = settings.docker_retry_seconds

    async def started(self) -> None:
        """Subscribe; the first list follows."""
        self._subscribe()
        self.context.every(self._settings.resync_seconds, Recheck(), key="resync")

    async def receive(self, message: WatcherMessage) -> None:
        """Handle one message."""
        match message:
            case Recheck():
                self._list()
            case _Subscribed():
                self._retry = self._settings.docker_retry_seconds
                self._list()
            case _Heard():
                self._agent.tell(Happened(message.event))
            case _Listed():
                self._agent.tell(DockerUp(message.facts, message.containers))
                if not self.context.busy("events"):
                    self._subscribe()
            case _Broken():
                self._broken(message.reason)
            case _:
                assert_never(message)

    def _subscribe(self) -> None:
        self.context.start(
            self._follow(),
            key="events",
            done=lambda _: _Broken("the event stream ended"),
            failed=lambda error: _Broken(error.message),
        )

    async def _follow(self) -> None:
        async with self._runtime.events(self._labels) as events:
            self.context.me.tell(_Subscribed())
            async for event in events:
                self.context.me.tell(_Heard(event))

    def _list(self) -> None:
        if self.context.busy("list"):
            return
        self.context.start(
            self._ask(),
            key="list",
            done=lambda listed: listed,
            failed=lambda error: _Broken(error.message),
        )

    async def _ask(self) -> _Listed:
        try:
            async with asyncio.timeout(LIST_SECONDS):
                facts = await self._runtime.facts()
                return _Listed(facts, await self._runtime.list(self._labels))
        except TimeoutError as error:
            raise errors.DockerUnavailable(
                f"Docker does not answer: no list of containers within {LIST_SECONDS:.0f} s"
            ) from error

    def _broken(self, reason: str) -> None:
        """Docker went away, or is still away: say so, and try again soon."""
        self._agent.tell(DockerDown(reason))
        self.context.cancel("events")
        self.context.cancel("list")
        self.context.after(self._retry, Recheck(), key="retry")
        self._retry = min(self._retry * 2, self._settings.docker_retry_seconds_max)
