"""A command in a replica through the API: bytes both ways, its end, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging

import aiohttp
import pytest

from orca import errors
from orca.client import schema
from orca.client.http import OrcaClient
from orca.master.control import Role
from orca.rpc.messages import Channel, StreamChunk
from orca.testing.api_site import TOKENS, Site, bearer, deploy_of

SHELL = schema.ExecOpen(command=("sh", "-c", "cat"), stdin=True, env={"A": "b"}, replica="0")


@pytest.fixture(autouse=True)
async def deployed(client: OrcaClient) -> None:
    await client.deploy(deploy_of())


def typed(data: bytes) -> StreamChunk:
    return StreamChunk(stream="", channel=Channel.STDIN, data=data)


async def test_command_hears_and_answers_until_it_exits(site: Site, client: OrcaClient) -> None:
    async with await client.exec("shop/web", SHELL) as stream:
        for data in (b"hello\n", bytes(range(256))):
            await stream.send(typed(data))
            assert (await stream.receive()).data == data
        await stream.send(StreamChunk(stream="", columns=120, rows=40))
        sized = await stream.receive()
        assert (sized.channel, sized.data) == (Channel.STDERR, b"120x40")
        await stream.send(StreamChunk(stream="", channel=Channel.STDIN, closed=True))
        last = await stream.receive()
        assert (last.closed, last.exit_code) == (True, 7)
        with pytest.raises(errors.Unavailable):
            await stream.receive()
        with pytest.raises(errors.Unavailable):
            await stream.send(typed(b"late"))
    request = site.control.executed[0]
    assert (request.command, request.env, request.replica) == (SHELL.command, {"A": "b"}, "0")


async def test_input_of_any_length_arrives_whole(client: OrcaClient) -> None:
    data = bytes(range(256)) * 12_000
    async with await client.exec("web", SHELL) as stream:
        await stream.send(typed(data))
        heard = b""
        while len(heard) < len(data):
            heard += (await stream.receive()).data
    assert heard == data


async def test_output_longer_than_a_frame_is_split(site: Site, client: OrcaClient) -> None:
    async with await client.exec("web", SHELL) as stream:
        await site.control.streams[0].send(typed(b"x" * 3_000_000))
        sizes = [len((await stream.receive()).data) for _ in range(12)]
    assert sum(sizes) == 3_000_000


async def test_unknown_service_is_not_found(client: OrcaClient) -> None:
    with pytest.raises(errors.NotFound, match="nope"):
        await client.exec("nope", SHELL)


async def test_role_too_low_is_forbidden_before_anything_opens(site: Site) -> None:
    viewer = await site.client(token=TOKENS[Role.VIEWER])
    with pytest.raises(errors.Forbidden):
        await viewer.exec("web", SHELL)


async def test_failure_in_the_replica_arrives_as_its_kind(
    site: Site, client: OrcaClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "audit")
    async with await client.exec("web", SHELL) as stream:
        await stream.send(typed(b"!docker_unavailable"))
        with pytest.raises(errors.DockerUnavailable, match="It failed"):
            await stream.receive()
    await site.server.stop()
    lines = [r.msg for r in caplog.records if r.name == "audit" and isinstance(r.msg, dict)]
    assert lines[-1]["outcome"] == "docker_unavailable"


async def test_client_that_leaves_ends_the_command(site: Site, client: OrcaClient) -> None:
    stream = await client.exec("web", SHELL)
    await stream.close()
    async with asyncio.timeout(2):
        await site.control.streams[0].until_closed()


async def test_server_that_stops_says_so(site: Site, client: OrcaClient) -> None:
    async with await client.exec("web", SHELL) as stream, asyncio.TaskGroup() as tasks:
        tasks.create_task(site.server.stop())
        with pytest.raises(errors.Unavailable, match="shutting down"):
            await stream.receive()
    assert site.control.streams[0].closed


async def test_plain_request_is_told_to_upgrade(site: Site) -> None:
    async with site.raw.get(site.url("/services/web/exec"), headers=bearer()) as response:
        assert response.status == 426
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        (['{"type":"resize","columns":1,"rows":1}'], "first frame"),
        ([b"\0hello"], "first frame"),
        (["nonsense"], "not valid"),
        (['{"type":"open","command":[]}'], "command"),
        (['{"type":"open","command":["a"],"cmd":1}'], "cmd"),
        (['{"type":"open","command":["a"]}', '{"type":"open","command":["a"]}'], "first frame"),
        (['{"type":"open","command":["a"]}', b"\1hello"], "stdin"),
        (['{"type":"open","command":["a"]}', b""], "stdin"),
        (['{"type":"open","command":["a"]}', '{"type":"resize","columns":0,"rows":1}'], "columns"),
    ],
)
async def test_frame_that_makes_no_sense_ends_it_with_a_reason(
    site: Site, frames: list[str | bytes], says: str
) -> None:
    url = site.url("/services/web/exec")
    async with site.raw.ws_connect(url, headers=bearer()) as socket:
        for frame in frames:
            if isinstance(frame, str):
                await socket.send_str(frame)
            else:
                await socket.send_bytes(frame)
        texts = [json.loads(m.data) async for m in socket if m.type is aiohttp.WSMsgType.TEXT]
    assert texts[-1]["type"] == "error"
    assert says in texts[-1]["problem"]["title"]
    assert texts[-1]["problem"]["status"] == 422
