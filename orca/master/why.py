"""`orca why`: one causal line from spec to traffic, for a person who wants to know what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orca.client import schema
from orca.master import views
from orca.master.publication import Edition
from orca.model.replica import ReplicaState, ReplicaStatus
from orca.model.service import RolloutPhase
from orca.plan.view import ServiceView


def why(edition: Edition, of: ServiceView, *, now: float) -> schema.Why:
    """The explanation, without events: the caller adds those."""
    word, reason = views.judge(edition, of, now)
    worst = _worst(of)
    return schema.Why(
        service=str(of.service.id),
        status=word,
        summary=_summary(of, word, reason),
        causes=tuple(_causes(edition, of, now)),
        last_lines=worst.last_lines if worst and word != "running" else (),
        advice=_advice(of, word, worst),
    )


def _summary(of: ServiceView, word: str, reason: str) -> str:
    ready = f"{of.ready_count()} of {of.wanted} replicas are ready"
    id = of.service.id
    return f"{id} is {word}: {reason}" if reason else f"{id} is {word}: {ready}"


def _causes(edition: Edition, of: ServiceView, now: float) -> Iterator[str]:
    service = of.service
    yield (
        f"spec: revision {service.revision} of {of.revision.spec.container.image}, "
        f"{of.wanted} replicas wanted"
    )
    phase = service.rollout.phase
    detail = f": {service.rollout.reason}" if service.rollout.reason else ""
    yield f"rollout: {phase.value}{detail}"
    if phase is RolloutPhase.FAILED and service.stable:
        yield f"fallback: revision {of.target.revision} is kept serving"
    if blocked := edition.waiting.get(service.id):
        yield f"waiting: {blocked}"
    for replica in of.replicas:
        seen = views.replica_view(edition.snapshot, of, replica, now)
        ready = "ready" if seen.ready else "not ready"
        tail = f": {seen.reason}" if seen.reason else ""
        yield f"replica: slot {seen.slot}, revision {seen.revision}, {seen.state}, {ready}{tail}"
    yield from _traffic(edition, of)


def _traffic(edition: Edition, of: ServiceView) -> Iterator[str]:
    ingress = of.revision.spec.ingress
    if not ingress.domains or ingress.internal:
        yield "traffic: no domain, so the proxy sends it nothing"
        return
    backends = [b for b in edition.routes.backends if b.service == of.service.id]
    count = sum(len(b.endpoints) for b in backends)
    noun = "endpoint" if count == 1 else "endpoints"
    yield f"traffic: {', '.join(ingress.domains)} → {count} {noun}"
    for proxy in edition.proxies.values():
        if proxy.error:
            yield f"proxy: {proxy.name} rejected the newest routes: {proxy.error}"
        elif not proxy.connected:
            yield f"proxy: {proxy.name} is not connected; it serves its last good routes"


def _worst(of: ServiceView) -> ReplicaStatus | None:
    """The replica with the most to tell: the one that restarted most, of those not ready."""
    suspects = [
        status
        for replica in of.replicas
        if (status := of.statuses.get(replica.id)) and not of.is_ready(replica)
    ]
    return max(suspects, key=lambda s: (s.restarts, s.changed_at), default=None)


def _advice(of: ServiceView, word: str, worst: ReplicaStatus | None) -> str:
    name = of.service.id
    if word == "running":
        return ""
    if word == "stopped":
        return f"start it: orca start {name}"
    if worst is None:
        return f"look at the events: orca events; or deploy again: orca deploy {name.name}"
    if worst.oom_killed:
        return "it ran out of memory: raise resources.memory, then deploy again"
    if worst.exit_code >= 0 or worst.state is ReplicaState.FAILED:
        return f"read its last output: orca logs {name} --previous"
    if worst.state is ReplicaState.RUNNING:
        return (
            "it runs, but its readiness probe fails: check the probe's port and path, "
            f"and the output: orca logs {name}"
        )
    return f"read its output: orca logs {name}"
