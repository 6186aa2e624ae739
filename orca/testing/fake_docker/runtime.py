"""The fake engine as an agent sees it: every operation of `Runtime`, late, failing or hanging as told."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

from orca import errors
from orca.model.container import PullPolicy
from orca.node import images
from orca.node.docker import failures
from orca.node.runtime import (
    Container,
    ContainerEvent,
    ContainerRequest,
    ContainerSummary,
    EngineFacts,
    ExecSpec,
    LogQuery,
    Output,
)
from orca.testing.fake_docker.behaviour import FakeContainer, Fault
from orca.testing.fake_docker.daemon import SIGKILL_CODE, SIGTERM_CODE, WHERE, FakeDaemon, Listener
from orca.testing.fake_docker.exec import FakeExec

LATENCY_SECONDS = {"create": 0.015, "start": 0.15, "remove": 0.02, "stop": 0.02}
"""About what a real engine takes."""


class FakeRuntime(FakeDaemon):
    """An engine. Give each node its own."""

    def __init__(
        self,
        *,
        seed: int = 0,
        now: Callable[[], float] | None = None,
        live_restore: bool = False,
        latency_seconds: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(seed=seed, now=now, live_restore=live_restore)
        self.calls: list[str] = []
        """Every operation, in order."""
        self._random = random.Random(seed)
        self._latency = LATENCY_SECONDS if latency_seconds is None else latency_seconds
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._frozen: asyncio.Event | None = None

    # --- scripting ---

    def fault(self, operation: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next calls of `operation` go wrong."""
        self._faults[operation].extend([fault] * times)

    def freeze(self) -> None:
        """Calls are accepted and not answered."""
        self._frozen = self._frozen or asyncio.Event()

    def thaw(self) -> None:
        """Undo `freeze`."""
        if self._frozen is not None:
            self._frozen.set()
            self._frozen = None

    # --- Runtime ---

    async def ping(self) -> None:
        """See `Runtime`."""
        await self._enter("ping")

    async def facts(self) -> EngineFacts:
        """See `Runtime`."""
        await self._enter("facts")
        return EngineFacts(
            version="fake",
            hostname="fake",
            cpus=2.0,
            memory_bytes=4 << 30,
            live_restore=self.live_restore,
        )

    async def resolve_image(self, image: str, *, pull: PullPolicy) -> str:
        """See `Runtime`."""
        await self._enter("resolve_image")
        local = self._local.get(image)
        if images.is_image_id(image):
            if local is None:
                raise failures.missing_image(image, "an image id cannot be pulled")
            return image
        known = bool(local and local.digest)
        if not images.must_pull(image, pull=pull, present=local is not None, from_registry=known):
            if local is None:
                raise failures.missing_image(image, "its pull policy is `never`")
            return local.digest or local.id
        return await self._pull(image)

    async def _pull(self, image: str) -> str:
        found = self._registry.get(image)
        if found is None:
            raise failures.image_error(image, "manifest unknown")
        await asyncio.sleep(found.pull_seconds)
        if found.pull_error:
            raise failures.image_error(image, found.pull_error)
        self._local[image] = self._local[found.digest] = self._local[found.id] = found
        return found.digest

    async def create(self, request: ContainerRequest) -> str:
        """See `Runtime`."""
        late = await self._enter("create")
        for name in request.networks:
            self.networks.setdefault(name, request.owner)
        if any(each.name == request.name for each in self.containers.values()):
            raise errors.Conflict(f"the container name {request.name} is taken")
        image = self._local.get(request.image)
        if image is None:
            raise failures.missing_image(request.image, "it was there a moment ago")
        for mount in request.spec.mounts:
            if "missing" in mount.source:
                text = f"bind source path does not exist: {mount.source}"
                raise failures.container_error(request.name, text)
        container = self._add(request, image.behaviour)
        self._raise(late)
        return container.id

    async def start(self, container: str) -> None:
        """See `Runtime`."""
        late = await self._enter("start")
        found = self._get(container)
        if found.running:
            return
        if found.behaviour.start_hangs:
            await asyncio.Event().wait()
        if found.behaviour.start_error:
            raise failures.container_error(found.name, found.behaviour.start_error)
        self._check_command(found)
        self._check_ports(found)
        self._begin(found)
        self._raise(late)

    def _check_command(self, container: FakeContainer) -> None:
        command = container.request.spec.command
        if command and command[0].startswith("/missing"):
            text = f'exec: "{command[0]}": executable file not found in $PATH'
            raise failures.container_error(container.name, text)

    def _check_ports(self, container: FakeContainer) -> None:
        taken = {
            (port.host_port, port.protocol)
            for other in self._all_running()
            for port in other.request.spec.ports
        }
        for port in container.request.spec.ports:
            if (port.host_port, port.protocol) in taken:
                text = f"Bind for 0.0.0.0:{port.host_port} failed: port is already allocated"
                raise failures.container_error(container.name, text)

    async def stop(self, container: str, *, grace_seconds: float) -> None:
        """See `Runtime`."""
        late = await self._enter("stop")
        found = self.containers.get(container)
        if found is not None and found.running:
            stubborn = found.behaviour.ignores_sigterm
            wait = grace_seconds if stubborn else min(grace_seconds, found.behaviour.stop_seconds)
            await asyncio.sleep(wait)
            killed = stubborn or found.behaviour.stop_seconds > grace_seconds
            self._end(found, SIGKILL_CODE if killed else SIGTERM_CODE)
        self._raise(late)

    async def kill(self, container: str) -> None:
        """See `Runtime`."""
        await self._enter("kill")
        if (found := self.containers.get(container)) is not None:
            self._end(found, SIGKILL_CODE)

    async def remove(self, container: str) -> None:
        """See `Runtime`."""
        late = await self._enter("remove")
        if (found := self.containers.get(container)) is not None:
            self._destroy(found)
        self._raise(late)

    async def rename(self, container: str, name: str) -> None:
        """See `Runtime`."""
        await self._enter("rename")
        found = self._get(container)
        if any(each.name == name for each in self.containers.values() if each is not found):
            raise errors.Conflict(f"the container name {name} is taken")
        found.name = name
        self._emit(found, "rename")

    async def inspect(self, container: str) -> Container | None:
        """See `Runtime`."""
        await self._enter("inspect")
        named = (each for each in self.containers.values() if each.name == container)
        found = self.containers.get(container) or next(named, None)
        if found is None:
            return None
        return Container(
            id=found.id,
            name=found.name,
            labels=found.request.labels,
            state=found.state,
            exit_code=found.exit_code,
            oom_killed=found.oom_killed,
            started_at=found.started_at,
            finished_at=found.finished_at,
            address=found.address,
        )

    async def list(self, labels: Mapping[str, str]) -> tuple[ContainerSummary, ...]:
        """See `Runtime`."""
        await self._enter("list")
        return tuple(
            ContainerSummary(
                id=each.id, name=each.name, labels=each.request.labels, running=each.running
            )
            for each in self.containers.values()
            if each.labelled(labels)
        )

    @asynccontextmanager
    async def events(
        self, labels: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[ContainerEvent]]:
        """See `Runtime`."""
        await self._enter("events")
        listener = Listener(labels)
        self._listeners.append(listener)
        try:
            yield listener.events()
        finally:
            self._listeners.remove(listener)

    async def logs(self, container: str, query: LogQuery) -> AsyncIterator[Output]:
        """See `Runtime`."""
        await self._enter("logs")
        found = self._get(container)
        until = query.until or float("inf")
        chosen = [entry for entry in found.log if query.since <= entry[0] < until]
        if query.tail >= 0:
            chosen = chosen[len(chosen) - query.tail :] if query.tail else []
        seen = len(found.log)
        for at, output in chosen:
            yield _stamped(output, at) if query.timestamps else output
        while query.follow and (found.running or len(found.log) > seen):
            if len(found.log) == seen:
                await self._change(container).wait()
                self._check_up()
                continue
            at, output = found.log[seen]
            seen += 1
            yield _stamped(output, at) if query.timestamps else output

    async def exec(self, container: str, spec: ExecSpec) -> FakeExec:
        """See `Runtime`. Knows `echo`, `cat`, `true`, `false` and `sh -c "exit N"`."""
        await self._enter("exec")
        found = self._get(container)
        if not found.running:
            raise failures.container_error(found.name, "the container is not running")
        return FakeExec(spec)

    async def ensure_network(self, name: str, *, labels: Mapping[str, str]) -> None:
        """See `Runtime`."""
        await self._enter("ensure_network")
        self.networks.setdefault(name, labels)

    async def remove_network_if_unused(self, name: str, *, labels: Mapping[str, str]) -> bool:
        """See `Runtime`."""
        await self._enter("remove_network_if_unused")
        if name not in self.networks:
            return True
        theirs = self.networks[name]
        if any(theirs.get(key) != value for key, value in labels.items()):
            return False
        if any(c.running and name in c.request.networks for c in self.containers.values()):
            return False
        del self.networks[name]
        return True

    async def close(self) -> None:
        """Nothing to let go of."""

    # --- the way into every operation ---

    async def _enter(self, operation: str) -> Fault | None:
        """Wait as long as it takes, go wrong as told; returns a fault that comes late."""
        self.calls.append(operation)
        fault = self._faults[operation].popleft() if self._faults[operation] else None
        self._check_up()
        latency = self._latency.get(operation, 0.001)
        await asyncio.sleep(latency * self._random.uniform(0.5, 1.5))
        while self._frozen is not None:
            await self._frozen.wait()
        self._check_up()
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
            if fault.hang:
                await asyncio.Event().wait()
            if fault.late:
                return fault
            self._raise(fault)
        return None

    def _raise(self, fault: Fault | None) -> None:
        if fault is not None and fault.error is not None:
            raise fault.error

    def _check_up(self) -> None:
        if not self._up:
            raise failures.unavailable(WHERE, ConnectionRefusedError("connection refused"))

    def _get(self, container: str) -> FakeContainer:
        if (found := self.containers.get(container)) is None:
            raise errors.NotFound(f"Docker has no container {container[:12]}")
        return found


def _stamped(output: Output, at: float) -> Output:
    moment = datetime.fromtimestamp(at, tz=UTC)
    return replace(output, data=f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z ".encode() + output.data)
