"""Placement explains itself and spreads."""

from __future__ import annotations

import pytest
from scenarios import World, node_view, revision_spec

from orca.model.ids import NodeId
from orca.model.service import RevisionSpec
from orca.model.snapshot import NodeView

A, B, C = NodeId("a"), NodeId("b"), NodeId("c")


def world_of(*views: NodeView) -> World:
    return World(nodes={view.node.id: view for view in views})


@pytest.mark.parametrize(
    ("view", "spec", "why"),
    [
        (node_view(A, connected=False), revision_spec(), "1 not connected"),
        (node_view(A, draining=True), revision_spec(), "1 draining"),
        (node_view(A, docker_error="no"), revision_spec(), "1 without a working Docker"),
        (node_view(A), revision_spec(node="z"), "1 not called z"),
        (node_view(A), revision_spec(labels={"gpu": "1"}), "1 without the label gpu=1"),
        (
            node_view(A, memory_bytes=100),
            revision_spec(memory_bytes=200),
            "1 with less memory than the limit",
        ),
    ],
)
def test_unplaceable_replica_says_why(view: NodeView, spec: RevisionSpec, why: str) -> None:
    world = world_of(view)
    world.deploy("web", spec)
    plan = world.plan()
    assert plan.steps == ()
    assert [*plan.waiting.values()] == [f"no node can take it: {why}"]


def test_reasons_are_counted_over_all_nodes() -> None:
    world = world_of(node_view(A, draining=True), node_view(B, draining=True), node_view(C))
    world.deploy("web", revision_spec(node="a"))
    [why] = world.plan().waiting.values()
    assert why == "no node can take it: 2 draining, 1 not called a"


def test_no_node_at_all_is_said() -> None:
    world = world_of(node_view(A))
    world.nodes.clear()
    world.deploy("web")
    assert [*world.plan().waiting.values()] == ["no node has joined the cluster"]


def test_replicas_of_one_pass_spread_over_nodes() -> None:
    world = world_of(node_view(A), node_view(B), node_view(C))
    world.deploy("web", replicas=6)
    world.step()
    nodes = [r.node for r in world.of("web")]
    assert {node: nodes.count(node) for node in nodes} == {A: 2, B: 2, C: 2}


def test_successor_stays_on_the_node_of_its_slot() -> None:
    world = world_of(node_view(A), node_view(B), node_view(C))
    world.deploy("web", replicas=3)
    world.settle()
    before = {r.slot: r.node for r in world.of("web")}
    world.deploy("web", revision_spec(image="app:2"), replicas=3)
    world.settle()
    assert {r.slot: r.node for r in world.of("web")} == before


def test_choice_is_the_same_in_whatever_order_nodes_are_known() -> None:
    views = [node_view(A), node_view(B), node_view(C)]
    chosen = []
    for order in (views, views[::-1]):
        world = world_of(*order)
        world.deploy("web")
        world.step()
        chosen.append(world.of("web")[0].node)
    assert chosen[0] == chosen[1]
