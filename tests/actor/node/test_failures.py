"""Crashes, sick containers and images that cannot be had."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from node_world import World, assignment, play

from orca.errors import ContainerError, DockerUnavailable
from orca.model.container import PortMapping, Probe, ProbeKind
from orca.model.replica import ReplicaState
from orca.testing.fake_docker import Behaviour, Fault

HTTP = Probe(kind=ProbeKind.HTTP, path="/health", interval_seconds=2.0, failure_threshold=3)


def test_crashed_container_is_started_again_at_once() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        await asyncio.sleep(60)
        before = world.container().id
        world.docker.crash(before, exit_code=3)
        gone = await world.until(lambda: not world.master.status().ready)
        back = await world.until(lambda: world.master.status().ready)
        status = world.master.status()
        assert gone < 0.02
        assert back < 0.35
        assert world.container().id == before
        assert (status.attempt, status.restarts, status.exit_code) == (2, 1, 3)
        assert status.last_lines == ("hello",)

    play(script)


def test_replica_is_available_after_its_time_and_a_look() -> None:
    async def script(world: World) -> None:
        await world.deploy(min_ready_seconds=3.0)
        await world.until(lambda: world.master.status().ready)
        took = await world.until(lambda: world.master.status().available)
        assert 2.9 < took < 3.1

    play(script)


def test_death_that_nobody_told_of_is_found_before_a_replica_counts_as_available() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("blink", Behaviour(crash_after=1.5))
        world.docker.loses_events = True
        await world.deploy("blink", min_ready_seconds=2.0, max_restarts=2)
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        assert any(status.ready for status in world.master.history)
        assert not any(status.available for status in world.master.history)

    play(script)


@pytest.mark.parametrize("operation", ["list", "stop", "logs", "remove"])
def test_call_that_never_returns_does_not_keep_a_replica_from_going(operation: str) -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.fault(operation, Fault(hang=True))
        await world.master.stop("r-000001")
        await world.until(lambda: world.master.gone, seconds=120)
        assert world.docker.containers == {}

    play(script)


@pytest.mark.parametrize("operation", ["rename", "inspect"])
def test_call_that_never_returns_does_not_keep_a_replica_from_its_name(operation: str) -> None:
    async def script(world: World) -> None:
        first = assignment()
        await world.master.want(first)
        await world.until(lambda: world.master.status().ready)
        world.docker.fault(operation, Fault(hang=True))
        await world.master.want(replace(first, settled_name=True))
        await world.until(lambda: world.container().name == "orca-web", seconds=120)

    play(script)


def test_crash_loop_backs_off_and_keeps_saying_why() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(lines=("no database",), crash_after=0.1))
        await world.deploy("bad")
        await world.until(lambda: world.master.status().restarts >= 1)
        await asyncio.sleep(3600)
        status = world.master.status()
        # 0, 1, 2, 4, 8, 16, 32 and then one a minute.
        assert 60 <= status.restarts <= 67
        assert "exited with code 1" in status.reason
        assert status.last_lines == ("no database",)
        assert not status.ready
        assert not status.state.is_final

    play(script)


def test_crash_before_anybody_saw_it_run_backs_off_as_well() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.0001))
        await world.deploy("bad")
        await asyncio.sleep(60)
        # 0, 1, 2, 4, 8, 16 and then 32 seconds of waiting.
        assert world.container().starts == 7
        assert world.master.status().restarts == 7
        assert "exited with code 1" in world.master.status().reason

    play(script)


def test_replica_that_is_never_ready_shows_what_it_writes() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("mute", Behaviour(lines=("waiting for a lock",), never_ready=True))
        await world.deploy("mute", readiness=HTTP)
        await world.until(lambda: world.master.status().last_lines != ())
        status = world.master.status()
        assert status.state is ReplicaState.RUNNING
        assert not status.ready
        assert status.last_lines == ("waiting for a lock",)

    play(script)


def test_next_restart_is_announced_while_backing_off() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.1))
        await world.deploy("bad")
        await world.until(lambda: world.master.status().next_restart_at > 0)
        ahead = world.master.status().next_restart_at - world.docker.now()
        assert 0.9 < ahead <= 1.0

    play(script)


def test_good_run_ends_the_row_of_restarts() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("tired", Behaviour(crash_after=30.0))
        await world.deploy("tired", max_restarts=1)
        await asyncio.sleep(600)
        status = world.master.status()
        assert status.restarts >= 18
        assert status.state is not ReplicaState.FAILED

    play(script)


def test_replica_fails_after_its_last_allowed_restart() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.1, exit_code=9))
        await world.deploy("bad", max_restarts=2)
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        status = world.master.status()
        assert status.restarts == 2
        assert status.reason.startswith("exited with code 9; restarted 2 times")
        assert not status.permanent
        await asyncio.sleep(600)
        assert world.container().starts == 3

    play(script)


def test_failed_replica_is_removed_when_it_is_stopped() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.1))
        replica = await world.deploy("bad", max_restarts=0)
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        await world.master.stop(replica)
        await world.until(lambda: world.master.gone == [replica])
        assert world.master.status().state is ReplicaState.FAILED
        assert world.docker.containers == {}

    play(script)


def test_lack_of_memory_is_the_reason_that_is_kept() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("hungry", Behaviour(crash_after=0.1, oom=True))
        await world.deploy("hungry", max_restarts=0)
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        assert world.master.status().oom_killed
        assert "out of memory" in world.master.status().reason

    play(script)


def test_missing_command_fails_for_good() -> None:
    async def script(world: World) -> None:
        await world.deploy(command=("/missing",))
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        assert world.master.status().permanent
        assert "executable file not found" in world.master.status().reason

    play(script)


def test_command_that_only_the_init_misses_fails_for_good() -> None:
    async def script(world: World) -> None:
        line = "err:[FATAL tini (7)] exec /nope failed: No such file or directory"
        world.docker.add_image("bad", Behaviour(lines=(line,), crash_after=0.01, exit_code=127))
        await world.deploy("bad")
        took = await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        assert took < 1
        assert world.master.status().permanent
        assert "/nope cannot be run" in world.master.status().reason

    play(script)


def test_missing_image_fails_for_good_with_advice() -> None:
    async def script(world: World) -> None:
        await world.deploy("registry/nothing:1")
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        assert world.master.status().permanent
        assert "there is no such image or tag" in world.master.status().reason

    play(script)


def test_registry_that_cannot_be_reached_is_asked_again() -> None:
    async def script(world: World) -> None:
        world.docker.publish("registry/web:1", pull_error="connection refused")
        await world.deploy("registry/web:1")
        await world.until(lambda: world.master.status().next_restart_at > 0)
        assert "cannot be reached" in world.master.status().reason
        world.docker.publish("registry/web:1")
        await world.until(lambda: world.master.status().ready)
        assert world.master.status().reason == ""

    play(script)


def test_port_held_by_a_stranger_is_named_and_tried_again() -> None:
    async def script(world: World) -> None:
        port = PortMapping(host_port=8080, container_port=80)
        await world.deploy(replica="r-stranger", service="other/web", ports=(port,))
        await world.until(lambda: world.master.status("r-stranger").ready)
        await world.deploy(ports=(port,))
        await world.until(lambda: world.master.status().next_restart_at > 0)
        assert "host port 8080 is already in use" in world.master.status().reason
        assert not world.master.status().permanent
        await world.master.stop("r-stranger")
        await world.until(lambda: world.master.status().ready)
        assert world.master.status().restarts == 0

    play(script)


def test_start_that_hangs_is_given_up_and_tried_again() -> None:
    async def script(world: World) -> None:
        world.docker.fault("start", Fault(hang=True))
        await world.deploy()
        took = await world.until(lambda: world.master.status().ready, seconds=90)
        assert 60 < took < 65

    play(script)


def test_create_that_took_effect_although_it_failed_makes_no_second_container() -> None:
    async def script(world: World) -> None:
        lost = DockerUnavailable("the connection broke")
        world.docker.fault("create", Fault(error=lost, late=True))
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        assert len(world.docker.containers) == 1
        assert world.docker.calls.count("create") == 1

    play(script)


def test_failed_removal_is_repeated_until_it_works() -> None:
    async def script(world: World) -> None:
        replica = await world.deploy()
        await world.until(lambda: world.master.status().ready)
        busy = ContainerError("the device is busy", permanent=True)
        world.docker.fault("remove", Fault(error=busy), times=3)
        await world.master.stop(replica)
        await world.until(lambda: world.master.gone == [replica])
        assert world.docker.containers == {}

    play(script)


def test_failed_removal_says_why() -> None:
    async def script(world: World) -> None:
        replica = await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.fault("remove", Fault(error=ContainerError("the device is busy")), times=4)
        await world.master.stop(replica)
        await world.until(lambda: world.master.status().reason == "the device is busy")
        assert world.master.status().state is ReplicaState.STOPPING
        assert world.master.status().next_restart_at == 0.0
        await world.until(lambda: world.master.gone == [replica])

    play(script)


def test_sick_container_is_restarted_for_its_liveness() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("sick", Behaviour(sick_after=20.0))
        await world.deploy("sick", liveness=HTTP)
        await world.until(lambda: world.master.status().ready)
        await world.until(lambda: world.master.status().restarts == 1)
        status = world.master.status()
        assert "its liveness probe failed 3 times in a row" in status.reason
        assert "→ 503" in status.reason
        await world.until(lambda: world.master.status().ready)
        assert world.container().starts == 2

    play(script)


def test_liveness_waits_for_startup() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("slow", Behaviour(listens_after=25.0))
        startup = Probe(kind=ProbeKind.TCP, interval_seconds=1.0, failure_threshold=30)
        await world.deploy("slow", startup=startup, liveness=HTTP, readiness=HTTP)
        took = await world.until(lambda: world.master.status().ready)
        assert 25 < took < 28
        assert world.master.status().restarts == 0

    play(script)


def test_container_that_never_starts_up_is_restarted() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("never", Behaviour(never_ready=True))
        startup = Probe(kind=ProbeKind.TCP, interval_seconds=2.0, failure_threshold=5)
        await world.deploy("never", startup=startup, max_restarts=1)
        took = await world.until(lambda: world.master.status().restarts == 1)
        assert 8 <= took < 12
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        assert "startup probe failed" in world.master.status().reason

    play(script)


def test_container_that_never_listens_is_never_ready_and_says_why() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("deaf", Behaviour(never_ready=True))
        await world.deploy("deaf")
        await asyncio.sleep(30)
        assert not any(status.ready for status in world.master.history)
        assert "connection refused" in world.master.status().reason
        assert world.master.status().state is ReplicaState.RUNNING

    play(script)


def test_unready_container_that_lives_is_not_restarted() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("sick", Behaviour(sick_after=20.0))
        await world.deploy("sick", readiness=HTTP)
        await world.until(lambda: world.master.status().ready)
        await asyncio.sleep(60)
        assert not world.master.status().ready
        assert world.master.status().restarts == 0

    play(script)


def test_container_removed_by_somebody_else_is_made_again() -> None:
    async def script(world: World) -> None:
        await world.deploy(settled_name=True)
        await world.until(lambda: world.master.status().ready)
        world.docker.vanish(world.container().id)
        await world.until(lambda: world.master.status().attempt == 2)
        await world.until(lambda: world.master.status().ready)
        assert world.container().name == "orca-web"

    play(script)


def test_death_is_noticed_although_its_event_was_lost() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.loses_events = True
        world.docker.crash(world.container().id)
        took = await world.until(lambda: world.master.status().attempt == 2)
        assert took < 12

    play(script)


def test_one_death_is_counted_once_however_often_it_is_looked_at() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.1))
        await world.deploy("bad")
        await world.until(lambda: world.master.status().restarts == 6)
        # Now 16 seconds of waiting, in which every resync sees a dead container.
        await asyncio.sleep(15)
        assert world.master.status().restarts == 6

    play(script)


def test_replica_that_is_told_twice_is_run_once() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.master.want(assignment())
        await world.until(lambda: world.master.status().ready)
        await world.master.want(assignment())
        await asyncio.sleep(30)
        assert len(world.docker.containers) == 1
        assert world.container().starts == 1

    play(script)


def test_blocked_replica_makes_no_container_and_says_why() -> None:
    async def script(world: World) -> None:
        blocked = replace(assignment(), blocked="the secret KEY cannot be opened")
        await world.master.want(blocked)
        await world.until(lambda: world.master.status().reason == blocked.blocked)
        assert world.docker.by_replica("r-000001") is None
        await world.master.want(assignment())
        await world.until(lambda: world.master.status().ready)

    play(script)


def test_blocked_replica_keeps_the_container_it_has() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        container = world.container().id
        await world.master.want(replace(assignment(), blocked="the secret KEY cannot be opened"))
        await asyncio.sleep(30)
        assert world.container().id == container
        assert world.master.status().ready

    play(script)


def test_replica_whose_actor_failed_goes_on_where_it_was() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.docker.crash(world.container().id)
        await world.until(lambda: world.master.status().attempt == 2)
        await world.until(lambda: world.master.status().ready)
        seen = len(world.master.history)
        world.docker.fault("inspect", Fault(error=ValueError("a bug")))  # type: ignore[arg-type]
        world.docker.crash(world.container().id)
        await world.until(lambda: world.master.status().attempt == 3)
        await world.until(lambda: world.master.status().ready)
        assert all(status.attempt >= 2 for status in world.master.history[seen:])

    play(script)
