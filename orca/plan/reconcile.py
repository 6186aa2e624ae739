"""The plan of the whole cluster: every service judged and converged at one moment.

Reconciling is a function of desired, observed and now. It is called again after every commit and every
piece of news; planning twice on the same snapshot gives the same steps, and a converged cluster gives
none.
"""

from __future__ import annotations

from collections.abc import Iterator

from orca.model.ids import NodeId, ServiceId
from orca.model.replica import Desired
from orca.model.service import RolloutPhase
from orca.model.snapshot import Snapshot
from orca.plan import depend, rollout
from orca.plan.converge import Surroundings, converge
from orca.plan.place import Ledger, Unplaceable, ledger_of, place
from orca.plan.steps import ForgetService, MoveRollout, Plan, Step
from orca.plan.view import ServiceView, views


def plan(snapshot: Snapshot, now: float) -> Plan:
    """What to do now, in Unix seconds `now`."""
    all_views = views(snapshot)
    ledger = ledger_of(snapshot)
    steps: list[Step] = []
    waiting: dict[ServiceId, str] = {}
    for id, view in all_views.items():
        own, blocked = _one(snapshot, all_views, view, ledger=ledger, now=now)
        steps += own
        if blocked:
            waiting[id] = blocked
    wakes = [at for view in all_views.values() for at in _moments(view) if at > now]
    return Plan(steps=tuple(steps), waiting=waiting, wake_at=min(wakes, default=None))


def _one(
    snapshot: Snapshot,
    all_views: depend.Views,
    view: ServiceView,
    *,
    ledger: Ledger,
    now: float,
) -> tuple[list[Step], str]:
    if view.service.removed and not view.replicas:
        return [ForgetService(service=view.service.id)], ""
    waits = depend.waits_for(all_views, view) if view.wanted else ""
    around = Surroundings(
        now=now,
        epoch=snapshot.epoch,
        place=lambda of, slot: _place(snapshot, of, slot, ledger),
        placed=ledger.add,
        drained=snapshot.drained,
        gone=snapshot.gone,
        waits=waits,
        held_by=None if view.wanted else depend.held_by(all_views, view),
    )
    own, blocked = converge(view, around)
    broken = depend.broken(all_views, view)
    moved = rollout.judge(view, waits=waits, broken=broken, blocked=blocked, now=now)
    if moved is None:
        return list(own), blocked
    move = MoveRollout(service=view.service.id, rollout=moved)
    if moved.phase is RolloutPhase.FAILED:
        # From here on the service has another target: plan it afresh after the commit.
        return [move], ""
    return [move, *own], blocked


def _place(
    snapshot: Snapshot, view: ServiceView, slot: int, ledger: Ledger
) -> NodeId | Unplaceable:
    before = next((r.node for r in view.in_slot(slot)), None)
    return place(
        snapshot,
        view.revision.spec,
        service=view.service.id,
        slot=slot,
        ledger=ledger,
        before=before,
    )


def _moments(view: ServiceView) -> Iterator[float]:
    """When time alone changes what is to be done."""
    for replica in view.replicas:
        if replica.desired is Desired.DRAIN:
            yield replica.drain_until
    if view.service.rollout.phase is RolloutPhase.PROGRESSING and view.wanted:
        yield rollout.deadline(view)
        yield rollout.excuse_due(view)
