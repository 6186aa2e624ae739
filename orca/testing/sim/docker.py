"""A node's engine in a simulation: a fake one that is observed, and that outlives who asked.

An engine carries out what it has accepted, whether or not the agent that asked still waits; containers
and the daemon are no part of the agent's process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from orca.model.container import PullPolicy
from orca.node.runtime import ContainerRequest
from orca.testing.fake_docker import FakeContainer, FakeRuntime
from orca.testing.sim.processes import call_outside, shielded


class EngineObserver(Protocol):
    """Told of what is asked of an engine and what happens in it, at the very moment."""

    def creates(self, node: str, request: ContainerRequest) -> None:
        """The agent is about to make a container."""

    def ends(self, node: str, container: FakeContainer, how: str) -> None:
        """The agent is about to stop, kill or remove a container."""

    def began(self, node: str, container: FakeContainer) -> None:
        """A container runs."""

    def ended(self, node: str, container: FakeContainer) -> None:
        """A container ran and does not any more."""


class SimEngine(FakeRuntime):
    """The engine of one node."""

    def __init__(
        self,
        node: str,
        *,
        index: int,
        seed: int,
        now: Callable[[], float],
        live_restore: bool,
        observer: EngineObserver,
    ) -> None:
        super().__init__(seed=seed, now=now, live_restore=live_restore)
        self.node = node
        self._index = index
        self.observer = observer

    # --- what the agent asks ---

    async def resolve_image(self, image: str, *, pull: PullPolicy) -> str:
        return await shielded(super().resolve_image(image, pull=pull))

    async def create(self, request: ContainerRequest) -> str:
        self.observer.creates(self.node, request)
        return await shielded(super().create(request))

    async def start(self, container: str) -> None:
        await shielded(super().start(container))

    async def stop(self, container: str, *, grace_seconds: float) -> None:
        self._about_to_end(container, "stop")
        await shielded(super().stop(container, grace_seconds=grace_seconds))

    async def kill(self, container: str) -> None:
        self._about_to_end(container, "kill")
        await shielded(super().kill(container))

    async def remove(self, container: str) -> None:
        self._about_to_end(container, "remove")
        await shielded(super().remove(container))

    async def rename(self, container: str, name: str) -> None:
        await shielded(super().rename(container, name))

    def _about_to_end(self, container: str, how: str) -> None:
        if (found := self.containers.get(container)) is not None:
            self.observer.ends(self.node, found, how)

    # --- what happens ---

    def _begin(self, container: FakeContainer) -> None:
        call_outside(super()._begin, container)
        # Each node has a network of its own.
        container.address = container.address.replace("10.9.", f"10.{100 + self._index}.", 1)
        self.observer.began(self.node, container)

    def _end(self, container: FakeContainer, exit_code: int, *, oom: bool = False) -> None:
        ran = container.running
        super()._end(container, exit_code, oom=oom)
        if ran:
            self.observer.ended(self.node, container)

    def forget_faults(self) -> None:
        """Let no more calls go wrong."""
        self._faults.clear()


def well_from(container: FakeContainer) -> float:
    """Seconds after its start from which a container answers; one that nobody asks just has to run."""
    if not container.request.spec.port:
        return 0.0
    return float("inf") if container.behaviour.never_ready else container.behaviour.listens_after


def well_until(container: FakeContainer) -> float:
    """Seconds after its start until which it answers."""
    sick = container.behaviour.sick_after
    return float("inf") if sick is None or not container.request.spec.port else sick
