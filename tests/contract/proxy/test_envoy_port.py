"""What every `ports.Envoy` promises: the fake of the simulation and the real thing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from proxy_upstreams import API, WEB, Upstream, World, table_of

from orca import errors
from orca.model.ids import ReplicaId
from orca.model.route import Backend, Endpoint, EndpointState, Route, RouteTable
from orca.proxy.envoy import EnvoyServer
from orca.proxy.ports import EndpointKey, Envoy
from orca.testing.fake_envoy import FakeEnvoy


@dataclass
class Subject:
    """An Envoy, and how a test looks at it from outside."""

    envoy: Envoy
    upstream: Upstream
    world: World

    async def status(self, host: str = "shop.test", path: str = "/") -> int:
        if isinstance(self.envoy, FakeEnvoy):
            return self.envoy.request(host, path)[0]
        return await self.world.status(path, host=host)

    def kill(self) -> None:
        if isinstance(self.envoy, FakeEnvoy):
            self.envoy.kill()
        else:
            assert isinstance(self.envoy, EnvoyServer)
            pid = self.envoy.pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.01)


@pytest.fixture(params=["fake", "real"])
async def subject(
    request: pytest.FixtureRequest, world: World, upstream: Upstream
) -> AsyncIterator[Subject]:
    envoy: Envoy = FakeEnvoy() if request.param == "fake" else world.envoy
    yield Subject(envoy, upstream, world)
    await envoy.stop(drain_seconds=0)


async def test_apply_starts_it_and_serves(subject: Subject) -> None:
    assert not subject.envoy.is_alive()
    await subject.envoy.apply(table_of(subject.upstream.endpoint()))
    assert subject.envoy.is_alive()
    assert await subject.status() == 200
    assert await subject.status("other.test") == 404


async def test_apply_is_in_force_when_it_returns(subject: Subject) -> None:
    for _ in range(5):
        await subject.envoy.apply(table_of(subject.upstream.endpoint()))
        assert await subject.status() == 200
        await subject.envoy.apply(table_of())
        assert await subject.status() == 503
        await subject.envoy.apply(RouteTable())
        assert await subject.status() == 404


async def test_draining_endpoint_gets_nothing_new(subject: Subject) -> None:
    await subject.envoy.apply(table_of(subject.upstream.endpoint(EndpointState.DRAINING)))
    assert await subject.status() == 503


async def test_requests_in_flight_are_counted_per_endpoint(subject: Subject) -> None:
    await subject.envoy.apply(table_of(subject.upstream.endpoint()))
    active = await subject.envoy.active_requests([WEB])
    assert active == {EndpointKey(WEB, "127.0.0.1", subject.upstream.port): 0}
    assert await subject.envoy.active_requests([API]) == {}


async def test_counting_without_a_running_one_is_unavailable(subject: Subject) -> None:
    with pytest.raises(errors.Unavailable):
        await subject.envoy.active_requests([WEB])


async def test_refused_part_keeps_its_last_good_version_and_others_go_on(subject: Subject) -> None:
    await subject.envoy.apply(table_of(subject.upstream.endpoint()))
    broken = Endpoint(replica=ReplicaId("r"), address="not-an-address", port=80)
    table = RouteTable(
        routes=(
            Route(domain="shop.test", path="/", service=WEB),
            Route(domain="api.test", path="/", service=API),
        ),
        backends=(
            Backend(service=WEB, endpoints=(broken,)),
            Backend(service=API, endpoints=(subject.upstream.endpoint(),)),
        ),
    )
    with pytest.raises(errors.ProxyConfigRejected, match=r"endpoints of shop/web.*malformed IP"):
        await subject.envoy.apply(table)
    assert await subject.status("shop.test") == 200
    assert await subject.status("api.test") == 200


async def test_apply_brings_a_killed_one_back(subject: Subject) -> None:
    table = table_of(subject.upstream.endpoint())
    await subject.envoy.apply(table)
    subject.kill()
    await subject.until(lambda: not subject.envoy.is_alive())
    await subject.envoy.apply(table)
    assert await subject.status() == 200


async def test_stop_says_whether_there_was_anything_to_stop(subject: Subject) -> None:
    assert await subject.envoy.stop(drain_seconds=0) is False
    await subject.envoy.apply(RouteTable())
    assert await subject.envoy.stop(drain_seconds=0) is True
    assert not subject.envoy.is_alive()


async def test_maintenance_is_harmless_at_any_time(subject: Subject) -> None:
    await subject.envoy.maintain()
    await subject.envoy.apply(table_of(subject.upstream.endpoint()))
    await subject.envoy.maintain()
    assert await subject.status() == 200
