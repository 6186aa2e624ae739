"""Dependencies: who waits for whom, on the way up and on the way down."""

from __future__ import annotations

from collections.abc import Mapping

from orca.model.ids import ServiceId
from orca.model.service import RolloutPhase
from orca.plan.view import ServiceView

Views = Mapping[ServiceId, ServiceView]


def waits_for(views: Views, view: ServiceView) -> str:
    """What a service has to wait for before it may start replicas; empty when for nothing.

    A dependency is met once it has a ready replica and is not in motion itself.
    """
    for id in view.revision.spec.depends_on:
        if why := _unmet(views.get(id)):
            return f"its dependency {id} {why}"
    return ""


def _unmet(dependency: ServiceView | None) -> str:
    if dependency is None or dependency.service.removed:
        return "does not exist"
    if dependency.service.stopped:
        return "is stopped"
    if dependency.service.rollout.phase is RolloutPhase.PROGRESSING:
        return "is still rolling out"
    if dependency.wanted and not dependency.ready_count():
        return "has no ready replica"
    return ""


def broken(views: Views, view: ServiceView) -> str:
    """A dependency that will not come by itself: its own rollout failed with nothing serving."""
    for id in view.revision.spec.depends_on:
        dependency = views.get(id)
        if dependency is None or dependency.service.removed:
            return f"its dependency {id} does not exist"
        failed = dependency.service.rollout.phase is RolloutPhase.FAILED
        if failed and not dependency.ready_count():
            return f"its dependency {id} failed: {dependency.service.rollout.reason}"
    return ""


def held_by(views: Views, view: ServiceView) -> ServiceId | None:
    """A dependent that is going down too and has to be gone first, if there is one."""
    for other in views.values():
        if other.wanted or not other.replicas or other.service.id == view.service.id:
            continue
        if view.service.id in other.revision.spec.depends_on:
            return other.service.id
    return None
