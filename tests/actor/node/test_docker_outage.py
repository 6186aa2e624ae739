"""The Docker daemon goes away and comes back."""

from __future__ import annotations

import asyncio

from node_world import World, assignment, play

from orca.errors import DockerUnavailable
from orca.model.container import Probe, ProbeKind
from orca.model.replica import ReplicaState
from orca.testing.fake_docker import Behaviour, Fault


def test_outage_with_live_restore_touches_nothing_and_keeps_serving() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        before = world.container().id
        seen = len(world.master.history)
        world.docker.stop_daemon()
        await world.until(lambda: "Docker does not answer" in world.master.status().reason)
        assert "Docker does not answer" in world.master.facts[-1].docker_error
        await asyncio.sleep(60)
        world.docker.start_daemon()
        await world.until(lambda: world.master.facts[-1].docker_error == "")
        await world.until(lambda: world.master.status().reason == "")
        status = world.master.status()
        assert (status.container_id, status.attempt, status.restarts) == (before, 1, 0)
        assert world.container().starts == 1
        # The network went on answering, so no request had to be withheld.
        assert all(status.ready for status in world.master.history[seen:])

    play(script, live_restore=True)


def test_outage_is_told_at_once() -> None:
    async def script(world: World) -> None:
        await world.until(lambda: world.master.facts[-1].docker_error == "")
        world.docker.stop_daemon()
        took = await world.until(lambda: world.master.facts[-1].docker_error)
        assert took < 0.1

    play(script)


def test_daemon_that_returns_between_hello_and_welcome_is_told_too() -> None:
    async def script(world: World) -> None:
        await world.until(lambda: world.master.facts[-1].docker_error == "")
        world.docker.stop_daemon()
        await world.until(lambda: world.master.facts[-1].docker_error)
        world.master.greets_after = 2.0
        await world.master.hang_up()
        await world.until(lambda: len(world.master.hellos) == 2)
        assert world.master.facts[-1].docker_error
        world.docker.start_daemon()
        await world.until(lambda: world.master.facts[-1].docker_error == "")

    play(script)


def test_daemon_that_takes_its_containers_along_is_no_crash() -> None:
    async def script(world: World) -> None:
        await world.deploy(max_restarts=0)
        await world.until(lambda: world.master.status().ready)
        before = world.container().id
        world.docker.stop_daemon()
        gone = await world.until(lambda: not world.master.status().ready)
        assert gone < 0.1
        await asyncio.sleep(20)
        world.docker.start_daemon()
        back = await world.until(lambda: world.master.status().ready)
        status = world.master.status()
        assert back < 2
        assert (status.container_id, status.restarts) == (before, 0)
        assert status.state is ReplicaState.RUNNING

    play(script)


def test_killed_daemon_ends_its_containers_when_it_returns() -> None:
    async def script(world: World) -> None:
        await world.deploy(max_restarts=0)
        await world.until(lambda: world.master.status().ready)
        world.docker.kill_daemon()
        await asyncio.sleep(10)
        assert world.master.status().ready
        world.docker.start_daemon()
        await world.until(lambda: world.container().starts == 2)
        await world.until(lambda: world.master.status().ready)
        assert world.master.status().restarts == 0

    play(script)


def test_container_that_dies_during_an_outage_is_not_ready_any_more() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("mortal", Behaviour(crash_after=20.0))
        await world.deploy("mortal")
        await world.until(lambda: world.master.status().ready)
        world.docker.kill_daemon()
        await asyncio.sleep(30)
        assert not world.master.status().ready

    play(script, live_restore=True)


def test_replica_known_by_docker_alone_is_not_ready_without_docker() -> None:
    async def script(world: World) -> None:
        asking_inside = Probe(kind=ProbeKind.EXEC, command=("true",), interval_seconds=1.0)
        await world.deploy(readiness=asking_inside)
        await world.until(lambda: world.master.status().ready)
        world.docker.kill_daemon()
        took = await world.until(lambda: not world.master.status().ready)
        assert took < 0.1
        world.docker.start_daemon()
        await world.until(lambda: world.master.status().ready)
        assert world.container().starts == 1

    play(script, live_restore=True)


def test_daemon_that_accepts_calls_and_does_not_answer_counts_as_away() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.freeze()
        took = await world.until(lambda: world.master.facts[-1].docker_error)
        assert took < 17
        world.docker.thaw()
        await world.until(lambda: world.master.facts[-1].docker_error == "")
        assert world.container().starts == 1

    play(script)


def test_what_was_asked_during_an_outage_is_done_afterwards() -> None:
    async def script(world: World) -> None:
        old = await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.kill_daemon()
        await asyncio.sleep(1)
        await world.deploy(replica="r-000002")
        await world.master.stop(old)
        await asyncio.sleep(5)
        world.docker.start_daemon()
        await world.until(lambda: world.master.status("r-000002").ready)
        await world.until(lambda: world.master.gone == [old])

    play(script, live_restore=True)


def test_crash_after_an_outage_is_a_crash_again() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.stop_daemon()
        world.docker.start_daemon()
        await asyncio.sleep(5)
        world.docker.crash(world.container().id)
        await world.until(lambda: world.master.status().restarts == 1)

    play(script, live_restore=True)


def test_outage_hides_no_reason_of_a_replica_that_has_failed() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.1, exit_code=9))
        await world.deploy("bad", max_restarts=0)
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        world.docker.kill_daemon()
        await asyncio.sleep(5)
        world.docker.start_daemon()
        await asyncio.sleep(5)
        assert world.master.status().reason.startswith("exited with code 9")

    play(script)


def test_name_that_was_lost_with_the_daemon_is_settled_afterwards() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.fault("rename", Fault(error=DockerUnavailable("the connection broke")))
        await world.master.want(assignment(settled_name=True))
        await world.until(lambda: world.master.status().container_name == "orca-web")

    play(script)


def test_image_is_pulled_after_an_outage_without_blaming_it() -> None:
    async def script(world: World) -> None:
        world.docker.publish("registry/web:1", pull_seconds=100)
        world.docker.kill_daemon()
        await asyncio.sleep(1)
        await world.deploy("registry/web:1")
        await world.until(lambda: "Docker does not answer" in world.master.status().reason)
        world.docker.start_daemon()
        await world.until(lambda: world.master.status().state is ReplicaState.PULLING)
        assert world.master.status().reason == ""

    play(script)
