"""From what a node says to events that a person wants to read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orca.model.event import Event, Level
from orca.model.ids import ReplicaId
from orca.model.replica import Replica, ReplicaState, ReplicaStatus


def of_statuses(
    before: Mapping[ReplicaId, ReplicaStatus],
    after: Iterable[ReplicaStatus],
    replicas: Mapping[ReplicaId, Replica],
    now: float,
) -> Iterator[Event]:
    """The events of a report; statuses that tell nothing new give none."""
    for status in after:
        replica = replicas.get(status.replica)
        told = _tell(before.get(status.replica), status)
        if replica is None or told is None:
            continue
        kind, level, text = told
        yield Event(
            at=now,
            kind=kind,
            level=level,
            message=f"{replica.service} slot {replica.slot}: {text}",
            service=replica.service,
            replica=replica.id,
            node=replica.node,
        )


def _tell(before: ReplicaStatus | None, now: ReplicaStatus) -> tuple[str, Level, str] | None:
    if before is not None and now.restarts > before.restarts:
        return "replica.restarted", Level.WARNING, f"restart {now.restarts}: {now.reason}"
    if before is not None and now.exit_code != before.exit_code and now.exit_code >= 0:
        return "replica.exited", Level.WARNING, now.reason or f"exited with {now.exit_code}"
    if now.state is ReplicaState.FAILED and (before is None or before.state is not now.state):
        return "replica.failed", Level.ERROR, now.reason or "failed"
    if now.ready and (before is None or not before.ready):
        return "replica.ready", Level.INFO, f"ready at {now.address}:{now.port}"
    if before is not None and before.ready and not now.ready:
        level = Level.WARNING if now.state <= ReplicaState.RUNNING else Level.INFO
        return "replica.unready", level, now.reason or f"{now.state.label}, not ready"
    return None
