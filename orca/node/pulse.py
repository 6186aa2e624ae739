"""`Pulse`: asks the probes of the run that is going on, each on its own timer.

It joins the pure `probe_state` with the actor's timers and the prober. What follows from the answers is
the replica's to decide.
"""

from __future__ import annotations

from dataclasses import replace

from orca.actors.actor import Context
from orca.model.container import ContainerSpec, Probe, ProbeKind
from orca.node.probe_state import SETTLE_SECONDS, Gauge, Health
from orca.node.probes import Prober
from orca.node.replica_messages import Answer, Due, ReplicaMessage
from orca.node.runtime import Container

AWAY_PACE_SECONDS = 1.0
"""Probes go on at least this often while Docker does not answer: they are all that is known."""

_NAMES = ("startup", "readiness", "liveness")


class Pulse:
    """The probes of one run at a time."""

    def __init__(self, context: Context[ReplicaMessage], prober: Prober) -> None:
        self._context = context
        self._prober = prober
        self._health: Health | None = None
        self._container: Container | None = None
        self._port = 0
        self._attempt = 0
        self._away = False

    @property
    def beats(self) -> bool:
        """Whether a run is going on."""
        return self._health is not None

    def begin(
        self,
        container: Container,
        spec: ContainerSpec,
        *,
        age_seconds: float,
        attempt: int,
        ready: bool,
    ) -> None:
        """A container runs, since `age_seconds`; `ready` says that it was known to be."""
        self._container, self._port, self._attempt = container, spec.port, attempt
        self._health = Health.begin(spec, age_seconds=age_seconds, ready=ready)
        self._schedule()
        if not self._health.settled:
            self._after(SETTLE_SECONDS - age_seconds, "settled")

    def end(self) -> None:
        """The run is over: ask no more."""
        self._health = None
        for name in _NAMES:
            self._context.cancel(f"probe:{name}")
            self._context.cancel(f"ask:{name}")
        self._context.cancel("settled")

    @property
    def ready(self) -> bool:
        """Whether it may get requests. While Docker is away only what the network shows counts."""
        if self._health is None:
            return False
        readiness = self._health.readiness
        by_network = readiness is not None and readiness.probe.kind is not ProbeKind.EXEC
        return self._health.ready and (by_network or not self._away)

    @property
    def reason(self) -> str:
        """Why it is not ready; empty when it is."""
        return self._health.reason if self._health is not None else ""

    @property
    def fatal(self) -> str:
        """Why the run has to be ended; empty while it need not."""
        return self._health.fatal if self._health is not None else ""

    @property
    def tells_at_once(self) -> bool:
        """Whether no answer has to be waited for to know if it is ready."""
        return self._health is None or self._health.readiness is None

    def docker_left(self) -> None:
        """Ask at once: the network is the only witness left."""
        self._away = True
        if self._health is not None and "readiness" in self._health.due:
            self._after(0.0, "probe:readiness")

    def docker_returned(self) -> None:
        """Back to the usual pace."""
        self._away = False

    def due(self, what: str) -> None:
        """A timer fired."""
        if self._health is None:
            return
        if what == "settled":
            self._health = replace(self._health, settled=True)
        else:
            self._ask(what.removeprefix("probe:"))

    def answered(self, answer: Answer) -> None:
        """Take note of an answer, and set the next timers unless it was the last."""
        if self._health is None:
            return
        if answer.error is None:
            ok = not answer.reason
            self._health = self._health.observe(answer.name, ok=ok, reason=answer.reason)
        self._schedule()

    def _schedule(self) -> None:
        if self._health is None:
            return
        for name in self._health.due:
            gauge = self._gauge(name)
            waiting = self._context.busy(f"probe:{name}") or self._context.busy(f"ask:{name}")
            if gauge is not None and not waiting:
                pace = gauge.pace_seconds
                self._after(min(pace, AWAY_PACE_SECONDS) if self._away else pace, f"probe:{name}")

    def _gauge(self, name: str) -> Gauge | None:
        gauge: Gauge | None = getattr(self._health, name)
        return gauge

    def _ask(self, name: str) -> None:
        gauge = self._gauge(name)
        if gauge is None or self._container is None:
            return
        attempt = self._attempt
        self._context.start(
            self._question(gauge.probe, self._container),
            key=f"ask:{name}",
            done=lambda reason: Answer(name, attempt, reason=reason),
            failed=lambda error: Answer(name, attempt, error=error),
        )

    async def _question(self, probe: Probe, container: Container) -> str:
        return await self._prober.ask(
            probe, container=container.id, address=container.address, port=self._port
        )

    def _after(self, seconds: float, what: str) -> None:
        self._context.after(seconds, Due(what, self._attempt), key=what)
