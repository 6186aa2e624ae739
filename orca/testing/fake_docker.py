"""A container engine in memory, on the loop's clock, with faults by script.

Implements `Runtime` and passes the same contract suite as the real Docker. Images behave as told; any
operation can be made to fail, hang or take its time; the daemon can go and come, with or without
live-restore; events can be lost. All chance comes from one seed.

It is not a simulation of Docker's internals: what the contract suite does not ask is not there. The hard
part is the daemon's absence, where containers and the daemon live apart: `stop_daemon` ends both unless
live-restore is on, `kill_daemon` leaves containers running until it is back.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from orca import errors
from orca.model.container import ContainerSpec, Probe, ProbeKind, PullPolicy
from orca.node import images
from orca.node.docker import failures
from orca.node.runtime import (
    Container,
    ContainerEvent,
    ContainerRequest,
    ContainerState,
    ContainerSummary,
    EngineFacts,
    ExecSpec,
    LogQuery,
    Output,
)
from orca.rpc.messages import Channel

WHERE = "fake://docker"
SIGTERM_CODE = 143
SIGKILL_CODE = 137
BOOT_SECONDS = 1_767_225_600.0
"""Wall clock at second 0 of the loop: 2026-01-01."""

LATENCY_SECONDS = {"create": 0.015, "start": 0.15, "remove": 0.02, "stop": 0.02}
"""About what a real engine takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container of an image does. Times are seconds after its start."""

    lines: tuple[str, ...] = ()
    """Written to stdout at once; a line that begins with `err:` goes to stderr."""
    crash_after: float | None = None
    exit_code: int = 1
    oom: bool = False
    """The crash is a kill for lack of memory."""
    listens_after: float = 0.0
    """When its port begins to answer."""
    never_ready: bool = False
    sick_after: float | None = None
    """When it stops answering probes, alive all the same."""
    ignores_sigterm: bool = False
    stop_seconds: float = 0.0
    """How long it takes to end after SIGTERM."""
    start_error: str = ""
    """What Docker says instead of starting it."""
    start_hangs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeImage:
    """An image, on the host or in a registry."""

    id: str
    digest: str = ""
    """`repository@sha256:…` if a registry knows it."""
    behaviour: Behaviour = field(default_factory=Behaviour)
    pull_seconds: float = 0.0
    pull_error: str = ""
    """What the registry says instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong with one operation."""

    error: errors.OrcaError | None = None
    hang: bool = False
    delay_seconds: float = 0.0
    late: bool = False
    """The operation takes effect before the error is raised."""


@dataclass(slots=True, kw_only=True)
class FakeContainer:
    """A container, as tests see it."""

    id: str
    request: ContainerRequest
    behaviour: Behaviour
    name: str
    state: ContainerState = ContainerState.CREATED
    exit_code: int = -1
    oom_killed: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    starts: int = 0
    address: str = ""
    log: list[tuple[float, Output]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.state is ContainerState.RUNNING

    def labelled(self, labels: Mapping[str, str]) -> bool:
        """Whether it carries all these labels."""
        return all(self.request.labels.get(key) == value for key, value in labels.items())


class FakeRuntime:
    """An engine. Give each node its own."""

    def __init__(
        self,
        *,
        seed: int = 0,
        now: Callable[[], float] | None = None,
        live_restore: bool = False,
        latency_seconds: Mapping[str, float] | None = None,
    ) -> None:
        self.live_restore = live_restore
        self.containers: dict[str, FakeContainer] = {}
        self.networks: dict[str, Mapping[str, str]] = {}
        self.loses_events = False
        self.calls: list[str] = []
        """Every operation, in order."""
        self._random = random.Random(seed)
        self.now = now or (lambda: BOOT_SECONDS + asyncio.get_running_loop().time())
        self._latency = LATENCY_SECONDS if latency_seconds is None else latency_seconds
        self._local: dict[str, FakeImage] = {}
        self._registry: dict[str, FakeImage] = {}
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._up = True
        self._frozen: asyncio.Event | None = None
        self._listeners: list[_Listener] = []
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

    def fault(self, operation: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next calls of `operation` go wrong."""
        self._faults[operation].extend([fault] * times)

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

    def freeze(self) -> None:
        """Calls are accepted and not answered."""
        self._frozen = self._frozen or asyncio.Event()

    def thaw(self) -> None:
        """Undo `freeze`."""
        if self._frozen is not None:
            self._frozen.set()
            self._frozen = None

    def by_replica(self, replica: str) -> FakeContainer | None:
        """The container of a replica."""
        found = (c for c in self.containers.values() if c.labelled({"orca.replica": replica}))
        return next(found, None)

    def _all_running(self) -> list[FakeContainer]:
        return [each for each in self.containers.values() if each.running]

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

    async def remove(self, container: str) -> None:
        """See `Runtime`."""
        late = await self._enter("remove")
        if (found := self.containers.get(container)) is not None:
            self._destroy(found)
        self._raise(late)

    def _destroy(self, container: FakeContainer) -> None:
        self._end(container, SIGKILL_CODE)
        del self.containers[container.id]
        self._emit(container, "destroy")
        self._wake(container.id)

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
        listener = _Listener(labels)
        self._listeners.append(listener)
        try:
            yield listener.events()
        finally:
            self._listeners.remove(listener)

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

    def _change(self, container: str) -> asyncio.Event:
        event = self._changed.get(container)
        if event is None or event.is_set():
            event = self._changed[container] = asyncio.Event()
        return event

    def _wake(self, container: str) -> None:
        if event := self._changed.get(container):
            event.set()

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


class _Listener:
    """One subscription."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self.queue: asyncio.Queue[ContainerEvent | None] = asyncio.Queue()

    def breaks(self) -> None:
        self.queue.put_nowait(None)

    async def events(self) -> AsyncIterator[ContainerEvent]:
        while (event := await self.queue.get()) is not None:
            yield event
        raise failures.unavailable(WHERE, ConnectionError("the event stream ended"))


class FakeExec:
    """A command that ends at once, or with its input."""

    def __init__(self, spec: ExecSpec) -> None:
        self._spec = spec
        self._outputs: asyncio.Queue[Output | None] = asyncio.Queue()
        self._code = 0
        self.size = (spec.columns, spec.rows)
        self._run()

    def _run(self) -> None:
        match self._spec.command:
            case ("cat", *_) if self._spec.stdin:
                return
            case ("echo", *words):
                self._say(" ".join(words) + "\n")
            case ("sh", "-c", script) if script.startswith("exit "):
                self._code = int(script.removeprefix("exit "))
            case ("false", *_):
                self._code = 1
            case ("true", *_) | ("cat", *_):
                self._code = 0
            case (name, *_):
                self._say(f'exec: "{name}": executable file not found in $PATH\n')
                self._code = 126
        self._outputs.put_nowait(None)

    def _say(self, text: str) -> None:
        self._outputs.put_nowait(Output(Channel.STDOUT, text.encode()))

    async def read(self) -> Output | None:
        """See `ExecSession`."""
        return await self._outputs.get()

    async def write(self, data: bytes) -> None:
        """See `ExecSession`."""
        self._outputs.put_nowait(Output(Channel.STDOUT, data))

    async def close_stdin(self) -> None:
        """See `ExecSession`."""
        self._outputs.put_nowait(None)

    async def resize(self, *, columns: int, rows: int) -> None:
        """See `ExecSession`."""
        self.size = (columns, rows)

    async def exit_code(self) -> int:
        """See `ExecSession`."""
        return self._code

    async def close(self) -> None:
        """See `ExecSession`."""


class FakeProber:
    """Asks the containers of a `FakeRuntime`, without sockets."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime = runtime

    async def ask(self, probe: Probe, *, container: str, address: str, port: int) -> str:
        """See `Prober`. The daemon is needed for exec probes only."""
        if probe.kind is ProbeKind.EXEC:
            await self._runtime.ping()
        await asyncio.sleep(0.001)
        where = f"{address}:{probe.port or port}"
        found = self._runtime.containers.get(container)
        if found is None or not found.running or found.address != address:
            return f"{where} → no route to host"
        age = self._runtime.now() - found.started_at
        behaviour = found.behaviour
        if behaviour.never_ready or age < behaviour.listens_after:
            return f"{where} → connection refused"
        if behaviour.sick_after is not None and age >= behaviour.sick_after:
            return f"GET http://{where}{probe.path} → 503"
        return ""

    async def close(self) -> None:
        """Nothing to let go of."""


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _stamped(output: Output, at: float) -> Output:
    moment = datetime.fromtimestamp(at, tz=UTC)
    return replace(output, data=f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z ".encode() + output.data)
