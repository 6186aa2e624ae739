"""The fake daemon: its images, its containers and what becomes of them by themselves or by a script.

The hard part is the daemon's absence, where containers and the daemon live apart: `stop_daemon` ends both
unless live-restore is on, `kill_daemon` leaves containers running until it is back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping

from orca.model.container import ContainerSpec
from orca.node import images
from orca.node.docker import failures
from orca.node.runtime import ContainerEvent, ContainerRequest, ContainerState, Output
from orca.rpc.messages import Channel
from orca.testing.fake_docker.behaviour import Behaviour, FakeContainer, FakeImage

WHERE = "fake://docker"
SIGTERM_CODE = 143
SIGKILL_CODE = 137
BOOT_SECONDS = 1_767_225_600.0
"""Wall clock at second 0 of the loop: 2026-01-01."""


class FakeDaemon:
    """What happens in an engine, apart from what an agent asks of it."""

    def __init__(
        self,
        *,
        seed: int = 0,
        now: Callable[[], float] | None = None,
        live_restore: bool = False,
    ) -> None:
        self.live_restore = live_restore
        self.containers: dict[str, FakeContainer] = {}
        self.networks: dict[str, Mapping[str, str]] = {}
        self.loses_events = False
        self.now = now or (lambda: BOOT_SECONDS + asyncio.get_running_loop().time())
        self._local: dict[str, FakeImage] = {}
        self._registry: dict[str, FakeImage] = {}
        self._up = True
        self._listeners: list[Listener] = []
        self._changed: dict[str, asyncio.Event] = {}
        self._count = self._leases = 0
        self._name = f"engine {seed}"

    # --- scripting ---

    def add_image(self, name: str, behaviour: Behaviour | None = None) -> str:
        """Put an image on the host that no registry knows; returns its id."""
        image = FakeImage(id=_digest(name), behaviour=behaviour or Behaviour())
        self._local[name] = self._local[image.id] = image
        return image.id

    def publish(
        self,
        name: str,
        behaviour: Behaviour | None = None,
        *,
        version: str = "1",
        pull_seconds: float = 0.0,
        pull_error: str = "",
    ) -> str:
        """Put an image into the registry, replacing an older version; returns its digest reference."""
        digest = f"{images.split(name)[0]}@{_digest(name + version)}"
        image = FakeImage(
            id=_digest(f"id {name} {version}"),
            digest=digest,
            behaviour=behaviour or Behaviour(),
            pull_seconds=pull_seconds,
            pull_error=pull_error,
        )
        self._registry[name] = self._registry[digest] = image
        return digest

    def crash(self, container: str, *, exit_code: int = 1, oom: bool = False) -> None:
        """End a container's process now."""
        self._end(self.containers[container], exit_code, oom=oom)

    def vanish(self, container: str) -> None:
        """Remove a container behind orca's back."""
        self._destroy(self.containers[container])

    def stranger(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """A running container that is nobody's; returns its id."""
        spec = ContainerSpec(image="stranger")
        request = ContainerRequest(name=name, image="stranger", spec=spec, labels=labels or {})
        container = self._add(request, Behaviour())
        self._begin(container)
        return container.id

    def stop_daemon(self) -> None:
        """Stop the daemon in an orderly way; without live-restore its containers end first."""
        if not self.live_restore:
            for container in self._all_running():
                self._end(container, SIGTERM_CODE)
        self.kill_daemon()

    def kill_daemon(self) -> None:
        """The daemon is gone at once; containers run on."""
        self._up = False
        for listener in self._listeners:
            listener.breaks()

    def start_daemon(self) -> None:
        """The daemon is back; without live-restore containers that still run are ended."""
        if not self._up and not self.live_restore:
            for container in self._all_running():
                self._end(container, SIGKILL_CODE)
        self._up = True

    def by_replica(self, replica: str) -> FakeContainer | None:
        """The container of a replica."""
        found = (c for c in self.containers.values() if c.labelled({"orca.replica": replica}))
        return next(found, None)

    def _all_running(self) -> list[FakeContainer]:
        return [each for each in self.containers.values() if each.running]

    # --- what becomes of containers ---

    def _add(self, request: ContainerRequest, behaviour: Behaviour) -> FakeContainer:
        self._count += 1
        container = FakeContainer(
            id=hashlib.sha256(f"{self._name} {self._count}".encode()).hexdigest(),
            request=request,
            behaviour=behaviour,
            name=request.name,
        )
        self.containers[container.id] = container
        self._emit(container, "create")
        return container

    def _begin(self, container: FakeContainer) -> None:
        container.state = ContainerState.RUNNING
        container.starts += 1
        container.started_at = self.now()
        container.exit_code, container.oom_killed = -1, False
        self._leases += 1
        container.address = f"10.9.{self._leases // 250 % 250}.{self._leases % 250 + 2}"
        for line in container.behaviour.lines:
            self.write(container.id, line)
        if (after := container.behaviour.crash_after) is not None:
            loop = asyncio.get_running_loop()
            code = SIGKILL_CODE if container.behaviour.oom else container.behaviour.exit_code
            oom = container.behaviour.oom
            container.timer = loop.call_later(after, lambda: self._end(container, code, oom=oom))
        self._emit(container, "start")

    def write(self, container: str, line: str) -> None:
        """Let a container write a line."""
        channel = Channel.STDERR if line.startswith("err:") else Channel.STDOUT
        output = Output(channel, line.removeprefix("err:").encode() + b"\n")
        self.containers[container].log.append((self.now(), output))
        self._wake(container)

    def _end(self, container: FakeContainer, exit_code: int, *, oom: bool = False) -> None:
        if not container.running:
            return
        if container.timer is not None:
            container.timer.cancel()
            container.timer = None
        container.state = ContainerState.EXITED
        container.exit_code, container.oom_killed = exit_code, oom
        container.finished_at = self.now()
        container.address = ""
        if oom:
            self._emit(container, "oom")
        self._emit(container, "die", exit_code=exit_code)
        self._wake(container.id)

    def _destroy(self, container: FakeContainer) -> None:
        self._end(container, SIGKILL_CODE)
        del self.containers[container.id]
        self._emit(container, "destroy")
        self._wake(container.id)

    # --- who is told ---

    def _emit(self, container: FakeContainer, action: str, *, exit_code: int = -1) -> None:
        if self.loses_events or not self._up:
            return
        event = ContainerEvent(
            container=container.id,
            action=action,
            labels=container.request.labels,
            exit_code=exit_code,
        )
        for listener in self._listeners:
            if container.labelled(listener.labels):
                listener.queue.put_nowait(event)

    def _change(self, container: str) -> asyncio.Event:
        event = self._changed.get(container)
        if event is None or event.is_set():
            event = self._changed[container] = asyncio.Event()
        return event

    def _wake(self, container: str) -> None:
        if event := self._changed.get(container):
            event.set()


class Listener:
    """One subscription to events."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.queue: asyncio.Queue[ContainerEvent | None] = asyncio.Queue()

    def breaks(self) -> None:
        self.queue.put_nowait(None)

    async def events(self) -> AsyncIterator[ContainerEvent]:
        while (event := await self.queue.get()) is not None:
            yield event
        raise failures.unavailable(WHERE, ConnectionError("the event stream ended"))


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
