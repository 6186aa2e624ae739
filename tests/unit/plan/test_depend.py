"""Who waits for whom, on the way up and on the way down."""

from __future__ import annotations

from scenarios import World, revision_spec

from orca.model.replica import ReplicaState
from orca.model.service import RolloutPhase


def pair() -> World:
    world = World()
    world.deploy("app", revision_spec(depends_on=("db",)))
    world.deploy("db")
    return world


def test_dependent_starts_only_after_its_dependency_is_ready_and_at_rest() -> None:
    world = pair()
    world.step()
    assert [r.service.name for r in world.replicas.values()] == ["db"]
    assert [*world.plan().waiting.values()] == ["its dependency shop/db is still rolling out"]
    world.ready(world.of("db")[0])
    world.step()
    assert world.of("app") == [], "ready, but not trusted yet"
    world.now += 2
    world.step()
    world.step()
    assert len(world.of("app")) == 1


def test_waiting_for_a_dependency_does_not_count_against_the_deadline() -> None:
    world = pair()
    for _ in range(4):
        world.step()
        wake_at = world.plan().wake_at
        assert wake_at is not None
        world.now = min(wake_at, world.now + 140)
    world.ready(world.of("db")[0])
    world.now += 140
    world.step()
    world.step()
    assert world.now - 1000 > 300
    assert world.service("app").rollout.phase is RolloutPhase.PROGRESSING
    assert len(world.of("app")) == 1


def test_dependency_that_comes_and_goes_does_not_keep_a_hopeless_rollout_from_ending() -> None:
    world = pair()
    world.settle()
    world.deploy("app", revision_spec(image="app:2", depends_on=("db",)))
    world.step()
    began = world.now
    newcomer = next(r for r in world.of("app") if r.revision == 2)
    world.say(newcomer, ReplicaState.RUNNING, reason="GET / → 503")
    while world.now - began <= 300:
        world.say(world.of("db")[0], ReplicaState.RUNNING, ready=world.now % 20 < 10)
        world.step()
        world.now += 1
    assert world.service("app").rollout.phase is RolloutPhase.FAILED


def test_dependency_that_failed_fails_its_dependents() -> None:
    world = pair()
    world.step()
    world.say(world.of("db")[0], ReplicaState.FAILED, reason="exited with 1")
    world.step()
    world.step()
    app = world.service("app").rollout
    assert app.phase is RolloutPhase.FAILED
    assert app.reason == "its dependency shop/db failed: exited with 1"


def test_dependency_that_does_not_exist_fails_the_rollout() -> None:
    world = World()
    world.deploy("app", revision_spec(depends_on=("db",)))
    world.step()
    assert "shop/db does not exist" in world.service("app").rollout.reason


def test_failed_upgrade_of_a_dependency_that_still_serves_holds_nobody_back() -> None:
    world = World()
    world.deploy("db")
    world.settle()
    world.deploy("db", revision_spec(image="db:2"))
    world.step()
    world.say(world.of("db")[1], ReplicaState.FAILED, reason="exited with 1")
    world.settle()
    world.deploy("app", revision_spec(depends_on=("db",)))
    world.settle()
    assert world.service("app").rollout.phase is RolloutPhase.COMPLETE


def test_stopped_dependency_is_waited_for() -> None:
    world = pair()
    world.settle()
    world.stop("db")
    world.settle()
    world.scale("app", 2)
    assert [*world.plan().waiting.values()] == ["its dependency shop/db is stopped"]


def test_old_replica_is_not_stopped_for_a_successor_that_must_wait() -> None:
    world = World()
    world.deploy("db")
    world.deploy("app", revision_spec(volume=True, depends_on=("db",)))
    world.settle()
    world.stop("db")
    world.settle()
    world.deploy("app", revision_spec(image="app:2", volume=True, depends_on=("db",)))
    world.step()
    assert [r.desired for r in world.of("app")] == ["run"]


def test_dependents_stop_before_what_they_need() -> None:
    world = pair()
    world.settle()
    world.stop("db")
    world.stop("app")
    world.step()
    assert world.of("app")[0].desired == "stop"
    assert world.of("db")[0].desired == "run"
    assert "shop/app depends on it and stops first" in world.plan().waiting.values()
    world.settle()
    assert world.replicas == {}


def test_running_dependent_does_not_hold_a_dependency_that_is_stopped_alone() -> None:
    world = pair()
    world.settle()
    world.stop("db")
    world.settle()
    assert world.of("db") == []
    assert len(world.of("app")) == 1
