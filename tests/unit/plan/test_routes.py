"""From ready replicas to the table that proxies serve."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scenarios import World, revision_spec

from orca.model.replica import Desired, ReplicaState
from orca.model.route import EndpointState, RouteTable
from orca.model.service import Ingress
from orca.plan.routes import prefix_of, routes


def table(world: World) -> RouteTable:
    return routes(world.snapshot())


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/", "/"), ("/*", "/"), ("/api", "/api"), ("/api/", "/api"), ("/api/*", "/api")],
)
def test_route_stands_for_a_prefix(path: str, prefix: str) -> None:
    assert prefix_of(path) == prefix


def test_ready_replica_is_an_endpoint() -> None:
    world = World()
    world.deploy("web", revision_spec(domain="web.test"))
    world.settle()
    found = table(world)
    assert [(r.domain, r.path) for r in found.routes] == [("web.test", "/")]
    assert [e.state for b in found.backends for e in b.endpoints] == [EndpointState.SERVING]


@pytest.mark.parametrize(
    "state", [s for s in ReplicaState if s is not ReplicaState.RUNNING], ids=lambda s: s.label
)
def test_replica_that_does_not_run_is_no_endpoint_whatever_its_flag(state: ReplicaState) -> None:
    world = World()
    world.deploy("web", revision_spec(domain="web.test"))
    world.settle()
    world.say(world.of("web")[0], state, ready=True)
    assert [b.endpoints for b in table(world).backends] == [()]


def test_draining_replica_stays_marked_and_a_stopping_one_leaves() -> None:
    world = World()
    world.deploy("web", revision_spec(domain="web.test"))
    world.settle()
    [only] = world.of("web")
    world.replicas[only.id] = replace(only, desired=Desired.DRAIN)
    assert [e.state for b in table(world).backends for e in b.endpoints] == [EndpointState.DRAINING]
    world.replicas[only.id] = replace(only, desired=Desired.STOP)
    assert [b.endpoints for b in table(world).backends] == [()]


def test_stopped_service_keeps_its_route_without_endpoints() -> None:
    world = World()
    world.deploy("web", revision_spec(domain="web.test"))
    world.settle()
    world.stop("web")
    world.settle()
    found = table(world)
    assert len(found.routes) == 1
    assert found.backends[0].endpoints == ()


def test_internal_service_and_one_without_a_domain_have_no_route() -> None:
    world = World()
    hidden = replace(
        revision_spec(domain="x.test"), ingress=Ingress(domains=("x.test",), internal=True)
    )
    world.deploy("hidden", hidden)
    world.deploy("job")
    world.settle()
    assert table(world) == RouteTable()


def test_new_domain_is_served_once_a_newcomer_is_ready() -> None:
    world = World()
    world.deploy("web", revision_spec(domain="old.test"))
    world.settle()
    world.deploy("web", revision_spec(image="app:2", domain="new.test"))
    world.step()
    assert [r.domain for r in table(world).routes] == ["old.test"]
    world.ready(world.of("web")[1])
    assert [r.domain for r in table(world).routes] == ["new.test"]
