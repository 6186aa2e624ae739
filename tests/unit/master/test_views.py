"""Status in one word, and why; told from the same snapshot the planner sees."""

from __future__ import annotations

from dataclasses import replace

from scenarios import World, node_view, revision_spec

from orca.master import views
from orca.master.publication import Edition
from orca.master.why import why
from orca.model.ids import NodeId
from orca.model.replica import ReplicaState
from orca.model.snapshot import NodeView
from orca.plan.view import view


def edition(world: World, **more: object) -> Edition:
    nodes = {id: replace(n, seen_at=n.seen_at or world.now) for id, n in world.nodes.items()}
    base = Edition(
        number=1,
        revision=1,
        at=world.now,
        settled=True,
        snapshot=replace(world.snapshot(), nodes=nodes),
        waiting=world.plan().waiting,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def judged(world: World, name: str = "web") -> tuple[str, str]:
    seen = edition(world)
    return views.judge(seen, view(seen.snapshot, world.service(name).id), world.now)


def running(replicas: int = 1) -> World:
    world = World()
    world.deploy("web", revision_spec(domain="web.test"), replicas=replicas)
    world.settle()
    return world


def test_service_with_all_replicas_ready_is_running() -> None:
    assert judged(running()) == ("running", "")


def test_service_on_its_way_is_progressing_and_says_what_is_missing() -> None:
    world = World()
    world.deploy("web")
    world.step()
    world.say(world.of("web")[0], ReplicaState.STARTING, reason="waiting for its first probe")
    assert judged(world) == ("progressing", "slot 0: waiting for its first probe")


def test_service_with_some_replicas_ready_is_degraded_and_with_none_failed() -> None:
    world = running(2)
    world.say(world.of("web")[0], ReplicaState.STARTING, reason="exited with 1")
    assert judged(world) == ("degraded", "slot 0: exited with 1")
    world.say(world.of("web")[1], ReplicaState.STARTING, reason="exited with 1")
    assert judged(world)[0] == "failed"


def test_failed_rollout_is_degraded_while_the_old_revision_serves() -> None:
    world = running()
    world.deploy("web", revision_spec(image="app:2", domain="web.test"))
    world.step()
    world.say(world.of("web")[1], ReplicaState.FAILED, reason="no such command")
    world.settle()
    word, reason = judged(world)
    assert word == "degraded"
    assert reason == "the rollout to revision 2 failed: no such command; revision 1 serves"


def test_stopped_service_is_stopping_until_nothing_is_left() -> None:
    world = running()
    world.stop("web")
    world.step()
    assert judged(world) == ("stopping", "1 replica left")
    world.settle()
    assert judged(world)[0] == "stopped"


def test_silent_node_makes_its_services_unknown_with_an_age() -> None:
    world = running()
    silent = NodeView(node=node_view(NodeId("n1")).node, connected=False, seen_at=world.now - 42)
    world.nodes[silent.node.id] = silent
    assert judged(world) == ("unknown", "node n1 has not confirmed anything for 42 s")
    seen = views.status(edition(world), cluster="c", http_port=80, now=world.now)
    [instance] = seen.services[0].instances
    assert (instance.state, instance.ready, instance.age_seconds) == ("unknown", False, 42)


def test_node_that_is_connected_but_silent_is_not_believed_either() -> None:
    world = running()
    id = NodeId("n1")
    world.nodes[id] = replace(world.nodes[id], seen_at=world.now - views.SILENCE_SECONDS_MAX - 1)
    assert judged(world)[0] == "unknown"


def test_status_shows_urls_with_the_port_that_clients_use() -> None:
    world = running()
    for port, url in ((80, "http://web.test/"), (8080, "http://web.test:8080/")):
        seen = views.status(edition(world), cluster="c", http_port=port, now=world.now)
        assert seen.services[0].urls == (url,)


def test_rollout_view_counts_newcomers_and_what_they_replace() -> None:
    world = running(2)
    world.deploy("web", revision_spec(image="app:2", domain="web.test"), replicas=2)
    world.step()
    seen = edition(world)
    shown = views.rollout_view(seen, view(seen.snapshot, world.service("web").id))
    assert (shown.desired, shown.updated, shown.ready, shown.old) == (2, 1, 0, 2)
    assert shown.waiting


def test_why_leads_from_spec_to_traffic_and_ends_with_advice() -> None:
    world = running()
    [only] = world.of("web")
    world.say(
        only,
        ReplicaState.STARTING,
        reason="exited with 1",
        exit_code=1,
        restarts=1,
        last_lines=("no database",),
    )
    seen = edition(world)
    told = why(seen, view(seen.snapshot, world.service("web").id), now=world.now)
    assert [cause.partition(":")[0] for cause in told.causes] == [
        "spec",
        "rollout",
        "replica",
        "traffic",
    ]
    assert told.last_lines == ("no database",)
    assert "orca logs shop/web --previous" in told.advice


def test_why_of_a_container_that_ran_out_of_memory_says_what_to_raise() -> None:
    world = running()
    world.say(world.of("web")[0], ReplicaState.STARTING, oom_killed=True, exit_code=137)
    seen = edition(world)
    told = why(seen, view(seen.snapshot, world.service("web").id), now=world.now)
    assert "resources.memory" in told.advice
