"""A proxy with a real Envoy on a free loopback port, and what is needed to look at it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from proxy_upstreams import Upstream, World, free_port

from orca.proxy.envoy import EnvoyServer
from orca.proxy.settings import ProxySettings


@pytest.fixture
def home() -> Iterator[Path]:
    # pytest's own directories are too deep for the path of a Unix socket.
    path = Path(tempfile.mkdtemp(prefix="orca-px-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def settings(home: Path) -> ProxySettings:
    return ProxySettings(
        home=home,
        name="edge",
        http_port=free_port(),
        bind="127.0.0.1",
        concurrency=1,
        drain_seconds=1.5,
    )


@pytest.fixture
async def world(settings: ProxySettings) -> AsyncIterator[World]:
    envoy = EnvoyServer(settings)
    # No cookie jar: tests look at the headers themselves.
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=15)
    ) as client:
        found = World(envoy=envoy, settings=settings, client=client)
        try:
            yield found
        finally:
            await EnvoyServer(settings).stop(drain_seconds=0)
            for upstream in found.upstreams:
                await upstream.stop()


@pytest.fixture
async def upstream(world: World) -> Upstream:
    return await world.start_upstream("one")
