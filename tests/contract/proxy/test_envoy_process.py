"""Envoy as a process: adopted, replaced, refused, killed, drained; without failing a request."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
from proxy_upstreams import API, WEB, Upstream, World, free_port, table_of

from orca import errors
from orca.model.route import Backend, EndpointState, Route, RouteTable
from orca.processes import record_of
from orca.proxy.envoy import EnvoyServer
from orca.proxy.handover import MIGRATE
from orca.proxy.ports import EndpointKey


@dataclass
class Load:
    """What steady clients met."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)


@asynccontextmanager
async def load(world: World, *, clients: int = 8) -> AsyncIterator[Load]:
    """Clients that ask without pause, half of them on a new connection each time."""
    seen, stop = Load(), asyncio.Event()

    async def ask(session: aiohttp.ClientSession) -> None:
        while not stop.is_set():
            try:
                async with session.post(
                    world.url, data=b"body", headers={"Host": "shop.test"}
                ) as answer:
                    await answer.read()
                    if answer.status != 200:
                        seen.failures.append(f"status {answer.status}")
            except aiohttp.ClientError as error:
                seen.failures.append(repr(error))
            seen.answers += 1
            await asyncio.sleep(0)

    async with (
        aiohttp.ClientSession() as keep_alive,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as fresh,
        asyncio.TaskGroup() as group,
    ):
        for number in range(clients):
            group.create_task(ask(fresh if number % 2 else keep_alive))
        try:
            yield seen
        finally:
            stop.set()


async def test_endpoint_switch_under_load_fails_no_request(
    world: World, upstream: Upstream
) -> None:
    other = await world.start_upstream("two")
    await world.serve(upstream.endpoint())
    async with load(world) as seen:
        for old, new in [(upstream, other), (other, upstream)] * 3:
            await asyncio.sleep(0.1)
            await world.serve(old.endpoint(EndpointState.DRAINING), new.endpoint())
            await asyncio.sleep(0.05)
            await world.serve(new.endpoint())
    assert seen.failures == []
    assert seen.answers > 100


async def test_draining_endpoint_finishes_its_request_and_is_counted(
    world: World, upstream: Upstream
) -> None:
    other = await world.start_upstream("two")
    key = EndpointKey(WEB, "127.0.0.1", upstream.port)
    await world.serve(upstream.endpoint())
    async with asyncio.TaskGroup() as group:
        held = group.create_task(world.text("/held"))
        await upstream.arrived.wait()
        await world.serve(upstream.endpoint(EndpointState.DRAINING), other.endpoint())
        assert (await world.envoy.active_requests([WEB]))[key] == 1
        async with world.get() as answer:
            assert answer.headers["X-Replica"] == "two"
        upstream.release.set()
    assert held.result() == "one"
    assert (await world.envoy.active_requests([WEB]))[key] == 0


async def test_request_in_flight_survives_the_removal_of_its_service(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    async with asyncio.TaskGroup() as group:
        held = group.create_task(world.text("/held"))
        await upstream.arrived.wait()
        await world.envoy.apply(RouteTable())
        assert await world.status() == 404
        upstream.release.set()
    assert held.result() == "one"


async def test_removed_service_leaves_no_file(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    directory = world.settings.directory / "xds" / "eds"
    assert len(list(directory.iterdir())) == 1
    await world.envoy.apply(RouteTable())
    assert list(directory.iterdir()) == []


async def test_endpoint_change_rewrites_its_own_file_only(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    xds = world.settings.directory / "xds"
    before = {path: path.stat().st_ino for path in xds.rglob("*.json")}
    await world.serve()
    after = {path: path.stat().st_ino for path in xds.rglob("*.json")}
    assert [p.name for p in after if after[p] != before[p]] == ["shop%2Fweb.json"]
    assert {path.stat().st_mode & 0o777 for path in after} == {0o600}


async def test_earlier_envoy_is_adopted_with_its_connections(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/events") as stream:
        assert await stream.content.readline() == b"data: first\n"
        later = EnvoyServer(world.settings)
        await later.apply(table_of(upstream.endpoint()))
        assert later.pid() == world.envoy.pid()
        await later.apply(table_of())
        assert await world.status() == 503
        upstream.release.set()
        assert b"second" in await stream.content.read()


@pytest.mark.skipif(
    not os.access(MIGRATE, os.W_OK), reason="only root can have waiting connections moved"
)
async def test_envoy_with_other_settings_is_replaced_without_a_failed_request(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    first = world.envoy.pid()
    async with load(world) as seen:
        await asyncio.sleep(0.1)
        world.envoy.configure(replace(world.settings, concurrency=2))
        await world.serve(upstream.endpoint())
        await _ended(world, first)
    assert world.envoy.pid() not in (None, first)
    assert seen.failures == []


async def test_replaced_envoy_keeps_a_long_request_until_the_drain_ends(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    first = world.envoy.pid()
    async with asyncio.TaskGroup() as group:
        held = group.create_task(world.text("/held"))
        await upstream.arrived.wait()
        world.envoy.configure(replace(world.settings, concurrency=2))
        await world.serve(upstream.endpoint())
        await world.envoy.maintain()
        assert first is not None
        assert record_of(first) is not None
        upstream.release.set()
    assert held.result() == "one"
    await _ended(world, first)


async def test_port_change_moves_the_listener_without_a_new_process(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    before = world.envoy.pid()
    world.settings = replace(world.settings, http_port=free_port())
    world.envoy.configure(world.settings)
    await world.serve(upstream.endpoint())
    assert await world.status() == 200
    assert world.envoy.pid() == before


async def test_port_of_a_stranger_is_a_conflict_naming_it(world: World) -> None:
    stranger = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    async with stranger:
        port = stranger.sockets[0].getsockname()[1]
        world.envoy.configure(replace(world.settings, http_port=port))
        with pytest.raises(errors.Conflict, match=rf"Port {port}.*pid {os.getpid()}") as caught:
            await world.envoy.apply(RouteTable())
    assert "http_port" in caught.value.hint
    assert not world.envoy.is_alive()


async def test_port_change_to_a_strangers_keeps_the_old_port(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    stranger = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    async with stranger:
        port = stranger.sockets[0].getsockname()[1]
        world.envoy.configure(replace(world.settings, http_port=port))
        with pytest.raises(errors.Conflict):
            await world.serve(upstream.endpoint())
    assert await world.status() == 200


async def test_refused_listener_is_reported_and_the_old_one_serves(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    # An address of documentation, which no host has.
    world.envoy.configure(replace(world.settings, bind="198.51.100.1"))
    with pytest.raises(errors.ProxyConfigRejected, match=r"the listeners: .*cannot bind"):
        await world.serve(upstream.endpoint())
    assert await world.status() == 200


async def test_refused_file_does_not_survive_on_disk(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    broken = replace(upstream.endpoint(), address="not-an-address")
    with pytest.raises(errors.ProxyConfigRejected):
        await world.serve(broken)
    pid = world.envoy.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await _gone(pid)
    with pytest.raises(errors.ProxyConfigRejected):
        await EnvoyServer(world.settings).apply(table_of(broken))
    assert await world.status() == 200


async def test_refusal_ends_when_a_good_table_follows(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    broken = replace(upstream.endpoint(), address="not-an-address")
    for _ in range(3):
        with pytest.raises(errors.ProxyConfigRejected):
            await world.serve(broken)
        await world.serve()
        assert await world.status() == 503
        await world.serve(upstream.endpoint())
        assert await world.status() == 200


async def test_files_a_crashed_orca_left_unconfirmed_are_taken(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    file = world.settings.directory / "xds" / "eds" / "shop%2Fweb.json"
    file.write_text("{}")  # in place: Envoy sees no rename
    await EnvoyServer(world.settings).apply(table_of(upstream.endpoint()))
    assert "127.0.0.1" in file.read_text()


async def test_many_services_come_and_go(world: World, upstream: Upstream) -> None:
    backend = Backend(service=API, endpoints=(upstream.endpoint(),))
    services = [replace(API, name=f"s{number}") for number in range(40)]
    table = RouteTable(
        routes=tuple(Route(domain=f"{s.name}.test", path="/", service=s) for s in services),
        backends=tuple(replace(backend, service=service) for service in services),
    )
    await world.envoy.apply(table)
    assert await world.status(host="s39.test") == 200
    await world.envoy.apply(replace(table, routes=table.routes[:20], backends=table.backends[:20]))
    assert await world.status(host="s39.test") == 404
    assert await world.status(host="s19.test") == 200


async def test_binary_that_does_not_start_is_failed_with_its_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCA_ENVOY", "/bin/false")
    with pytest.raises(errors.Failed, match="ended right after its start"):
        await world.envoy.apply(RouteTable())


async def test_envoy_frozen_is_unavailable_then_serves_on(world: World, upstream: Upstream) -> None:
    world.envoy.configure(replace(world.settings, apply_seconds_max=0.3))
    await world.serve(upstream.endpoint())
    pid = world.envoy.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(errors.Unavailable):
            await world.serve()
    finally:
        os.kill(pid, signal.SIGCONT)
    await world.serve()
    assert await world.status() == 503


async def test_stop_lets_a_request_in_flight_finish(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with asyncio.TaskGroup() as group:
        held = group.create_task(world.text("/held"))
        await upstream.arrived.wait()
        stopping = group.create_task(world.envoy.stop(drain_seconds=1))
        await asyncio.sleep(0.3)
        upstream.release.set()
    assert held.result() == "one"
    assert stopping.result() is True


async def test_stop_ends_when_the_drain_time_is_over(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/events") as stream:
        await stream.content.readline()
        began = time.monotonic()
        assert await world.envoy.stop(drain_seconds=0.5)
        assert time.monotonic() - began < 4


async def _ended(world: World, pid: int | None) -> None:
    assert pid is not None
    async with asyncio.timeout(8):
        while record_of(pid) is not None:
            await world.envoy.maintain()
            await asyncio.sleep(0.05)


async def _gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while record_of(pid) is not None:
            await asyncio.sleep(0.01)
