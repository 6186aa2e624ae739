"""`Run`: one run of a container, as its probes show it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from orca.model.container import ContainerSpec, ProbeKind
from orca.node.replica.probe_state import Gauge, Health
from orca.node.replica.tasks import Ask, Slot
from orca.node.runtime import Container


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A container runs."""

    container: Container
    """As it was when the run was first seen."""
    port: int
    """Where probes that name none ask."""
    health: Health = field(repr=False)
    """What its probes have shown; not shown itself, because the command of a probe may hold a secret."""
    answered: bool = False
    """Whether a probe that decides on its readiness has been asked."""
    dying: bool = False
    """An event said that it died; no look has shown it yet."""
    ripe: bool = False
    """Whether it has been ready long enough: the next look decides whether it is available."""
    available: bool = False
    """Whether a look after that still showed this run."""

    @classmethod
    def begin(
        cls, container: Container, spec: ContainerSpec, *, age_seconds: float, ready: bool
    ) -> Run:
        """It has been running for `age_seconds`; `ready` says that it was known to be."""
        health = Health.begin(spec, age_seconds=age_seconds, ready=ready)
        return cls(container=container, port=spec.port, health=health)

    def ready(self, *, docker_away: bool) -> bool:
        """Whether it may get requests. While Docker is away only what the network shows counts."""
        if self.dying or not self.health.ready:
            return False
        readiness = self.health.readiness
        by_network = readiness is not None and readiness.probe.kind is not ProbeKind.EXEC
        return by_network or not docker_away

    @property
    def reason(self) -> str:
        """Why it is not ready; empty when it is."""
        return self.health.reason

    @property
    def fatal(self) -> str:
        """Why it has to be ended; empty while it need not."""
        return self.health.fatal

    @property
    def shown(self) -> bool:
        """Whether it is known if it is ready: asked, or nothing has to be asked for that."""
        return self.answered or self.health.readiness is None

    def due(self) -> Iterator[tuple[Slot, Gauge]]:
        """The probes that are to be asked now."""
        for name in self.health.due:
            gauge: Gauge | None = getattr(self.health, name)
            if gauge is not None:
                yield Slot(name), gauge

    def question(self, slot: Slot) -> Ask:
        """The probe that is asked in this slot."""
        gauge: Gauge = getattr(self.health, slot)
        return Ask(gauge.probe, self.container, port=self.port)

    def observe(self, slot: Slot, reason: str | None) -> Run:
        """A probe was asked and said `reason`: empty is a success, None is that nothing was learned."""
        run = replace(self, answered=self.answered or slot is not Slot.LIVENESS)
        if reason is None:
            return run
        return replace(run, health=run.health.observe(slot, ok=not reason, reason=reason))

    def settled(self) -> Run:
        """It has stayed up."""
        return replace(self, health=replace(self.health, settled=True))
