"""What holds for the planner whatever users do and nodes say, in whatever order.

A service is deployed, scaled, stopped and upgraded at random while its replicas become ready, lose
readiness, crash and fail at random. After every single step of every plan the promises of `converge.py`
are checked, and once the faults stop the cluster comes to rest.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenarios import World, revision_spec

from orca.model.replica import Desired, Replica, ReplicaState
from orca.model.service import RolloutPhase
from orca.plan.routes import routes
from orca.plan.steps import CreateReplica, SetDesired, Step
from orca.plan.view import stops_first, view

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("deploy"), st.integers(1, 4)),
        st.tuples(st.just("scale"), st.integers(1, 5)),
        st.tuples(st.just("ready"), st.integers(0, 9)),
        st.tuples(st.just("unready"), st.integers(0, 9)),
        st.tuples(st.just("crash"), st.integers(0, 9)),
        st.tuples(st.just("fail"), st.integers(0, 9)),
        st.tuples(st.just("obey"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 400)),
        st.tuples(st.just("stop"), st.just(0)),
    ),
    max_size=40,
)
KINDS = st.sampled_from([{"domain": "web.test"}, {"volume": True}, {}])
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def act(world: World, action: str, number: int, kind: dict[str, object]) -> None:
    """One thing that happens."""
    live = [r for r in world.of("web") if r.desired is not Desired.STOP]
    chosen = live[number % len(live)] if live else None
    match action:
        case "deploy":
            spec = revision_spec(image=f"app:{number}", **kind)  # type: ignore[arg-type]
            world.deploy("web", spec, replicas=world.service("web").replicas)
        case "scale":
            world.scale("web", number)
        case "stop":
            world.stop("web")
        case "wait":
            world.now += number
        case "obey":
            world.obey()
        case _ if chosen is not None and not is_final(world, chosen):
            speak(world, action, chosen)


def is_final(world: World, replica: Replica) -> bool:
    status = world.statuses.get(replica.id)
    return status is not None and status.state.is_final


def speak(world: World, action: str, replica: Replica) -> None:
    before = world.statuses.get(replica.id)
    restarts = before.restarts if before else 0
    match action:
        case "ready":
            world.say(replica, ReplicaState.RUNNING, ready=True, restarts=restarts)
        case "unready":
            world.say(replica, ReplicaState.RUNNING, restarts=restarts)
        case "crash":
            world.say(replica, ReplicaState.STARTING, restarts=restarts + 1, reason="exit 1")
        case "fail":
            world.say(replica, ReplicaState.FAILED, reason="gave up")


def check(world: World, steps: tuple[Step, ...]) -> None:
    """The promises, for a plan that has not been applied yet."""
    before = view(world.snapshot(), world.service("web").id)
    first = stops_first(before.revision)
    for step in steps:
        if isinstance(step, CreateReplica):
            slot = before.in_slot(step.replica.slot)
            live = [r for r in slot if before.is_live(r)]
            assert not [r for r in live if before.is_current(r)], (
                "a slot has one replica of the target"
            )
            assert not (first and slot), "stop-first never starts beside another"
        if isinstance(step, SetDesired) and not first:
            check_retired(world, step)


def check_retired(world: World, step: SetDesired) -> None:
    """A ready replica is only given up for a trusted one, or because it is not wanted any more."""
    before = view(world.snapshot(), step.replica.service)
    old = world.replicas[step.replica.id]
    gives_up = old.desired is Desired.RUN and before.is_ready(old)
    if not gives_up or not before.wanted or old.slot >= before.wanted:
        return
    successors = [r for r in before.in_slot(old.slot) if r.id != old.id]
    assert any(before.is_available(r) for r in successors) or before.is_current(old)


def check_routes(world: World) -> None:
    for backend in routes(world.snapshot()).backends:
        for endpoint in backend.endpoints:
            status = world.statuses[endpoint.replica]
            assert status.ready
            assert status.state is ReplicaState.RUNNING


@RELAXED
@given(actions=ACTIONS, kind=KINDS, replicas=st.integers(1, 4))
def test_promises_hold_and_rest_comes(
    actions: list[tuple[str, int]], kind: dict[str, object], replicas: int
) -> None:
    world = World()
    world.deploy("web", revision_spec(**kind), replicas=replicas)  # type: ignore[arg-type]
    for action, number in actions:
        act(world, action, number, kind)
        check(world, world.plan().steps)
        world.step()
        check_routes(world)
    world.deploy("web", revision_spec(image="last", **kind), replicas=replicas)  # type: ignore[arg-type]
    world.settle()
    service = world.service("web")
    assert service.rollout.phase is RolloutPhase.COMPLETE
    assert [r.slot for r in world.of("web")] == list(range(replicas))
    assert {r.generation for r in world.of("web")} == {service.generation}


@RELAXED
@given(actions=ACTIONS, kind=KINDS)
def test_plan_depends_on_nothing_but_its_arguments(
    actions: list[tuple[str, int]], kind: dict[str, object]
) -> None:
    worlds = [World(), World()]
    for world in worlds:
        world.deploy("web", revision_spec(**kind), replicas=2)  # type: ignore[arg-type]
    for action, number in actions:
        plans = []
        for world in worlds:
            act(world, action, number, kind)
            plans.append(world.plan())
            world.step()
        assert plans[0] == plans[1]
