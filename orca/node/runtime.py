"""The port to a container engine: everything the node may ask of one.

`docker/` implements it on a Docker Engine, `orca.testing.fake_docker` in memory; one suite of contract
tests holds both to what is written here. What is not here: any policy. Nobody behind this port decides
when a container is restarted.

Every call may raise `DockerUnavailable` when the engine does not answer. Calls that end something
(`stop`, `kill`, `remove`, `remove_network_if_unused`) succeed when it is already gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orca.model.container import ContainerSpec, PullPolicy, VolumeMount
from orca.rpc.messages import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What an engine says of itself and its host."""

    version: str
    hostname: str = ""
    cpus: float = 0.0
    memory_bytes: int = 0
    live_restore: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRequest:
    """A container to be made. Holds secrets in `spec`, which therefore is not shown by `repr`."""

    name: str
    image: str
    """Image id or digest reference; must be on the host."""
    spec: ContainerSpec = field(repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] = ()
    """The first is the primary one; the others are connected before the container starts."""
    owner: Mapping[str, str] = field(default_factory=dict)
    """Labels for the networks and volumes that have to be made first."""
    aliases: tuple[str, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    """With the engine's names."""
    secrets_directory: str = ""
    """Directory of the host that appears as `/run/secrets`; empty is none."""


LOG_LAG_SECONDS = 0.05
"""How much later than a run's end its last lines may be dated. A next run begins later than that."""


class ContainerState(StrEnum):
    """Where the engine says a container stands."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSummary:
    """One line of a listing."""

    id: str
    name: str
    labels: Mapping[str, str]
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container, inspected."""

    id: str
    name: str
    labels: Mapping[str, str]
    state: ContainerState
    exit_code: int = -1
    """Of the last run; -1 when it has never ended."""
    oom_killed: bool = False
    error: str = ""
    """Why the engine could not run it, in the engine's words."""
    started_at: float = 0.0
    """Unix seconds of the last start; 0 is never."""
    finished_at: float = 0.0
    """Unix seconds of the last end, also while it runs again; 0 is never.

    The border between the logs of two runs: lines of a quick one may be older than its `started_at`.
    """
    address: str = ""
    """On its primary network, from the host; empty while it does not run."""

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.state is ContainerState.RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEvent:
    """Something happened to a container: `create`, `start`, `die`, `oom`, `rename`, `destroy` …"""

    container: str
    action: str
    labels: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = -1
    """Of `die`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which part of a container's log."""

    follow: bool = False
    tail: int = -1
    """Lines from the end; -1 is all."""
    since: float = 0.0
    """Unix seconds; 0 is the beginning."""
    until: float = 0.0
    """Unix seconds; 0 is now."""
    timestamps: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes a container wrote."""

    channel: Channel
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSpec:
    """A command to run inside a container. `env` may hold secrets."""

    command: tuple[str, ...]
    tty: bool = False
    stdin: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str = ""
    columns: int = 0
    rows: int = 0


class ExecSession(Protocol):
    """A command running inside a container."""

    async def read(self) -> Output | None:
        """Wait for output; None when the command has closed its outputs."""
        ...

    async def write(self, data: bytes) -> None:
        """Write to its standard input; waits while the command does not read."""
        ...

    async def close_stdin(self) -> None:
        """End its standard input."""
        ...

    async def resize(self, *, columns: int, rows: int) -> None:
        """Tell its terminal a new size; does nothing without one."""
        ...

    async def exit_code(self) -> int:
        """How it ended; to be asked after `read` returned None."""
        ...

    async def close(self) -> None:
        """Let go of it; idempotent. The command itself is not killed."""
        ...


class Runtime(Protocol):
    """A container engine."""

    async def ping(self) -> None:
        """Return when the engine answers; raises `DockerUnavailable` with the reason otherwise."""
        ...

    async def facts(self) -> EngineFacts:
        """What the engine says of itself."""
        ...

    async def resolve_image(self, image: str, *, pull: PullPolicy) -> str:
        """Make sure an image is on the host, asking its registry where the policy says so.

        Returns `repository@sha256:…`, or `sha256:…` for an image no registry knows. Raises `ImageError`
        with advice; `permanent` where the same request cannot succeed later.
        """
        ...

    async def create(self, request: ContainerRequest) -> str:
        """Make a container and the networks it needs; returns its id.

        Raises `Conflict` when the name is taken, `ImageError` when the image is not on the host, and
        `ContainerError` when the engine refuses the request.
        """
        ...

    async def start(self, container: str) -> None:
        """Start it; does nothing when it runs.

        Raises `NotFound` when it is gone, and `ContainerError`: `permanent` for a command that does not
        exist, not so for a host port that somebody else holds (which is named).
        """
        ...

    async def stop(self, container: str, *, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the grace; returns when it has ended."""
        ...

    async def kill(self, container: str) -> None:
        """SIGKILL."""
        ...

    async def remove(self, container: str) -> None:
        """Remove it with its anonymous volumes, running or not."""
        ...

    async def rename(self, container: str, name: str) -> None:
        """Give it another name. Raises `Conflict` when that is taken and `NotFound`."""
        ...

    async def inspect(self, container: str) -> Container | None:
        """Look at one container, by id or name; None when there is no such."""
        ...

    async def list(self, labels: Mapping[str, str]) -> tuple[ContainerSummary, ...]:
        """Every container, running or not, that carries all these labels."""
        ...

    def events(
        self, labels: Mapping[str, str]
    ) -> AbstractAsyncContextManager[AsyncIterator[ContainerEvent]]:
        """Subscribe to the events of containers with all these labels.

        On entry the subscription stands: nothing that happens after it is missed. The iterator raises
        `DockerUnavailable` when it breaks; it never just ends.
        """
        ...

    def logs(self, container: str, query: LogQuery) -> AsyncIterator[Output]:
        """What a container wrote, in order. Raises `NotFound`."""
        ...

    async def exec(self, container: str, spec: ExecSpec) -> ExecSession:
        """Run a command inside; raises `NotFound`, and `ContainerError` when it does not run."""
        ...

    async def ensure_network(self, name: str, *, labels: Mapping[str, str]) -> None:
        """Make a bridge network unless there is one of that name."""
        ...

    async def remove_network_if_unused(self, name: str, *, labels: Mapping[str, str]) -> bool:
        """Remove a network that carries these labels and has no container; whether it is gone."""
        ...

    async def close(self) -> None:
        """Let go of the engine; containers are not touched."""
        ...
