"""From the cluster as the leader holds it to what the API shows. Pure.

Status admits its age: what a node has not confirmed within the bound is `unknown`.
"""

from __future__ import annotations

from orca.client import schema
from orca.master.observed import ProxyView
from orca.master.publication import Edition
from orca.model.ids import ServiceId
from orca.model.replica import Replica, ReplicaState
from orca.model.service import RolloutPhase
from orca.model.snapshot import NodeView, Snapshot
from orca.plan import rollout as rollouts
from orca.plan.view import ServiceView, views

SILENCE_SECONDS_MAX = 6.0
"""A node silent for longer is not believed any more: three heartbeats."""


def status(
    edition: Edition,
    *,
    cluster: str,
    http_port: int,
    now: float,
    project: str = "",
    service: ServiceId | None = None,
) -> schema.StatusResponse:
    """The whole cluster, or the part that was asked for."""
    snapshot = edition.snapshot
    chosen = [
        v
        for id, v in views(snapshot).items()
        if (not project or id.project == project) and (service is None or id == service)
    ]
    return schema.StatusResponse(
        cluster=cluster,
        leader=not edition.problem,
        epoch=snapshot.epoch,
        settled=edition.settled,
        services=tuple(service_status(edition, v, http_port=http_port, now=now) for v in chosen),
        nodes=tuple(_node(n, now) for n in snapshot.nodes.values()),
        proxies=tuple(_proxy(p) for p in edition.proxies.values()),
    )


def service_status(
    edition: Edition, of: ServiceView, *, http_port: int, now: float
) -> schema.ServiceStatus:
    """One service."""
    service, snapshot = of.service, edition.snapshot
    word, reason = judge(edition, of, now)
    ingress = of.revision.spec.ingress
    live = [r for r in of.replicas if of.is_live(r)]
    return schema.ServiceStatus(
        name=service.id.name,
        project=service.id.project,
        status=word,
        reason=reason,
        replicas=of.wanted,
        desired_replicas=of.wanted,
        running_replicas=sum(of.state(r) is ReplicaState.RUNNING for r in live),
        ready_replicas=of.ready_count(),
        image=of.revision.spec.container.image,
        domain=ingress.domains[0] if ingress.domains else "",
        urls=() if ingress.internal else _urls(ingress.domains, ingress.paths, http_port),
        revision=of.target.revision,
        stable_revision=service.stable,
        rollout=rollout_view(edition, of),
        instances=tuple(replica_view(snapshot, of, r, now) for r in of.replicas),
        version=service.version,
    )


def _urls(domains: tuple[str, ...], paths: tuple[str, ...], http_port: int) -> tuple[str, ...]:
    port = "" if http_port == 80 else f":{http_port}"
    return tuple(f"http://{domain}{port}{path.rstrip('*')}" for domain in domains for path in paths)


def judge(edition: Edition, of: ServiceView, now: float) -> tuple[str, str]:
    """A service's state in one word, and why when the word is not `running`."""
    service = of.service
    if service.removed or service.stopped:
        if not of.replicas:
            return "stopped", "stopped by the user"
        return "stopping", edition.waiting.get(
            service.id, f"{_count(len(of.replicas), 'replica')} left"
        )
    ready = of.ready_count()
    if silent := _silent(edition.snapshot, of, now):
        return "unknown", silent
    failed = service.rollout.phase is RolloutPhase.FAILED
    if service.rollout.phase is RolloutPhase.PROGRESSING:
        return "progressing", edition.waiting.get(service.id, "") or _not_ready(of)
    if failed and service.stable and ready >= of.wanted:
        return "degraded", _fell_back(of)
    if ready >= of.wanted and not failed:
        return "running", ""
    reason = service.rollout.reason if failed else _not_ready(of)
    return ("degraded" if ready else "failed"), reason or edition.waiting.get(service.id, "")


def _fell_back(of: ServiceView) -> str:
    service = of.service
    return (
        f"the rollout to revision {service.revision} failed: {service.rollout.reason}; "
        f"revision {of.target.revision} serves"
    )


def _silent(snapshot: Snapshot, of: ServiceView, now: float) -> str:
    """Why nothing certain is known of any replica; empty when something is."""
    nodes = {r.node for r in of.replicas}
    quiet = [n for id in nodes if (n := snapshot.nodes.get(id)) and not is_fresh(n, now)]
    if not nodes or len(quiet) < len(nodes):
        return ""
    name = quiet[0].node.name
    return f"node {name} has not confirmed anything for {_age(quiet[0], now):.0f} s"


def is_fresh(node: NodeView, now: float) -> bool:
    """Whether what the node said may still be taken for the truth."""
    return node.connected and now - node.seen_at <= SILENCE_SECONDS_MAX


def _age(node: NodeView, now: float) -> float:
    return max(0.0, now - node.seen_at) if node.seen_at else 0.0


def _not_ready(of: ServiceView) -> str:
    for replica in of.replicas:
        status = of.statuses.get(replica.id)
        if of.is_current(replica) and status and not of.is_ready(replica) and status.reason:
            return f"slot {replica.slot}: {status.reason}"
    missing = of.wanted - of.ready_count()
    return f"{missing} of {_count(of.wanted, 'replica')} not ready" if missing > 0 else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def replica_view(
    snapshot: Snapshot, of: ServiceView, replica: Replica, now: float
) -> schema.ReplicaView:
    """One replica."""
    status = of.statuses.get(replica.id)
    node = snapshot.nodes.get(replica.node)
    name = node.node.name if node else replica.node
    fresh = node is not None and is_fresh(node, now)
    base = schema.ReplicaView(
        id=replica.id,
        slot=replica.slot,
        revision=replica.revision,
        node=name,
        state="assigned" if fresh else "unknown",
        ready=False,
        desired=replica.desired.value,
        reason=replica.reason,
        age_seconds=_age(node, now) if node else 0.0,
    )
    if status is None:
        return base
    return base.model_copy(
        update={
            "state": status.state.label if fresh else "unknown",
            "ready": of.is_ready(replica) and fresh,
            "attempt": status.attempt,
            "restarts": status.restarts,
            "container_id": status.container_id,
            "container_name": status.container_name,
            "address": f"{status.address}:{status.port}" if status.port else status.address,
            "reason": status.reason or replica.reason,
            "exit_code": status.exit_code,
            "oom_killed": status.oom_killed,
            "last_lines": status.last_lines,
            "started_at": status.started_at,
            "next_restart_at": status.next_restart_at,
        }
    )


def rollout_view(edition: Edition, of: ServiceView) -> schema.RolloutView:
    """A service's rollout as it stands."""
    service, rollout = of.service, of.service.rollout
    newcomers = [r for r in of.replicas if r.generation == service.generation]
    failed = rollout.phase is RolloutPhase.FAILED
    return schema.RolloutView(
        id=rollout.id,
        service=str(service.id),
        phase=rollout.phase.value,
        revision=service.revision,
        from_revision=service.stable,
        desired=of.wanted,
        updated=len(newcomers),
        ready=sum(of.is_ready(r) for r in newcomers),
        old=len(of.replicas) - len(newcomers),
        waiting=_waiting(edition, of),
        reason=rollout.reason,
        last_lines=_last_lines(of) if failed else (),
        started_at=rollout.started_at,
        finished_at=rollout.finished_at,
    )


def _waiting(edition: Edition, of: ServiceView) -> str:
    if of.service.rollout.phase is not RolloutPhase.PROGRESSING:
        return ""
    if blocked := edition.waiting.get(of.service.id):
        return blocked
    if not of.wanted:
        return f"{_count(len(of.replicas), 'replica')} to stop" if of.replicas else ""
    return _not_ready(of) or _settling(of)


def _settling(of: ServiceView) -> str:
    leaving = sum(not of.is_current(r) for r in of.replicas)
    if rollouts.newcomers(of) and leaving:
        return f"{_count(leaving, 'old replica')} draining or stopping"
    return "watching that it stays ready"


def _last_lines(of: ServiceView) -> tuple[str, ...]:
    generation = of.service.generation
    for replica in of.replicas:
        status = of.statuses.get(replica.id)
        if replica.generation == generation and status and status.last_lines:
            return status.last_lines
    return ()


def _node(node: NodeView, now: float) -> schema.NodeStatus:
    facts = node.node.facts
    word, reason = "ready", ""
    if not is_fresh(node, now):
        word, reason = "unknown", "its session does not deliver"
    elif facts.docker_error:
        word, reason = "docker_down", facts.docker_error
    return schema.NodeStatus(
        id=node.node.id,
        name=node.node.name,
        status=word,
        reason=reason,
        age_seconds=_age(node, now),
        docker_version=facts.docker_version,
        cpus=facts.cpus,
        memory_bytes=facts.memory_bytes,
    )


def _proxy(proxy: ProxyView) -> schema.ProxyStatus:
    word = "ready" if proxy.connected else "unknown"
    if proxy.error:
        word = "rejected"
    return schema.ProxyStatus(
        id=proxy.id, name=proxy.name, status=word, reason=proxy.error, version=proxy.version
    )
