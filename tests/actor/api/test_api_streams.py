"""Streams: what they carry, how they end, and that nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from orca import errors
from orca.client import schema
from orca.client.http import OrcaClient
from orca.client.settings import ClientSettings
from orca.testing.api_site import Site, bearer, deploy_of, spec

LINE = schema.LogLine(replica="r", slot=0, stream="stdout", line="hello\nworld ü")


async def test_status_is_streamed_now_and_after_each_change(site: Site, client: OrcaClient) -> None:
    states = client.watch_status(project="")
    assert (await anext(states)).services == ()
    await client.deploy(deploy_of())
    assert (await anext(states)).services[0].name == "web"
    await states.aclose()


async def test_accept_header_alone_makes_a_stream(site: Site) -> None:
    headers = bearer() | {"Accept": "text/event-stream"}
    async with site.raw.get(site.url("/status"), headers=headers) as response:
        assert response.content_type == "text/event-stream"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert await response.content.readuntil(b"\n") == b": orca\n"


async def test_rollouts_are_streamed_until_all_have_ended(site: Site, client: OrcaClient) -> None:
    done = await client.deploy(deploy_of(spec("a"), spec("b")))
    ids = [accepted.rollout for accepted in done.deployed]
    seen = []
    async for view in client.watch_rollouts(ids):
        seen.append((view.id, view.phase))
        if len(seen) == 2:
            site.control.move_rollout(ids[0], phase="complete", ready=1)
            site.control.move_rollout(ids[1], phase="failed")
    assert seen[:2] == [(id_, "progressing") for id_ in ids]
    assert sorted(seen[2:]) == sorted([(ids[0], "complete"), (ids[1], "failed")])


async def test_rollouts_are_listed_in_the_order_asked_for(site: Site, client: OrcaClient) -> None:
    done = await client.deploy(deploy_of(spec("a"), spec("b")))
    ids = [accepted.rollout for accepted in reversed(done.deployed)]
    assert [view.id for view in await client.rollouts([*ids, ids[0]])] == ids
    await site.control.until_streams(0)


async def test_error_before_the_first_item_is_a_status(site: Site, client: OrcaClient) -> None:
    with pytest.raises(errors.NotFound, match="nope"):
        await anext(client.watch_rollouts(["nope"]))
    with pytest.raises(errors.NotFound, match="nope"):
        await anext(client.logs("nope", follow=True))
    async with site.raw.get(site.url("/services/nope/logs"), headers=bearer()) as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"


async def test_error_in_the_middle_ends_the_stream_with_it(site: Site, client: OrcaClient) -> None:
    states = client.watch_status()
    await anext(states)
    site.control.fail_with = errors.StoreUnavailable("etcd is away.", hint="Wait.")
    site.control.wake()
    with pytest.raises(errors.StoreUnavailable, match="etcd is away"):
        await anext(states)


async def test_unexpected_error_in_a_stream_shows_no_more_than_its_id(
    site: Site, client: OrcaClient
) -> None:
    states = client.watch_status()
    await anext(states)
    site.control.fail_with = KeyError("inner detail")
    site.control.wake()
    with pytest.raises(errors.OrcaError, match="unexpectedly") as caught:
        await anext(states)
    assert "inner detail" not in caught.value.message


async def test_events_are_listed_after_a_number_and_limited(site: Site, client: OrcaClient) -> None:
    for number in range(5):
        site.control.emit(f"e{number}", service="shop/web" if number % 2 else "")
    assert [e.sequence for e in (await client.events(after=2)).events] == [3, 4, 5]
    assert [e.sequence for e in (await client.events(limit=2)).events] == [4, 5]
    assert [e.sequence for e in (await client.events(service="shop/web")).events] == [2, 4]


async def test_event_stream_resumes_after_the_last_event_id(site: Site) -> None:
    for number in range(3):
        site.control.emit(f"e{number}")
    headers = bearer() | {"Last-Event-ID": "2"}
    url = site.url("/events?follow=true")
    async with site.raw.get(url, headers=headers) as response:
        text = await response.content.readuntil(b"id: 3\n")
        assert b"id: 2" not in text
        site.control.emit("later")
        assert b"event: event" in await response.content.readuntil(b"id: 4\n")


async def test_watched_events_go_on_after_those_that_were(site: Site, client: OrcaClient) -> None:
    site.control.emit("one")
    site.control.emit("two")
    watched = client.watch_events(after=1)
    assert (await anext(watched)).message == "two"
    site.control.emit("three")
    assert (await anext(watched)).message == "three"
    await watched.aclose()


async def test_malformed_last_event_id_is_refused(site: Site) -> None:
    headers = bearer() | {"Last-Event-ID": "²"}
    async with site.raw.get(site.url("/events?follow=true"), headers=headers) as response:
        assert response.status == 422


async def test_logs_come_line_by_line_and_end(site: Site, client: OrcaClient) -> None:
    await client.deploy(deploy_of())
    site.control.log_lines = [LINE] * 3000
    assert [line async for line in client.logs("web", tail=-1)] == [LINE] * 3000
    assert len([line async for line in client.logs("web", tail=5)]) == 5


async def test_followed_logs_begin_although_nothing_is_said_yet(
    site: Site, client: OrcaClient
) -> None:
    await client.deploy(deploy_of())
    lines = client.logs("web", follow=True, since=1.5, timestamps=True)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(anext(lines))  # type: ignore[arg-type]
        await site.control.until_streams(1)
        site.control.log_lines.append(LINE)
        site.control.wake()
    assert first.result() == LINE
    await lines.aclose()


async def test_line_longer_than_any_buffer_arrives_whole(site: Site, client: OrcaClient) -> None:
    await client.deploy(deploy_of())
    long = LINE.model_copy(update={"line": "x" * 3_000_000})
    site.control.log_lines = [long, LINE]
    assert [line async for line in client.logs("web")] == [long, LINE]


@pytest.mark.parametrize("path", ["/status?watch=true", "/events?follow=true"])
async def test_client_that_leaves_ends_the_generator(site: Site, path: str) -> None:
    site.control.emit("one")
    response = await site.raw.get(site.url(path), headers=bearer())
    await response.content.readline()
    assert len(site.control.open_streams) == 1
    response.close()
    async with asyncio.timeout(2):
        await site.control.until_streams(0)


async def test_client_that_leaves_its_own_loop_ends_the_generator(
    site: Site, client: OrcaClient
) -> None:
    site.control.emit("one")
    watched = client.watch_events()
    await anext(watched)
    await watched.aclose()
    async with asyncio.timeout(2):
        await site.control.until_streams(0)


async def test_server_that_stops_says_so_on_its_streams(site: Site, client: OrcaClient) -> None:
    site.control.emit("one")
    watched = client.watch_events()
    await anext(watched)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(site.server.stop())
        with pytest.raises(errors.Unavailable, match="shutting down"):
            await anext(watched)
    assert loop.time() - begun < 2
    assert site.control.open_streams == []


class TestHeartbeat:
    @pytest.fixture
    def heartbeat_seconds(self) -> float:
        return 0.02

    async def test_silence_is_filled(self, site: Site) -> None:
        async with site.raw.get(site.url("/status?watch=true"), headers=bearer()) as response:
            await response.content.readuntil(b": heartbeat\n\n")
            await response.content.readuntil(b": heartbeat\n\n")

    async def test_heartbeats_are_no_items(self, site: Site, client: OrcaClient) -> None:
        await client.deploy(deploy_of())
        lines = client.logs("web", follow=True)
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(anext(lines))  # type: ignore[arg-type]
            await asyncio.sleep(0.1)
            site.control.log_lines.append(LINE)
            site.control.wake()
        assert first.result() == LINE
        await lines.aclose()


async def test_stream_that_falls_silent_is_unavailable(site: Site) -> None:
    client = await site.client(silence_seconds=0.05)
    states = client.watch_status()
    await anext(states)
    with pytest.raises(errors.Unavailable, match="silent"):
        await anext(states)


async def test_stream_with_nothing_to_say_begins_all_the_same(
    site: Site, client: OrcaClient
) -> None:
    await client.deploy(deploy_of())
    url = site.url("/services/web/logs?follow=true")
    async with asyncio.timeout(5), site.raw.get(url, headers=bearer()) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"


async def test_connection_that_breaks_in_a_stream_is_unavailable() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n7\r\n: orca\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(half, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = ClientSettings(url=f"http://127.0.0.1:{port}", token="x")
        async with OrcaClient(settings) as client:
            with pytest.raises(errors.Unavailable, match="broke"):
                await anext(client.watch_status())
