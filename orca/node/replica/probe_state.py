"""What a row of probe answers means. Pure: no clock, no sockets.

A `Gauge` turns single answers into a verdict by its thresholds; `pace` says how long to wait before
the next question. The hard part is speed at the beginning: until its first success a probe asks every
25 ms, then slower and slower up to its interval, because nobody is served before it answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orca.model.container import ContainerSpec, Probe, ProbeKind

FIRST_PACE_SECONDS = 0.025
PACE_GROWTH = 1.25
IMPLICIT_INTERVAL_SECONDS = 5.0
IMPLICIT_TIMEOUT_SECONDS = 1.0
SETTLE_SECONDS = 1.0
"""A container with nothing to probe is ready once it has stayed up this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """The answers to one probe of one attempt."""

    probe: Probe
    eager: bool = True
    """Whether to ask faster than the interval until it first passes. Never for liveness: there a failure
    counts towards a kill, and the user's interval is the patience he granted."""
    delay_seconds: float = 0.0
    """Before the first question."""
    asked: int = 0
    waited_seconds: float = 0.0
    """Sum of the pauses before the answers so far."""
    successes: int = 0
    """In a row."""
    failures: int = 0
    """In a row."""
    passing: bool = False
    """The verdict: reached `success_threshold`, and not `failure_threshold` since."""
    ever_passed: bool = False
    reason: str = ""
    """Why the last answer was a failure."""

    def observe(self, *, ok: bool, reason: str = "") -> Gauge:
        """The gauge after one more answer."""
        failures = 0 if ok else self.failures + 1
        successes = self.successes + 1 if ok else 0
        passing = self.passing or successes >= self.probe.success_threshold
        passing = passing and failures < self.probe.failure_threshold
        return replace(
            self,
            asked=self.asked + 1,
            waited_seconds=self.waited_seconds + self.pace_seconds,
            successes=successes,
            failures=failures,
            passing=passing,
            ever_passed=self.ever_passed or passing,
            reason="" if ok else reason,
        )

    @property
    def failed(self) -> bool:
        """Whether `failure_threshold` answers in a row were failures."""
        return self.failures >= self.probe.failure_threshold

    @property
    def out_of_patience(self) -> bool:
        """Whether it failed for as long as `failure_threshold` answers at its interval would take.

        An eager probe reaches the number of failures long before.
        """
        allowed = self.probe.interval_seconds * (self.probe.failure_threshold - 1)
        return self.failed and self.waited_seconds - self.delay_seconds >= allowed

    @property
    def pace_seconds(self) -> float:
        """Seconds until the next question."""
        if self.asked == 0:
            return self.delay_seconds
        if self.ever_passed or not self.eager:
            return self.probe.interval_seconds
        eager = FIRST_PACE_SECONDS * PACE_GROWTH ** min(self.asked - 1, 60)
        return min(self.probe.interval_seconds, eager)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All that the probes of one attempt have shown so far."""

    startup: Gauge | None
    readiness: Gauge | None
    liveness: Gauge | None
    settled: bool = False
    """Whether it has stayed up for `SETTLE_SECONDS`."""

    @classmethod
    def begin(cls, spec: ContainerSpec, *, age_seconds: float = 0.0, ready: bool = False) -> Health:
        """Nothing asked yet of a container that has been up for `age_seconds`.

        `ready` says that it already was: it stays so until its probes show otherwise. A service with a
        port and no readiness probe is ready when it listens.
        """

        def gauge(probe: Probe | None, *, eager: bool = True) -> Gauge | None:
            if probe is None:
                return None
            delay = max(0.0, probe.initial_delay_seconds - age_seconds)
            return Gauge(
                probe=probe, eager=eager, delay_seconds=delay, passing=ready, ever_passed=ready
            )

        return cls(
            startup=gauge(spec.startup),
            readiness=gauge(spec.readiness or _implicit(spec)),
            liveness=gauge(spec.liveness, eager=False),
            settled=age_seconds >= SETTLE_SECONDS,
        )

    @property
    def started(self) -> bool:
        """Whether readiness and liveness may be asked."""
        return self.startup is None or self.startup.ever_passed

    @property
    def ready(self) -> bool:
        """Whether the replica may get requests."""
        if not self.started:
            return False
        return self.settled if self.readiness is None else self.readiness.passing

    @property
    def due(self) -> tuple[str, ...]:
        """Names of the probes that are to be asked now."""
        if not self.started:
            return ("startup",)
        names = ("readiness", "liveness")
        return tuple(name for name in names if getattr(self, name) is not None)

    @property
    def fatal(self) -> str:
        """Why the container has to be restarted; empty while it need not."""
        if not self.started and self.startup is not None and self.startup.out_of_patience:
            return _verdict("startup", self.startup)
        if self.started and self.liveness is not None and self.liveness.failed:
            return _verdict("liveness", self.liveness)
        return ""

    @property
    def reason(self) -> str:
        """Why it is not ready, for people; empty when it is."""
        if self.ready:
            return ""
        gauge = self.startup if not self.started else self.readiness
        if gauge is None:
            return "waiting to see it stay up"
        if gauge.asked == 0:
            return "waiting for its first probe"
        return gauge.reason or "waiting for its probe to pass"

    def observe(self, name: str, *, ok: bool, reason: str = "") -> Health:
        """After one more answer to the probe `name`."""
        gauge: Gauge | None = getattr(self, name)
        if gauge is None:
            return self
        seen = gauge.observe(ok=ok, reason=reason)
        match name:
            case "startup":
                return replace(self, startup=seen)
            case "readiness":
                return replace(self, readiness=seen)
            case _:
                return replace(self, liveness=seen)


def _implicit(spec: ContainerSpec) -> Probe | None:
    if not spec.port:
        return None
    return Probe(
        kind=ProbeKind.TCP,
        port=spec.port,
        interval_seconds=IMPLICIT_INTERVAL_SECONDS,
        timeout_seconds=IMPLICIT_TIMEOUT_SECONDS,
    )


def _verdict(name: str, gauge: Gauge) -> str:
    times = "once" if gauge.failures == 1 else f"{gauge.failures} times in a row"
    return f"its {name} probe failed {times}: {gauge.reason}"
