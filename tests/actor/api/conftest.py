"""The real application on a loopback port, in front of a control plane in memory."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from orca.client.http import OrcaClient
from orca.master.api.server import ApiServer
from orca.testing import api_site
from orca.testing.api_site import Site


@pytest.fixture
def heartbeat_seconds() -> float:
    return 12.0


@pytest.fixture
async def site(heartbeat_seconds: float) -> AsyncIterator[Site]:
    async with api_site.running(heartbeat_seconds=heartbeat_seconds) as running:
        yield running


@pytest.fixture
async def client(site: Site) -> OrcaClient:
    return await site.client()


@pytest.fixture
def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
async def other_server() -> AsyncIterator[str]:
    """Something on a port that speaks HTTP and is not orca."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="hello", status=404)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    server = ApiServer(app, port=0)
    await server.start()
    yield server.url
    await server.stop()
