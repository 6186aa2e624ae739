"""Logs and commands, carried over streams that the node dials."""

from __future__ import annotations

import asyncio
from typing import Any

from node_world import Pipe, World, play

from orca.model.ids import Epoch, ReplicaId
from orca.rpc.messages import Channel, ExecRequest, LogsRequest, OpenStream, StreamChunk
from orca.testing.fake_docker import Behaviour

REPLICA = ReplicaId("r-000001")


async def opened(world: World, **request: Any) -> Pipe:
    """The master's end of a stream it asked for, after its ticket arrived."""
    await world.master.say(OpenStream(stream="ticket-1", epoch=Epoch(5), **request))
    stream = await world.master.streams.get()
    first: StreamChunk = await stream.receive()
    assert (first.stream, first.data) == ("ticket-1", b"")
    return stream


def serving() -> bool:
    """Whether the node still works for a stream."""
    return any("ticket-1" in task.get_name() for task in asyncio.all_tasks())


async def everything(stream: Pipe) -> tuple[str, StreamChunk]:
    """All bytes of both outputs, and the last chunk."""
    said = b""
    async with asyncio.timeout(60):
        while not (chunk := await stream.receive()).closed:
            said += chunk.data
    return said.decode(), chunk


async def running(world: World, **deploy: Any) -> None:
    await world.deploy(**deploy)
    await world.until(lambda: world.master.status().ready)


def test_log_is_sent_whole() -> None:
    async def script(world: World) -> None:
        await running(world)
        stream = await opened(world, logs=LogsRequest(replica=REPLICA))
        said, last = await everything(stream)
        assert said == "hello\n"
        assert last.error == ""

    play(script)


def test_followed_log_goes_on_until_the_reader_hangs_up() -> None:
    async def script(world: World) -> None:
        await running(world)
        stream = await opened(world, logs=LogsRequest(replica=REPLICA, follow=True, tail=0))
        await asyncio.sleep(1)
        assert serving()
        world.docker.write(world.container().id, "err:more")
        chunk = await stream.receive()
        assert (chunk.channel, chunk.data) == (Channel.STDERR, b"more\n")
        await stream.close()
        await asyncio.sleep(1)
        assert not serving()

    play(script)


def test_previous_log_of_a_restarted_container_is_what_came_before_its_last_start() -> None:
    async def script(world: World) -> None:
        await running(world)
        await asyncio.sleep(30)
        world.docker.write(world.container().id, "last words")
        world.docker.crash(world.container().id)
        await world.until(lambda: world.master.status().attempt == 2)
        await world.until(lambda: world.master.status().ready)
        stream = await opened(world, logs=LogsRequest(replica=REPLICA, previous=True, tail=1))
        assert (await everything(stream))[0] == "last words\n"

    play(script)


def test_previous_log_of_a_replacement_is_its_predecessors() -> None:
    async def script(world: World) -> None:
        await running(world)
        world.docker.write(world.container().id, "old release")
        await world.master.stop(REPLICA)
        await world.until(lambda: world.master.gone)
        await world.deploy(replica="r-000002", revision=2)
        await world.until(lambda: world.master.status("r-000002").ready)
        wanted = LogsRequest(replica=ReplicaId("r-000002"), previous=True)
        assert (await everything(await opened(world, logs=wanted)))[0] == "hello\nold release\n"

    play(script)


def test_missing_previous_log_is_said() -> None:
    async def script(world: World) -> None:
        await running(world)
        stream = await opened(world, logs=LogsRequest(replica=REPLICA, previous=True))
        _, last = await everything(stream)
        assert last.error_kind == "not_found"
        assert "no earlier log of shop/web" in last.error

    play(script)


def test_unknown_replica_is_said() -> None:
    async def script(world: World) -> None:
        stream = await opened(world, logs=LogsRequest(replica=ReplicaId("r-nobody")))
        _, last = await everything(stream)
        assert last.error_kind == "not_found"

    play(script)


def test_log_of_what_has_no_container_says_why() -> None:
    async def script(world: World) -> None:
        world.docker.publish("registry/web:1", pull_error="connection refused")
        await world.deploy("registry/web:1")
        await world.until(lambda: world.master.status().next_restart_at > 0)
        stream = await opened(world, logs=LogsRequest(replica=REPLICA))
        _, last = await everything(stream)
        assert "cannot be reached" in last.error

    play(script)


def test_command_tells_its_output_and_exit_code() -> None:
    async def script(world: World) -> None:
        await running(world)
        stream = await opened(world, exec=ExecRequest(replica=REPLICA, command=("echo", "hi")))
        said, last = await everything(stream)
        assert (said, last.exit_code) == ("hi\n", 0)
        failing = ExecRequest(replica=REPLICA, command=("sh", "-c", "exit 7"))
        _, last = await everything(await opened(world, exec=failing))
        assert last.exit_code == 7

    play(script)


def test_command_reads_what_is_sent_to_it() -> None:
    async def script(world: World) -> None:
        await running(world)
        wanted = ExecRequest(replica=REPLICA, command=("cat",), stdin=True)
        stream = await opened(world, exec=wanted)
        await stream.send(StreamChunk(stream="ticket-1", channel=Channel.STDIN, data=b"typed"))
        assert (await stream.receive()).data == b"typed"
        await stream.send(StreamChunk(stream="ticket-1", channel=Channel.STDIN, closed=True))
        _, last = await everything(stream)
        assert last.exit_code == 0

    play(script)


def test_command_in_a_dead_container_is_refused() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("bad", Behaviour(crash_after=0.1))
        await world.deploy("bad", max_restarts=0)
        await world.until(lambda: world.master.status().state.is_final)
        stream = await opened(world, exec=ExecRequest(replica=REPLICA, command=("true",)))
        _, last = await everything(stream)
        assert last.error_kind == "container"

    play(script)


def test_large_output_travels_in_pieces() -> None:
    async def script(world: World) -> None:
        world.docker.add_image("chatty", Behaviour(lines=("x" * 200_000,)))
        await world.deploy("chatty")
        await world.until(lambda: world.master.status().ready)
        stream = await opened(world, logs=LogsRequest(replica=REPLICA))
        sizes = []
        while not (chunk := await stream.receive()).closed:
            sizes.append(len(chunk.data))
        assert sum(sizes) == 200_001
        assert max(sizes) <= 64 * 1024

    play(script)
