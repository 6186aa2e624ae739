"""How a rollout ends."""

from __future__ import annotations

from scenarios import NODE, World, node_view, revision_spec

from orca.model.replica import ReplicaState
from orca.model.service import RolloutPhase


def upgraded(replicas: int = 1) -> World:
    """Revision 1 runs; the first newcomer of revision 2 has been assigned."""
    world = World()
    world.deploy("web", revision_spec(domain="web.test"), replicas=replicas)
    world.settle()
    world.deploy("web", revision_spec(image="app:2", domain="web.test"), replicas=replicas)
    world.step()
    return world


def fail(world: World, **status: object) -> None:
    newcomer = next(r for r in world.of("web") if r.revision == 2)
    world.say(newcomer, ReplicaState.FAILED, **status)


def test_rollout_completes_when_all_are_trusted_and_the_old_ones_gone() -> None:
    world = upgraded(2)
    world.settle()
    service = world.service("web")
    assert service.rollout.phase is RolloutPhase.COMPLETE
    assert (service.stable, service.stable_generation) == (2, 2)


def test_newcomer_that_cannot_run_fails_the_rollout_at_once() -> None:
    world = upgraded()
    fail(world, reason="the command /nope does not exist", permanent=True)
    world.step()
    rollout = world.service("web").rollout
    assert rollout.phase is RolloutPhase.FAILED
    assert "the command /nope does not exist" in rollout.reason


def test_newcomer_that_crashed_three_times_fails_the_rollout() -> None:
    world = upgraded()
    newcomer = next(r for r in world.of("web") if r.revision == 2)
    world.say(newcomer, ReplicaState.STARTING, restarts=2, reason="exited with 1")
    world.step()
    assert world.service("web").rollout.phase is RolloutPhase.PROGRESSING
    world.say(newcomer, ReplicaState.STARTING, restarts=3, reason="exited with 1")
    world.step()
    assert world.service("web").rollout.reason == "crashed 3 times: exited with 1"


def test_rollout_without_progress_fails_at_its_deadline_with_what_is_missing() -> None:
    world = upgraded()
    newcomer = next(r for r in world.of("web") if r.revision == 2)
    world.say(newcomer, ReplicaState.RUNNING, reason="GET /healthz → 503")
    world.now = newcomer.created_at + 299
    assert world.step() == ()
    world.now = newcomer.created_at + 300
    world.step()
    reason = world.service("web").rollout.reason
    assert reason == "no progress for 300 s: slot 0 is running, not ready: GET /healthz → 503"


def test_rollout_that_no_node_can_take_fails_with_what_is_in_the_way() -> None:
    world = World()
    world.nodes[NODE] = node_view(NODE, docker_error="connection refused")
    world.deploy("web")
    world.step()
    world.now += 300
    world.step()
    reason = world.service("web").rollout.reason
    assert reason == "no progress for 300 s: no node can take it: 1 without a working Docker"


def test_progress_moves_the_deadline() -> None:
    world = upgraded(2)
    world.ready(next(r for r in world.of("web") if r.revision == 2))
    world.now += 200
    world.step()
    assert world.service("web").rollout.progressed_at == world.now


def test_failed_rollout_leaves_what_served_and_removes_the_newcomer() -> None:
    world = upgraded(3)
    before = {r.id for r in world.of("web") if r.revision == 1}
    fail(world, reason="exited with 1")
    world.settle()
    assert {r.id for r in world.of("web")} == before
    assert world.service("web").rollout.phase is RolloutPhase.FAILED


def test_slots_that_had_moved_go_back_after_a_failure() -> None:
    world = upgraded(2)
    world.ready(next(r for r in world.of("web") if r.revision == 2))
    for _ in range(6):
        world.now += 2
        world.step()
        for replica in world.of("web"):
            if replica.desired == "stop":
                world.say(replica, ReplicaState.STOPPED)
            if replica.desired == "drain":
                world.drained.add(replica.id)
    second = next(r for r in world.of("web") if r.revision == 2 and r.slot == 1)
    world.say(second, ReplicaState.FAILED, reason="exited with 1")
    world.settle()
    assert [(r.slot, r.revision) for r in world.of("web")] == [(0, 1), (1, 1)]


def test_stop_first_service_comes_back_after_a_failure() -> None:
    world = World()
    world.deploy("web", revision_spec(volume=True))
    world.settle()
    world.deploy("web", revision_spec(image="app:2", volume=True))
    for _ in range(4):
        world.step()
        for replica in world.of("web"):
            if replica.desired == "stop":
                world.say(replica, ReplicaState.STOPPED)
    fail(world, reason="exited with 1")
    world.settle()
    assert [(r.slot, r.revision) for r in world.of("web")] == [(0, 1)]


def test_first_deploy_that_fails_keeps_trying_and_may_still_succeed() -> None:
    world = World()
    world.deploy("web")
    world.step()
    [only] = world.of("web")
    world.say(only, ReplicaState.STARTING, restarts=3, reason="exited with 1")
    world.step()
    assert world.service("web").rollout.phase is RolloutPhase.FAILED
    assert world.wanted("web") == [only]
    world.ready(only)
    world.now += 2
    world.step()
    assert world.service("web").rollout.phase is RolloutPhase.COMPLETE


def test_next_deploy_after_a_failure_is_a_rollout_of_its_own() -> None:
    world = upgraded()
    fail(world, reason="exited with 1")
    world.settle()
    world.deploy("web", revision_spec(image="app:3", domain="web.test"))
    world.settle()
    assert [r.revision for r in world.of("web")] == [3]
    assert world.service("web").stable == 3


def test_newcomer_that_loses_readiness_is_not_trusted() -> None:
    world = upgraded()
    newcomer = next(r for r in world.of("web") if r.revision == 2)
    world.ready(newcomer)
    world.now += 1.5
    world.say(newcomer, ReplicaState.RUNNING, ready=False)
    world.now += 1
    world.ready(newcomer)
    world.now += 1.5
    world.step()
    assert len(world.wanted("web")) == 2
    world.now += 1
    world.step()
    assert len(world.wanted("web")) == 1
