"""How a rollout ends: complete, or failed with the reason that a person needs.

The movement itself is `converge.py`'s. Here is only the judgement: all newcomers available and the old ones
gone is complete; a newcomer that cannot live, a dependency that will not come, or no progress within the
deadline is failed. A failed rollout changes the service's target back to what was stable, so the same
convergence that rolled forward rolls back.
"""

from __future__ import annotations

from dataclasses import replace

from orca.model.replica import Desired, Replica, ReplicaState
from orca.model.service import Rollout, RolloutPhase
from orca.plan.view import ServiceView

CRASHES_MAX = 3
"""A newcomer that has crashed this often without being ready is not going to make it."""


def judge(
    view: ServiceView, *, waits: str, broken: str, blocked: str = "", now: float
) -> Rollout | None:
    """The rollout's next record, or None when there is nothing to write.

    `waits` names the dependency waited for, `broken` one that has failed, `blocked` whatever convergence
    found in its way.
    """
    rollout = view.service.rollout
    if rollout.phase is RolloutPhase.COMPLETE or _has_fallen_back(view):
        return None
    if is_complete(view):
        return replace(rollout, phase=RolloutPhase.COMPLETE, finished_at=now, reason="")
    if rollout.phase is RolloutPhase.FAILED:
        return None
    if reason := failure(view, waits=waits, broken=broken, blocked=blocked, now=now):
        return replace(rollout, phase=RolloutPhase.FAILED, finished_at=now, reason=reason)
    ready = available_count(view)
    if _is_excused(view, waits) and now >= excuse_due(view):
        return replace(rollout, progressed_at=now)
    if ready > rollout.ready_seen:
        return replace(rollout, ready_seen=ready, progressed_at=now)
    return None


def _has_fallen_back(view: ServiceView) -> bool:
    return view.target.generation != view.service.generation


def is_complete(view: ServiceView) -> bool:
    """Whether every slot has an available replica of the target and nothing else is left."""
    if not view.wanted:
        return not view.replicas
    if any(not view.is_current(r) or r.slot >= view.wanted for r in view.replicas):
        return False
    return available_count(view) >= view.wanted


def available_count(view: ServiceView) -> int:
    """Slots that have an available replica of the target."""
    return len({r.slot for r in newcomers(view) if view.is_available(r)})


def newcomers(view: ServiceView) -> tuple[Replica, ...]:
    """Replicas of the target that are meant to run."""
    return tuple(
        r
        for r in view.replicas
        if r.desired is Desired.RUN and view.is_current(r) and r.slot < view.wanted
    )


def failure(view: ServiceView, *, waits: str, broken: str, blocked: str = "", now: float) -> str:
    """Why a rollout has failed; empty while it may still succeed."""
    if not view.wanted:
        return ""
    if broken:
        return broken
    for replica in newcomers(view):
        if reason := _hopeless(view, replica):
            return reason
    if not _is_excused(view, waits) and now >= deadline(view):
        limit = view.revision.spec.update.progress_deadline_seconds
        return f"no progress for {limit:g} s: {_what_is_missing(view, blocked)}"
    return ""


def _hopeless(view: ServiceView, replica: Replica) -> str:
    status = view.statuses.get(replica.id)
    if status is None or view.is_ready(replica):
        return ""
    if status.state is ReplicaState.FAILED:
        return status.reason or "a replica failed"
    if status.restarts >= CRASHES_MAX:
        return f"crashed {status.restarts} times: {status.reason}"
    return ""


def deadline(view: ServiceView) -> float:
    """Unix seconds at which a rollout without further progress has failed.

    The count starts with the newest newcomer. Time spent waiting for a dependency does not count.
    """
    began = [r.created_at for r in newcomers(view)]
    rollout = view.service.rollout
    base = max([rollout.started_at, rollout.progressed_at, *began])
    return base + view.revision.spec.update.progress_deadline_seconds


def _is_excused(view: ServiceView, waits: str) -> bool:
    """Whether nothing but a dependency keeps it from going on.

    Newcomers that run and are not ready are its own affair: a dependency that comes and goes must not
    keep a rollout that will never work from ending.
    """
    return bool(waits) and all(view.is_ready(replica) for replica in newcomers(view))


def excuse_due(view: ServiceView) -> float:
    """Unix seconds at which a rollout that waits for a dependency has its clock moved on.

    Half the deadline: the wait never counts, and is written down rarely.
    """
    return deadline(view) - view.revision.spec.update.progress_deadline_seconds / 2


def _what_is_missing(view: ServiceView, blocked: str) -> str:
    for replica in newcomers(view):
        if view.is_ready(replica):
            continue
        status = view.statuses.get(replica.id)
        if status is None:
            return f"its node has not said anything about slot {replica.slot}"
        return f"slot {replica.slot} is {status.state.label}, not ready: {status.reason or 'no answer'}"
    return blocked or "the replicas it replaces have not stopped"
