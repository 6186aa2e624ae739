"""A replica's life on a healthy engine: from assignment to nothing left."""

from __future__ import annotations

import asyncio
from pathlib import Path

from node_world import World, assignment, play

from orca.model.replica import Desired, ReplicaState
from orca.testing.fake_docker import Behaviour


def test_replica_runs_and_becomes_ready_soon_after_its_container_started() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        took = await world.until(lambda: world.master.status().ready)
        status = world.master.status()
        assert status.state is ReplicaState.RUNNING
        assert status.address == world.container().address
        assert took < 0.4

    play(script)


def test_states_only_rise_within_an_attempt() -> None:
    async def script(world: World) -> None:
        world.docker.publish("registry/web:1", pull_seconds=3)
        await world.deploy("registry/web:1")
        await world.until(lambda: world.master.status().ready)
        states = [status.state for status in world.master.history]
        assert states == sorted(states)
        assert ReplicaState.PULLING in states

    play(script)


def test_container_carries_the_labels_that_adoption_needs() -> None:
    async def script(world: World) -> None:
        await world.deploy(slot=2, revision=7)
        await world.until(lambda: world.master.status().ready)
        labels = world.container().request.labels
        assert labels["orca.cluster"] == "test"
        assert labels["orca.node"] == world.node
        assert labels["orca.project"] == "shop"
        assert labels["orca.service"] == "web"
        assert labels["orca.replica"] == "r-000001"
        assert labels["orca.revision"] == "7"
        assert labels["orca.spec"] == "0123456789abcdef"
        assert labels["orca.slot"] == "2"

    play(script)


def test_container_joins_its_projects_network_under_the_services_name() -> None:
    async def script(world: World) -> None:
        await world.deploy(aliases=("shop-web",))
        await world.until(lambda: world.master.status().ready)
        request = world.container().request
        assert request.networks == ("orca-shop",)
        assert request.aliases == ("web", "shop-web")

    play(script)


def test_stopped_replica_leaves_nothing_behind() -> None:
    async def script(world: World) -> None:
        replica = await world.deploy(secret_files={"KEY": "s3cret"})
        await world.until(lambda: world.master.status().ready)
        directory = world.container().request.secrets_directory
        assert directory
        await world.master.stop(replica)
        await world.until(lambda: world.master.gone == [replica])
        assert world.master.status().state is ReplicaState.STOPPED
        assert world.docker.containers == {}
        assert not Path(directory).exists()
        assert list((world.home / "node" / "replicas").glob("*.json")) == []
        await world.until(lambda: world.docker.networks == {})

    play(script)


def test_replica_is_stopped_in_the_middle_of_a_pull() -> None:
    async def script(world: World) -> None:
        world.docker.publish("registry/web:1", pull_seconds=1000)
        replica = await world.deploy("registry/web:1")
        await world.until(lambda: world.master.status().state is ReplicaState.PULLING)
        await world.master.stop(replica)
        took = await world.until(lambda: world.master.gone == [replica])
        assert took < 1

    play(script)


def test_stop_waits_for_the_grace_and_then_kills() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("stubborn", Behaviour(ignores_sigterm=True))
        replica = await world.deploy("stubborn", stop_grace_seconds=20.0)
        await world.until(lambda: world.master.status().ready)
        await world.master.stop(replica)
        took = await world.until(lambda: world.master.gone == [replica])
        assert 20 <= took < 21

    play(script)


def test_replica_without_a_port_is_ready_once_it_stayed_up_for_a_second() -> None:
    async def script(world: World) -> None:
        await world.deploy(port=0)
        await world.until(lambda: world.master.status().state is ReplicaState.RUNNING)
        assert not world.master.status().ready
        took = await world.until(lambda: world.master.status().ready)
        assert 0.9 < took < 1.1

    play(script)


def test_draining_replica_keeps_serving_and_is_not_restarted() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        await world.master.want(assignment(desired=Desired.DRAIN))
        await asyncio.sleep(5)
        assert world.master.status().ready
        world.docker.crash(world.container().id)
        await world.until(lambda: world.master.status().state is ReplicaState.STOPPED)
        assert world.container().starts == 1

    play(script)


def test_newcomer_takes_the_settled_name_when_the_old_holder_is_gone() -> None:
    async def script(world: World) -> None:
        old = await world.deploy(settled_name=True)
        await world.until(lambda: world.master.status().container_name == "orca-web")
        new = await world.deploy(replica="r-000002", revision=2)
        await world.until(lambda: world.master.status(new).ready)
        assert world.container(new).name == "orca-web-0-r2-000002"
        await world.master.stop(old)
        await world.master.want(assignment(replica=new, revision=2, settled_name=True))
        await world.until(lambda: world.master.status(new).container_name == "orca-web")
        assert world.container(new).starts == 1

    play(script)


def test_name_held_by_a_stranger_is_left_to_him() -> None:
    async def script(world: World) -> None:
        stranger = world.docker.stranger("orca-web")
        await world.deploy(settled_name=True)
        await world.until(lambda: world.master.status().ready)
        assert world.container().name == "orca-shop-web"
        assert world.docker.containers[stranger].name == "orca-web"
        assert world.docker.containers[stranger].running

    play(script)
