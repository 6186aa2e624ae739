"""A cluster goes through storms and calms, and every invariant holds; one test per seed.

`ORCA_SIM_SEEDS=1000` plays more stories, `ORCA_SIM_SEED=42` one of them alone. A failing seed prints its
whole story, and replays it exactly.
"""

from __future__ import annotations

import os

import pytest

from orca.testing.sim.story import simulate


def seeds() -> list[int]:
    """The stories to play."""
    if alone := os.environ.get("ORCA_SIM_SEED"):
        return [int(alone)]
    return list(range(1, int(os.environ.get("ORCA_SIM_SEEDS", "200")) + 1))


@pytest.mark.parametrize("seed", seeds())
def test_cluster_keeps_its_promises_through_every_fault(seed: int) -> None:
    outcome = simulate(seed)
    assert not outcome.wrong, outcome.report()


def test_same_seed_plays_the_same_story() -> None:
    first, second = simulate(7), simulate(7)
    assert first.trace == second.trace
    assert len(first.trace) > 100
