"""From a plan's steps to transactions: which records change, on which conditions, with which events.

Pure. Every write is conditional on the record being as the plan saw it, and on leadership (the fence).
Steps of one service stay in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from orca.master.mirror import Mirror
from orca.master.records import Record, Records, StoredDeployment
from orca.model.event import Event, Level
from orca.model.ids import ServiceId
from orca.model.service import Rollout, RolloutPhase, Service
from orca.plan.steps import (
    CreateReplica,
    ForgetReplica,
    ForgetService,
    MoveRollout,
    SetDesired,
    Step,
)
from orca.store.base import (
    Condition,
    Delete,
    DeletePrefix,
    Fence,
    KeyAbsent,
    ModRevisionIs,
    Transaction,
    Write,
)

STEPS_PER_TRANSACTION = 40
"""etcd takes 128 operations; a step makes at most three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transaction, and what happened by it."""

    transaction: Transaction
    events: tuple[Event, ...]


def service_of(step: Step) -> ServiceId:
    """The service a step belongs to."""
    match step:
        case CreateReplica() | SetDesired() | ForgetReplica():
            return step.replica.service
        case MoveRollout() | ForgetService():
            return step.service


class Committer:
    """Turns steps into transactions against one mirror."""

    def __init__(self, records: Records, mirror: Mirror, fence: Fence) -> None:
        self._records = records
        self._mirror = mirror
        self._fence = fence

    def changes(self, steps: Iterable[Step], now: float) -> Iterator[Change]:
        """The transactions for a plan, in order."""
        batch: list[Step] = []
        for _, group in groupby(steps, key=service_of):
            batch.extend(group)
            if len(batch) >= STEPS_PER_TRANSACTION:
                yield from self._split(batch, now)
                batch = []
        yield from self._split(batch, now)

    def _split(self, steps: list[Step], now: float) -> Iterator[Change]:
        for start in range(0, len(steps), STEPS_PER_TRANSACTION):
            yield self._change(steps[start : start + STEPS_PER_TRANSACTION], now)

    def _change(self, steps: list[Step], now: float) -> Change:
        conditions: list[Condition] = []
        writes: list[Write] = []
        events: list[Event] = []
        for step in steps:
            own_conditions, own_writes, own_events = self._translate(step, now)
            conditions += own_conditions
            writes += own_writes
            events += own_events
        transaction = Transaction(
            conditions=tuple(conditions), writes=tuple(writes), fence=self._fence
        )
        return Change(transaction=transaction, events=tuple(events))

    def _translate(
        self, step: Step, now: float
    ) -> tuple[list[Condition], list[Write], list[Event]]:
        match step:
            case CreateReplica():
                key = self._records.key(step.replica)
                return [KeyAbsent(key)], [self._records.put(step.replica)], [_event(step, now)]
            case SetDesired():
                put = self._records.put(step.replica)
                return [self._unchanged(step.replica)], [put], [_event(step, now)]
            case ForgetReplica():
                return [], [Delete(self._records.key(step.replica))], []
            case MoveRollout():
                return self._move(step, now)
            case ForgetService():
                return self._forget(step.service, now)

    def _unchanged(self, record: Record) -> Condition:
        return ModRevisionIs(self._records.key(record), self._mirror.version(record))

    def _move(
        self, step: MoveRollout, now: float
    ) -> tuple[list[Condition], list[Write], list[Event]]:
        service = self._mirror.services()[step.service]
        writes: list[Write] = [self._records.put(with_rollout(service, step.rollout))]
        if step.rollout.phase is RolloutPhase.PROGRESSING:
            return [self._unchanged(service)], writes, []
        history = self._mirror.deployments().get(step.service, ())
        writes += [
            self._records.put(_ended(item, step.rollout))
            for item in history
            if item.deployment.id == step.rollout.id
        ]
        return [self._unchanged(service)], writes, [_event(step, now)]

    def _forget(
        self, id: ServiceId, now: float
    ) -> tuple[list[Condition], list[Write], list[Event]]:
        keys = self._records.keys
        service = self._mirror.services()[id]
        writes: list[Write] = [
            Delete(self._records.service_key(id)),
            DeletePrefix(keys.revisions(id.project, id.name)),
            DeletePrefix(keys.deployments(id.project, id.name)),
        ]
        event = Event(at=now, kind="service.removed", message=f"{id} was removed", service=id)
        return [self._unchanged(service)], writes, [event]


def with_rollout(service: Service, rollout: Rollout) -> Service:
    """The service with its rollout moved on; a completed one becomes the stable version."""
    changed = replace(service, rollout=rollout)
    runs = service.replicas > 0 and not service.stopped and not service.removed
    if rollout.phase is RolloutPhase.COMPLETE and runs:
        return replace(changed, stable=service.revision, stable_generation=service.generation)
    return changed


def _ended(item: StoredDeployment, rollout: Rollout) -> StoredDeployment:
    deployment = replace(
        item.deployment,
        outcome=rollout.phase.value,
        finished_at=rollout.finished_at,
        reason=rollout.reason,
    )
    return replace(item, deployment=deployment)


def _event(step: CreateReplica | SetDesired | MoveRollout, now: float) -> Event:
    match step:
        case CreateReplica():
            replica, kind = step.replica, "replica.assigned"
        case SetDesired():
            replica, kind = step.replica, f"replica.{step.replica.desired}"
        case MoveRollout():
            failed = step.rollout.phase is RolloutPhase.FAILED
            return Event(
                at=now,
                kind=f"rollout.{step.rollout.phase}",
                level=Level.ERROR if failed else Level.INFO,
                message=step.describe(),
                service=step.service,
                rollout=step.rollout.id,
                trace=step.rollout.trace,
            )
    return Event(
        at=now,
        kind=kind,
        message=step.describe(),
        service=replica.service,
        replica=replica.id,
        node=replica.node,
    )
