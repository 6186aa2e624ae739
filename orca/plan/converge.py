"""From the replicas that are to those that shall be: which to create, drain, stop and forget.

Properties, whatever the faults (held by `tests/unit/plan/test_properties.py`):

- start-first: a ready replica is only retired once its slot has an available successor;
- stop-first: two replicas of a slot never run at once, and at most `max_unavailable` slots are emptied;
- no replica is created while a dependency is unmet, nor is an old one stopped to make room for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from orca.model.ids import Epoch, NodeId, ReplicaId, ServiceId
from orca.model.replica import Desired, Replica, ReplicaState
from orca.plan.place import Unplaceable
from orca.plan.steps import CreateReplica, ForgetReplica, SetDesired
from orca.plan.view import ServiceView, stops_first

ReplicaStep = CreateReplica | SetDesired | ForgetReplica
LEAVE_SECONDS = 1.0
"""What proxies get at least to hear that a replica takes no more requests, before it is stopped."""

Placer = Callable[[ServiceView, int], NodeId | Unplaceable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What convergence has to know besides the service itself."""

    now: float
    epoch: Epoch
    place: Placer
    placed: Callable[[Replica], None]
    """Told each new replica, so that the next one of the same pass counts it."""
    drained: frozenset[ReplicaId] = frozenset()
    gone: frozenset[ReplicaId] = frozenset()
    waits: str = ""
    """The dependency waited for; empty when none."""
    held_by: ServiceId | None = None
    """A dependent that has to stop first."""


@dataclass(slots=True)
class _Pass:
    """One pass over one service."""

    view: ServiceView
    around: Surroundings
    steps: list[ReplicaStep] = field(default_factory=list)
    retired: set[ReplicaId] = field(default_factory=set)
    blocked: str = ""
    """The first thing that is in the way, in words."""

    def retire(self, replica: Replica, reason: str) -> None:
        """Take a replica out of traffic; stop it at once where it has none."""
        if replica.desired is not Desired.RUN or replica.id in self.retired:
            return
        self.retired.add(replica.id)
        if is_routed(self.view, replica):
            drain_seconds = self.view.revision.spec.update.drain_seconds
            until = self.around.now + max(drain_seconds, LEAVE_SECONDS)
            change = replace(replica, desired=Desired.DRAIN, drain_until=until, reason=reason)
        else:
            change = replace(replica, desired=Desired.STOP, reason=reason)
        self.steps.append(SetDesired(replica=change, reason=reason))

    def block(self, reason: str) -> None:
        """Note what is in the way."""
        self.blocked = self.blocked or reason

    def may_start(self, slot: int) -> NodeId | None:
        """Where a new replica of a slot would go; None when something is in the way."""
        if self.around.waits:
            self.block(self.around.waits)
            return None
        node = self.around.place(self.view, slot)
        if isinstance(node, Unplaceable):
            self.block(node.reason)
            return None
        return node

    def create(self, slot: int, reason: str) -> bool:
        """Assign a new replica of the target, unless something is in the way."""
        node = self.may_start(slot)
        if node is None:
            return False
        replica = _new_replica(self.view, self.around, slot=slot, node=node, reason=reason)
        self.around.placed(replica)
        self.steps.append(CreateReplica(replica=replica, reason=reason))
        return True


def converge(view: ServiceView, around: Surroundings) -> tuple[tuple[ReplicaStep, ...], str]:
    """The steps for one service, and what it waits for when something is in the way."""
    work = _Pass(view, around)
    _finish(work)
    if not view.wanted:
        _stop_all(work)
    else:
        _fill_slots(work)
        _drop_excess(work)
    return tuple(work.steps), work.blocked


def _finish(work: _Pass) -> None:
    """Move what is on its way out one step further."""
    around = work.around
    for replica in work.view.replicas:
        state = work.view.state(replica)
        if replica.desired is Desired.DRAIN and _has_drained(work, replica):
            change = replace(replica, desired=Desired.STOP)
            work.steps.append(SetDesired(replica=change, reason=replica.reason))
        elif replica.desired is Desired.STOP and (
            replica.id in around.gone or state is ReplicaState.STOPPED
        ):
            work.steps.append(ForgetReplica(replica=replica))


def _has_drained(work: _Pass, replica: Replica) -> bool:
    expired = work.around.now >= replica.drain_until
    return expired or replica.id in work.around.drained or not work.view.is_ready(replica)


def _stop_all(work: _Pass) -> None:
    if work.around.held_by is not None:
        work.block(f"{work.around.held_by} depends on it and stops first")
        return
    reason = "removed" if work.view.service.removed else "stopped by the user"
    for replica in work.view.replicas:
        work.retire(replica, reason)


def _drop_excess(work: _Pass) -> None:
    """Scale down, highest slots first, but never below the promised number of ready replicas."""
    view = work.view
    ready_slots = {r.slot for r in view.replicas if view.is_live(r) and view.is_ready(r)}
    spare = len(ready_slots) - view.wanted
    for replica in sorted(view.replicas, key=lambda r: -r.slot):
        if replica.slot < view.wanted or replica.desired is not Desired.RUN:
            continue
        if replica.slot in ready_slots:
            if spare <= 0:
                continue
            spare -= 1
        work.retire(replica, f"scaled to {view.wanted}")


def _fill_slots(work: _Pass) -> None:
    for slot in range(work.view.wanted):
        _drop_twins(work, slot)
        _drop_superseded(work, slot)
    if stops_first(work.view.revision):
        _stop_first(work)
    else:
        _start_first(work)


def _drop_twins(work: _Pass, slot: int) -> None:
    """Should a slot ever hold two live replicas of the target, the ready one, else the older, stays."""
    twins = [r for r in _live(work, slot) if work.view.is_current(r)]
    twins.sort(key=lambda r: not work.view.is_ready(r))
    for replica in twins[1:]:
        work.retire(replica, "its slot is taken")


def _drop_superseded(work: _Pass, slot: int) -> None:
    """What neither serves nor is gone back to stays for nobody: newcomers of a rollout that was given up.

    Silence is not absence: one of which its node has not said where it stands may well be serving.
    """
    for replica in _others(work, slot):
        is_stable = replica.generation == work.view.service.stable_generation
        is_known = work.view.state(replica) is not ReplicaState.ASSIGNED
        if is_known and not is_stable and not work.view.is_ready(replica):
            work.retire(replica, f"superseded by revision {work.view.target.revision}")


def _live(work: _Pass, slot: int) -> list[Replica]:
    return [r for r in work.view.in_slot(slot) if work.view.is_live(r)]


def _others(work: _Pass, slot: int) -> list[Replica]:
    """Replicas of other generations that nobody has told to go yet, dead ones included."""
    members = work.view.in_slot(slot)
    return [r for r in members if r.desired is Desired.RUN and not work.view.is_current(r)]


def _current(work: _Pass, slot: int) -> list[Replica]:
    """Replicas of the target in a slot, dead ones included: a dead one is not replaced for ever."""
    members = work.view.in_slot(slot)
    return [r for r in members if r.desired is Desired.RUN and work.view.is_current(r)]


def _is_lost(work: _Pass, replica: Replica) -> bool:
    return work.view.state(replica) is ReplicaState.LOST


def _start_first(work: _Pass) -> None:
    view = work.view
    surge = view.revision.spec.update.max_surge
    slots = range(view.wanted)
    for slot in slots:
        if any(view.is_available(r) for r in _current(work, slot)):
            for replica in _others(work, slot):
                work.retire(replica, f"replaced by revision {view.target.revision}")
    in_motion = sum(bool(_current(work, s)) and _is_serving(work, s) for s in slots)
    for slot in slots:
        if not _is_empty(work, slot):
            continue
        replacing = _is_serving(work, slot)
        if replacing and in_motion >= surge:
            continue
        if work.create(slot, _why_create(work, slot)) and replacing:
            in_motion += 1


def _is_empty(work: _Pass, slot: int) -> bool:
    return all(_is_lost(work, r) for r in _current(work, slot))


def _is_serving(work: _Pass, slot: int) -> bool:
    """Whether an older replica holds the slot until its successor is available."""
    current = _current(work, slot)
    replaced = any(work.view.is_available(r) for r in current)
    return not replaced and any(work.view.is_ready(r) for r in _others(work, slot))


def _why_create(work: _Pass, slot: int) -> str:
    view = work.view
    if _others(work, slot):
        return f"replaces revision {_others(work, slot)[0].revision}"
    if any(r.slot < view.wanted for r in view.replicas) or view.service.stable:
        return f"{view.wanted} wanted"
    return "first deployment"


def _stop_first(work: _Pass) -> None:
    view = work.view
    slots = range(view.wanted)
    down = sum(not any(view.is_ready(r) for r in _live(work, s)) for s in slots)
    for slot in slots:
        if not _is_empty(work, slot):
            for replica in _others(work, slot):
                work.retire(replica, "its slot is taken")
            continue
        others = _others(work, slot)
        if others:
            serving = any(view.is_ready(r) for r in others)
            if serving and down >= view.revision.spec.update.max_unavailable:
                continue
            if work.may_start(slot) is None:
                continue
            down += serving
            for replica in others:
                work.retire(replica, f"makes room for revision {view.target.revision}")
        elif not view.in_slot(slot):
            work.create(slot, _why_create(work, slot))


def is_routed(view: ServiceView, replica: Replica) -> bool:
    """Whether a proxy may be sending requests to it."""
    revision = view.revisions.get(replica.revision, view.revision)
    ingress = revision.spec.ingress
    return bool(ingress.domains) and not ingress.internal and view.is_ready(replica)


def _new_replica(
    view: ServiceView, around: Surroundings, *, slot: int, node: NodeId, reason: str
) -> Replica:
    target = view.target
    return Replica(
        id=_name(view, slot),
        service=view.service.id,
        revision=target.revision,
        generation=target.generation,
        slot=slot,
        node=node,
        epoch=around.epoch,
        created_at=around.now,
        reason=reason,
    )


def _name(view: ServiceView, slot: int) -> ReplicaId:
    """An id that no other replica has, and that planning again gives again.

    So a creation whose outcome is unknown, because the store's answer was lost, is repeated and not
    doubled: its key exists. The moves of a service, and who is in the slot, tell apart all others.
    """
    others = sorted(replica.id for replica in view.in_slot(slot))
    service = view.service
    seed = "/".join(
        (str(service.id), service.rollout.id, str(view.target.generation), str(slot), *others)
    )
    return ReplicaId(hashlib.sha256(seed.encode()).hexdigest()[:12])
