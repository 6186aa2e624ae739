"""From the replicas that are to those that shall be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scenarios import World, revision_spec, service_id

from orca.model.ids import ReplicaId
from orca.model.replica import Desired, ReplicaState
from orca.model.service import RolloutPhase, UpdateOrder
from orca.plan.converge import LEAVE_SECONDS
from orca.plan.steps import CreateReplica, ForgetReplica, ForgetService, SetDesired


def settled(replicas: int = 1, **spec: object) -> World:
    world = World()
    world.deploy("web", revision_spec(domain="web.test", **spec), replicas=replicas)  # type: ignore[arg-type]
    world.settle()
    return world


def test_first_deploy_creates_every_slot_at_once() -> None:
    world = World()
    world.deploy("web", replicas=3)
    steps = world.step()
    assert [s.replica.slot for s in steps if isinstance(s, CreateReplica)] == [0, 1, 2]
    assert all(s.reason == "first deployment" for s in steps if isinstance(s, CreateReplica))


def test_converged_cluster_needs_no_steps() -> None:
    world = settled(3)
    assert world.plan().steps == ()
    assert world.service("web").rollout.phase is RolloutPhase.COMPLETE


def test_start_first_starts_one_newcomer_and_keeps_the_old_until_it_is_trusted() -> None:
    world = settled(2)
    world.deploy("web", revision_spec(image="app:2", domain="web.test"), replicas=2)
    created = world.step()
    assert [type(s) for s in created] == [CreateReplica]
    newcomer = world.of("web")[1]
    assert (newcomer.slot, newcomer.revision) == (0, 2)
    world.ready(newcomer)
    assert world.step() == ()
    world.now += 2.0
    [drain] = [s for s in world.step() if isinstance(s, SetDesired)]
    assert drain.replica.desired is Desired.DRAIN
    assert drain.replica.revision == 1


def test_surge_of_two_replaces_two_slots_at_a_time() -> None:
    world = settled(4)
    spec = revision_spec(image="app:2", domain="web.test", max_surge=2)
    world.deploy("web", spec, replicas=4)
    assert sum(isinstance(s, CreateReplica) for s in world.step()) == 2


def test_drained_replica_is_stopped_and_forgotten() -> None:
    world = settled()
    world.deploy("web", revision_spec(image="app:2", domain="web.test"))
    world.settle()
    assert [r.revision for r in world.of("web")] == [2]


def test_draining_ends_at_its_deadline_whatever_is_in_flight() -> None:
    world = settled()
    world.deploy("web", revision_spec(image="app:2", domain="web.test"))
    world.step()
    world.ready(world.of("web")[1])
    world.now += 2.0
    world.step()
    old = world.of("web")[0]
    assert old.desired is Desired.DRAIN
    assert world.plan().wake_at == old.drain_until
    world.now = old.drain_until
    world.step()
    assert world.of("web")[0].desired is Desired.STOP


def test_service_without_a_route_is_stopped_without_draining() -> None:
    world = World()
    world.deploy("job")
    world.settle()
    world.deploy("job", revision_spec(image="app:2"))
    world.step()
    world.ready(world.of("job")[1])
    world.now += 2.0
    world.step()
    assert world.of("job")[0].desired is Desired.STOP


@pytest.mark.parametrize("exclusive", [{"volume": True}, {"host_port": 5432}])
def test_replica_that_cannot_share_is_stopped_before_its_successor_starts(
    exclusive: dict[str, object],
) -> None:
    world = World()
    world.deploy("db", revision_spec(**exclusive))  # type: ignore[arg-type]
    world.settle()
    world.deploy("db", revision_spec(image="app:2", **exclusive))  # type: ignore[arg-type]
    world.step()
    [old] = world.of("db")
    assert old.desired is Desired.STOP
    assert world.step() == (), "nothing starts before the old one has gone"
    world.say(old, ReplicaState.STOPPED)
    assert any(isinstance(s, ForgetReplica) for s in world.step())
    world.step()
    assert [r.revision for r in world.of("db")] == [2]


def test_stop_first_never_empties_more_slots_than_allowed() -> None:
    world = settled(4, order=UpdateOrder.STOP_FIRST)
    spec = revision_spec(
        image="app:2", domain="web.test", order=UpdateOrder.STOP_FIRST, max_unavailable=2
    )
    world.deploy("web", spec, replicas=4)
    world.step()
    assert sum(r.desired is not Desired.RUN for r in world.of("web")) == 2
    assert world.step() == ()


def test_replica_that_is_lost_is_replaced() -> None:
    world = settled()
    [old] = world.of("web")
    world.say(old, ReplicaState.LOST)
    steps = world.step()
    assert any(isinstance(s, CreateReplica) for s in steps)


def test_replica_that_failed_for_good_is_not_replaced_for_ever() -> None:
    world = settled()
    [old] = world.of("web")
    world.say(old, ReplicaState.FAILED, reason="restarted 3 times")
    assert world.step() == ()


def test_scaling_up_adds_the_missing_slots() -> None:
    world = settled(1)
    world.scale("web", 3)
    steps = world.step()
    assert [s.replica.slot for s in steps if isinstance(s, CreateReplica)] == [1, 2]


def test_scaling_down_takes_the_highest_slots() -> None:
    world = settled(3)
    world.scale("web", 1)
    world.settle()
    assert [r.slot for r in world.of("web")] == [0]


def test_scaling_down_keeps_the_only_ready_replica() -> None:
    world = settled(2)
    sick, well = world.of("web")
    world.say(sick, ReplicaState.RUNNING, ready=False, reason="probe fails")
    world.scale("web", 1)
    world.step()
    assert {r.id for r in world.wanted("web")} == {sick.id, well.id}
    world.ready(sick)
    world.step()
    assert [r.id for r in world.wanted("web")] == [sick.id]


def test_scaling_to_nothing_stops_everything() -> None:
    world = settled(2)
    world.scale("web", 0)
    world.settle()
    assert world.of("web") == []
    assert world.service("web").stable == 1, "an empty service proves nothing of its revision"


def test_stopped_service_keeps_its_record_and_loses_its_replicas() -> None:
    world = settled(2)
    world.stop("web")
    world.settle()
    assert world.of("web") == []
    assert service_id("web") in world.services


def test_removed_service_is_forgotten_once_nothing_of_it_runs() -> None:
    world = settled()
    world.stop("web", removed=True)
    assert not any(isinstance(s, ForgetService) for s in world.step())
    world.settle()
    assert service_id("web") not in world.services


def test_second_replica_of_a_slot_is_retired() -> None:
    world = settled()
    [first] = world.of("web")
    twin = replace(first, id=first.id[::-1], created_at=first.created_at + 5)
    world.replicas[twin.id] = twin
    world.step()
    assert [r.id for r in world.wanted("web")] == [first.id]


def test_replacement_has_an_id_of_its_own() -> None:
    world = settled(2)
    ids = {r.id for r in world.of("web")}
    world.scale("web", 1)
    world.settle()
    world.scale("web", 2)
    world.settle()
    assert len(ids | {r.id for r in world.of("web")}) == 3


def test_planning_twice_gives_the_same_plan() -> None:
    world = settled(2)
    world.deploy("web", revision_spec(image="app:2", domain="web.test"), replicas=3)
    assert world.plan() == world.plan()


def created(world: World) -> list[ReplicaId]:
    return [s.replica.id for s in world.plan().steps if isinstance(s, CreateReplica)]


def test_creation_of_unknown_outcome_is_planned_again_under_the_same_name() -> None:
    world = World()
    world.deploy("web", replicas=2)
    first = created(world)
    world.now += 0.5
    assert created(world) == first
    assert len(set(first)) == 2


def test_slot_that_is_filled_again_gets_a_new_name() -> None:
    world = World()
    world.deploy("web", replicas=2)
    world.settle()
    before = {replica.id for replica in world.of("web")}
    for replicas in (1, 2):
        world.scale("web", replicas)
        world.settle()
    assert len({replica.id for replica in world.of("web")} | before) == 3


def test_replica_that_gets_requests_leaves_the_routes_even_where_nobody_waits_for_them() -> None:
    world = settled(drain_seconds=0.0)
    world.stop("web")
    world.step()
    [only] = world.of("web")
    assert only.desired is Desired.DRAIN
    assert only.drain_until == world.now + LEAVE_SECONDS


def test_newcomer_of_a_rollout_that_was_given_up_does_not_stay() -> None:
    world = World()
    for image in ("app:1", "app:2", "app:3"):
        world.deploy("web", revision_spec(image=image))
        world.step()
        newest = max(world.of("web"), key=lambda r: r.generation)
        world.say(newest, ReplicaState.FAILED, reason="the command /nope does not exist")
        world.step()
    assert [replica.revision for replica in world.wanted("web")] == [3]


def test_superseded_newcomer_of_which_nothing_is_known_stays_until_its_successor_is_available() -> (
    None
):
    world = World()
    for image in ("app:1", "app:2"):
        world.deploy("web", revision_spec(image=image))
        world.step()
    assert [replica.revision for replica in world.wanted("web")] == [1, 2]
    world.say(world.wanted("web")[0], ReplicaState.STARTING)
    world.step()
    assert [replica.revision for replica in world.wanted("web")] == [2]


def test_superseded_newcomer_that_serves_stays_until_its_successor_is_available() -> None:
    world = World()
    world.deploy("web", replicas=1)
    world.step()
    [first] = world.of("web")
    world.ready(first)
    world.deploy("web", revision_spec(image="app:2"))
    world.step()
    assert first in world.wanted("web")


@pytest.mark.parametrize("volume", [False, True])
def test_plan_changes_no_replica_twice(volume: bool) -> None:
    world = settled(2, volume=volume)
    for image in ("app:2", "app:3"):
        world.deploy("web", revision_spec(image=image, volume=volume), replicas=2)
        world.step()
    for replica in world.wanted("web"):
        world.say(replica, ReplicaState.RUNNING, ready=replica.revision == 3)
        world.now += 5
        steps = [s.replica.id for s in world.plan().steps if isinstance(s, SetDesired)]
        assert len(steps) == len(set(steps))
