"""The session with the master: greeting, complete sets, epochs, reconnects, and life without one."""

from __future__ import annotations

import asyncio
import json

from node_world import World, assignment, play

from orca.model.container import Probe, ProbeKind, PullPolicy
from orca.model.ids import CommandId, Epoch, ReplicaId
from orca.model.replica import ReplicaState
from orca.rpc import messages
from orca.testing.fake_docker import Behaviour


def test_agent_that_starts_again_adopts_what_runs() -> None:
    async def script(world: World) -> None:
        await world.deploy(settled_name=True)
        await world.until(lambda: world.master.status().ready)
        await asyncio.sleep(30)
        before = world.master.status().container_id
        await world.end()
        await asyncio.sleep(10)
        await world.start()
        await world.until(lambda: len(world.master.hellos) == 2)
        (status,) = world.master.hellos[1].statuses
        assert status.ready
        assert status.state is ReplicaState.RUNNING
        assert status.container_id == before
        await asyncio.sleep(30)
        assert world.container().starts == 1
        assert world.master.status().attempt == 1

    play(script)


def test_agent_without_a_master_restarts_what_crashes() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.master.reachable = False
        await world.master.hang_up()
        await world.end()
        await world.start()
        await asyncio.sleep(10)
        world.docker.crash(world.container().id)
        await world.until(lambda: world.container().starts == 2)

    play(script)


def test_death_while_the_agent_was_away_is_found_and_mended() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.until(lambda: world.master.status().ready)
        await world.end()
        world.docker.crash(world.container().id)
        await world.start()
        await world.until(lambda: world.container().starts == 2)
        await world.until(lambda: world.master.status().ready)

    play(script)


def test_record_without_a_container_waits_for_the_master() -> None:
    async def script(world: World) -> None:
        await world.deploy(env={"PASSWORD": "s3cret"})
        await world.until(lambda: world.master.status().ready)
        await world.end()
        world.docker.vanish(world.container().id)
        world.master.reachable = False
        await world.start()
        await asyncio.sleep(30)
        assert world.docker.containers == {}
        world.master.reachable = True
        await world.until(lambda: world.container().running)
        assert world.container().request.spec.env == {"PASSWORD": "s3cret"}

    play(script)


def test_no_secret_reaches_the_disk() -> None:
    async def script(world: World) -> None:
        asking = Probe(kind=ProbeKind.EXEC, command=("ask", "s3cret"))
        await world.deploy(
            env={"A": "s3cret"},
            command=("run", "s3cret"),
            entrypoint=("s3cret",),
            labels={"x": "s3cret"},
            readiness=asking,
            secret_files={"KEY": "s3cret"},
        )
        await world.until(lambda: world.master.statuses)
        written = [path for path in (world.home / "node").rglob("*") if path.is_file()]
        assert len(written) == 2
        assert all("s3cret" not in path.read_text() for path in written)
        assert all(path.stat().st_mode & 0o077 == 0 for path in written)

    play(script)


def test_orphan_of_this_node_is_removed_and_nothing_else() -> None:
    async def script(world: World) -> None:
        ours = {"orca.cluster": "test", "orca.node": world.node}
        world.docker.stranger("orphan", {**ours, "orca.replica": "r-old"})
        kept = [
            world.docker.stranger("other-cluster", {**ours, "orca.cluster": "another"}),
            world.docker.stranger("other-node", {**ours, "orca.node": "another"}),
            world.docker.stranger("nobodys"),
        ]
        await world.master.hang_up()
        await world.until(lambda: len(world.docker.containers) == 3)
        assert sorted(world.docker.containers) == sorted(kept)
        assert all(world.docker.containers[each].running for each in kept)

    play(script)


def test_replica_missing_from_the_complete_set_is_taken_down() -> None:
    async def script(world: World) -> None:
        replica = await world.deploy()
        await world.until(lambda: world.master.status().ready)
        world.master.wanted.clear()
        await world.master.hang_up()
        await world.until(lambda: world.docker.containers == {})
        await world.until(lambda: world.master.gone == [replica])

    play(script)


def test_replica_missing_from_an_increment_is_left_alone() -> None:
    async def script(world: World) -> None:
        await world.deploy()
        await world.deploy(replica="r-000002", slot=1)
        await world.until(lambda: world.master.status().ready)
        await asyncio.sleep(30)
        assert len(world.docker.containers) == 2

    play(script)


def test_messages_of_a_replaced_leader_are_refused() -> None:
    async def script(world: World) -> None:
        stale = messages.Assignments(
            epoch=Epoch(4), complete=False, assignments=(assignment(epoch=4),)
        )
        await world.master.say(stale)
        await world.master.say(
            messages.ResolveImage(
                command=CommandId("c"), epoch=Epoch(4), image="web", pull=PullPolicy.NEVER
            )
        )
        await world.until(lambda: world.master.done)
        assert world.master.done[0].error_kind == "fenced"
        await asyncio.sleep(5)
        assert world.docker.containers == {}

    play(script)


def test_highest_epoch_survives_a_restart_of_the_agent() -> None:
    async def script(world: World) -> None:
        await world.until(lambda: _epoch(world) == 5)
        await world.end()
        world.master.epoch = Epoch(4)
        await world.start()
        await world.until(lambda: len(world.master.hellos) >= 2)
        assert world.master.hellos[1].epoch == 5
        await world.deploy()
        await asyncio.sleep(5)
        assert world.docker.containers == {}
        # It hangs up on the leader of yesterday and looks for the present one.
        assert len(world.master.hellos) >= 3
        world.master.epoch = Epoch(6)
        await world.until(lambda: world.container().running)

    play(script)


def _epoch(world: World) -> int:
    return int(json.loads((world.home / "node" / "node.json").read_text())["epoch"])


def test_session_without_answers_is_given_up_after_three_heartbeats() -> None:
    async def script(world: World) -> None:
        await asyncio.sleep(10)
        world.master.acknowledges = False
        took = await world.until(lambda: len(world.master.hellos) == 2)
        assert 5 < took < 11

    play(script)


def test_master_that_does_not_greet_is_given_up() -> None:
    async def script(world: World) -> None:
        world.master.greets = False
        await world.master.hang_up()
        await world.until(lambda: len(world.master.hellos) == 2)
        took = await world.until(lambda: len(world.master.hellos) == 3)
        assert 9 < took < 12

    play(script)


def test_redial_backs_off_with_jitter_and_recovers_fast() -> None:
    async def script(world: World) -> None:
        world.master.reachable = False
        await world.master.hang_up()
        await asyncio.sleep(60)
        gaps = [b - a for a, b in zip(world.master.dials[1:], world.master.dials[2:], strict=False)]
        assert gaps[0] < 0.5
        assert all(2.4 < gap < 5.1 for gap in gaps[-5:])
        world.master.reachable = True
        took = await world.until(lambda: len(world.master.hellos) == 2)
        assert took < 5.1

    play(script)


def test_status_changes_that_come_together_travel_together() -> None:
    async def script(world: World) -> None:
        many = [assignment(replica=f"r-{n:06}", slot=n) for n in range(20)]
        reports = 0
        hear = world.master._hear

        async def counting(side: object, message: messages.NodeMessage) -> None:
            nonlocal reports
            reports += isinstance(message, messages.StatusReport)
            await hear(side, message)  # type: ignore[arg-type]

        world.master._hear = counting  # type: ignore[method-assign,assignment]
        await world.master.want(*many)
        await world.until(lambda: sum(s.ready for s in world.master.statuses.values()) == 20)
        assert reports < len(world.master.history)

    play(script)


def test_image_is_resolved_for_the_master() -> None:
    async def script(world: World) -> None:
        digest = world.docker.publish("registry/web:1")
        await world.master.say(_resolve("registry/web:1"))
        await world.until(lambda: world.master.done)
        assert world.master.done[0].image_id == digest

    play(script)


def test_image_that_cannot_be_had_is_answered_with_advice() -> None:
    async def script(world: World) -> None:
        await world.master.say(_resolve("registry/nothing:1"))
        await world.until(lambda: world.master.done)
        (done,) = world.master.done
        assert done.error_kind == "image"
        assert "no such image or tag" in done.error
        assert done.hint

    play(script)


def _resolve(image: str) -> messages.ResolveImage:
    return messages.ResolveImage(
        command=CommandId("c-1"), epoch=Epoch(5), image=image, pull=PullPolicy.AUTO
    )


def test_forgotten_replica_is_taken_down() -> None:
    async def script(world: World) -> None:
        replica = await world.deploy()
        await world.until(lambda: world.master.status().ready)
        await world.master.say(
            messages.Assignments(epoch=Epoch(5), complete=False, forgotten=(ReplicaId(replica),))
        )
        await world.until(lambda: world.docker.containers == {})

    play(script)


def test_failed_replica_is_not_taken_up_again_by_the_next_agent() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.1))
        await world.deploy("bad", max_restarts=0)
        await world.until(lambda: world.master.status().state is ReplicaState.FAILED)
        await world.end()
        await world.start()
        await world.until(lambda: len(world.master.hellos) == 2)
        (status,) = world.master.hellos[1].statuses
        assert status.state is ReplicaState.FAILED
        await asyncio.sleep(30)
        assert world.container().starts == 1

    play(script)
