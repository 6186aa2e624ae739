"""What is in a fake engine, and what goes wrong with it: images, containers, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from orca import errors
from orca.node.runtime import ContainerRequest, ContainerState, Output


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
