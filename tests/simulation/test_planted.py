"""Bugs planted on purpose: a simulation that cannot find them proves nothing.

Each one takes a safeguard out of a real program, which only this file may do, and has to be found within
a few seeds by the invariant that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, cast

import pytest

from orca.master.commit import Committer
from orca.model.replica import Replica, ReplicaState
from orca.node.agent import NodeAgent
from orca.node.replica import steps
from orca.plan import converge, routes
from orca.plan.view import ServiceView
from orca.rpc.messages import Assignments
from orca.store.base import Fence
from orca.testing.sim.story import simulate

SEEDS = range(1, 21)

Plant = Callable[[pytest.MonkeyPatch], None]


def trust_at_once(patch: pytest.MonkeyPatch) -> None:
    """An old replica is given up for a newcomer that has shown nothing yet."""
    patch.setattr(ServiceView, "is_available", lambda _self, _replica: True)


def route_the_unready(patch: pytest.MonkeyPatch) -> None:
    """Whatever runs gets requests."""

    class Gullible(ServiceView):
        def is_ready(self, replica: Replica) -> bool:
            status = self.statuses.get(replica.id)
            return status is not None and status.state is ReplicaState.RUNNING

    real = routes._endpoint

    def endpoint(view: ServiceView, replica: Replica) -> Any:
        return real(Gullible(**{f.name: getattr(view, f.name) for f in fields(view)}), replica)

    patch.setattr(routes, "_endpoint", endpoint)


def start_beside_the_old(patch: pytest.MonkeyPatch) -> None:
    """Stop-first does not wait for the stop."""

    def stop_first(work: Any) -> None:
        for slot in range(work.view.wanted):
            for replica in converge._others(work, slot):
                work.retire(replica, "planted")
            if not converge._current(work, slot):
                work.create(slot, "planted")

    patch.setattr(converge, "_stop_first", stop_first)


def adopt_nothing(patch: pytest.MonkeyPatch) -> None:
    """An agent that comes back does not look for its containers."""

    async def find(_host: Any, _replica: Any) -> None:
        return None

    patch.setattr(steps, "find", find)


def take_increments_for_everything(patch: pytest.MonkeyPatch) -> None:
    """What an increment does not name is taken down."""
    real = NodeAgent._assign

    def assign(self: NodeAgent, wanted: Assignments) -> None:
        real(self, replace(wanted, complete=True))

    patch.setattr(NodeAgent, "_assign", assign)


def write_without_a_fence(patch: pytest.MonkeyPatch) -> None:
    """A leader that was deposed writes on."""
    real = Committer.__init__

    def init(self: Committer, records: Any, mirror: Any, _fence: Any) -> None:
        real(self, records, mirror, cast("Fence", None))

    patch.setattr(Committer, "__init__", init)


@pytest.mark.parametrize(
    ("plant", "found_as"),
    [
        (trust_at_once, "were promised"),
        (route_the_unready, "never been ready"),
        (start_beside_the_old, "of the same slot still runs"),
        (adopt_nothing, "a second container is made"),
        (take_increments_for_everything, "which is well and wanted"),
        (write_without_a_fence, "assigns replicas while"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_planted_bug_is_found(plant: Plant, found_as: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    seen = []
    for seed in SEEDS:
        seen.append(simulate(seed).wrong)
        if found_as in seen[-1]:
            return
    raise AssertionError(f"not found in {len(SEEDS)} seeds; seen: {[w for w in seen if w]}")
