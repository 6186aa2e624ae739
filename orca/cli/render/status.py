"""The status of services, replicas, nodes and proxies."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from orca.cli.render import colors, humanize
from orca.cli.render.grid import Cell, grid, lines, stack
from orca.client.schema import (
    NodeStatus,
    ProxyStatus,
    ReplicaView,
    ServiceStatus,
    StatusResponse,
)

_CONTAINER_ID_LENGTH = 12


def status(response: StatusResponse, *, now: float, wide: bool = False) -> Text:
    """Services as a table, the reasons of what is not well below it, then what else is wrong."""
    services = sorted(response.services, key=lambda service: (service.project, service.name))
    blocks = [
        _unsettled(response),
        _services(services, now) if services else Text("No services. `orca deploy` brings some."),
    ]
    if wide:
        blocks += [
            _replicas(services, now),
            _nodes(response.nodes, now),
            _proxies(response.proxies),
        ]
    blocks += [_reasons(services), _infrastructure(response)]
    return stack(*blocks)


def is_all_running(response: StatusResponse) -> bool:
    """Whether there is nothing to worry about: every service that is wanted is served in full."""
    return response.settled and all(s.status in ("running", "stopped") for s in response.services)


def ref(service: ServiceStatus) -> str:
    """`project/name`."""
    return f"{service.project}/{service.name}"


def _unsettled(response: StatusResponse) -> Text | None:
    if response.settled:
        return None
    return Text("The server has just started and does not know all replicas yet.", style="yellow")


def _services(services: Iterable[ServiceStatus], now: float) -> Text:
    header = ("SERVICE", "STATUS", "READY", "IMAGE", "REVISION", "URL", "AGE")
    return grid(
        header,
        (
            (
                ref(service),
                _state(service),
                f"{service.ready_replicas}/{service.replicas}",
                service.image,
                _revision(service),
                " ".join(service.urls) or "-",
                humanize.age(_oldest_start(service), now),
            )
            for service in services
        ),
    )


def _state(service: ServiceStatus) -> Cell:
    shown = colors.state(service.status)
    if service.status == "unknown" and service.instances:
        silence = max(replica.age_seconds for replica in service.instances)
        shown.append(f" (confirmed {humanize.duration(silence)} ago)")
    return shown


def _revision(service: ServiceStatus) -> str:
    if service.rollout and service.rollout.phase == "progressing":
        return f"{service.rollout.from_revision or '-'} → {service.rollout.revision}"
    return str(service.revision)


def _oldest_start(service: ServiceStatus) -> float:
    return min((r.started_at for r in service.instances if r.started_at), default=0.0)


def _replicas(services: Iterable[ServiceStatus], now: float) -> Text | None:
    rows = [_replica(service, r, now) for service in services for r in service.instances]
    header = (
        "REPLICA",
        "STATE",
        "READY",
        "REVISION",
        "RESTARTS",
        "NODE",
        "CONTAINER",
        "ADDRESS",
        "AGE",
        "REASON",
    )
    return grid(header, rows) if rows else None


def _replica(service: ServiceStatus, replica: ReplicaView, now: float) -> tuple[Cell, ...]:
    state = colors.state(replica.state)
    if replica.state == "unknown":
        state.append(f" (confirmed {humanize.duration(replica.age_seconds)} ago)")
    return (
        f"{ref(service)}/{replica.slot}",
        state,
        "yes" if replica.ready else "no",
        str(replica.revision),
        str(replica.restarts),
        replica.node or "-",
        replica.container_id[:_CONTAINER_ID_LENGTH] or "-",
        replica.address or "-",
        humanize.age(replica.started_at, now),
        _replica_reason(replica, now),
    )


def _replica_reason(replica: ReplicaView, now: float) -> str:
    said = [replica.reason] if replica.reason else []
    if replica.oom_killed:
        said.append("out of memory")
    if replica.next_restart_at > now:
        said.append(f"restarts in {humanize.duration(replica.next_restart_at - now)}")
    return ", ".join(said)


def _nodes(nodes: Iterable[NodeStatus], now: float) -> Text | None:
    rows = [
        (
            node.name,
            _node_state(node),
            f"{node.cpus:g}",
            humanize.size(node.memory_bytes),
            node.docker_version or "-",
            node.reason,
        )
        for node in nodes
    ]
    header = ("NODE", "STATUS", "CPUS", "MEMORY", "DOCKER", "REASON")
    return grid(header, rows) if rows else None


def _node_state(node: NodeStatus) -> Text:
    state = colors.state(node.status)
    if node.status == "unknown":
        state.append(f" (confirmed {humanize.duration(node.age_seconds)} ago)")
    return state


def _proxies(proxies: Iterable[ProxyStatus]) -> Text | None:
    rows = [(p.name, colors.state(p.status), str(p.version), p.reason) for p in proxies]
    return grid(("PROXY", "STATUS", "VERSION", "REASON"), rows) if rows else None


def _reasons(services: Iterable[ServiceStatus]) -> Text | None:
    parts: list[Text] = []
    for service in services:
        reason = service.reason or (service.rollout.reason if service.rollout else "")
        if reason and service.status not in ("running", "stopped"):
            parts.append(Text.assemble((f"{ref(service)}: ", "bold"), reason))
            if service.status in ("degraded", "failed"):
                parts.append(Text(f"  more: orca why {ref(service)}", style="dim"))
    return lines(parts) if parts else None


def _infrastructure(response: StatusResponse) -> Text | None:
    parts = [
        Text.assemble((f"node {node.name}: ", "bold"), _node_state(node), _because(node.reason))
        for node in response.nodes
        if node.status != "ready"
    ]
    parts += [
        Text.assemble(
            (f"proxy {proxy.name}: ", "bold"), colors.state(proxy.status), _because(proxy.reason)
        )
        for proxy in response.proxies
        if proxy.status != "ready"
    ]
    return lines(parts) if parts else None


def _because(reason: str) -> str:
    return f", {reason}" if reason else ""
