"""The real REST API on a loopback port, in front of a control plane in memory.

For tests of the API, of its client, and of what is built on them. One token per role.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from orca.client import schema
from orca.client.http import OrcaClient
from orca.client.settings import ClientSettings
from orca.master.api.app import build_app
from orca.master.api.auth import TokenBook
from orca.master.api.server import ApiServer
from orca.master.api.streams import HEARTBEAT_SECONDS
from orca.master.control import Role
from orca.spec.service import ServiceSpec
from orca.telemetry.metrics import Metrics
from orca.testing.fake_control import FakeControl

ADMIN = "admin-token"
TOKENS = {Role.VIEWER: "viewer-token", Role.DEPLOYER: "deployer-token", Role.ADMIN: ADMIN}


class Clock:
    """A clock that tests move, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running server and ways to talk to it."""

    control: FakeControl
    server: ApiServer
    tokens: TokenBook
    metrics: Metrics
    clock: Clock
    raw: aiohttp.ClientSession
    stack: AsyncExitStack = field(repr=False)

    async def client(
        self, token: str = ADMIN, *, timeout_seconds: float = 10.0, silence_seconds: float = 30.0
    ) -> OrcaClient:
        """A client that lives as long as the site."""
        settings = ClientSettings(
            url=self.server.url,
            token=token,
            timeout_seconds=timeout_seconds,
            silence_seconds=silence_seconds,
        )
        return await self.stack.enter_async_context(OrcaClient(settings))

    def url(self, path: str) -> str:
        """The address of a route, for `raw`."""
        return f"{self.server.url}/api/v1{path}"


@asynccontextmanager
async def running(*, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> AsyncIterator[Site]:
    """A site on a free port."""
    control, metrics, clock = FakeControl(), Metrics(), Clock()
    tokens = TokenBook(ADMIN)
    tokens.replace(
        (role.name.lower(), hashlib.sha256(token.encode()).hexdigest(), role)
        for role, token in TOKENS.items()
        if role is not Role.ADMIN
    )
    app = build_app(
        control=control,
        tokens=tokens,
        render_metrics=metrics.render,
        observe=metrics.observe_request,
        now=clock,
        heartbeat_seconds=heartbeat_seconds,
    )
    server = ApiServer(app, port=0)
    await server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        yield Site(
            control=control,
            server=server,
            tokens=tokens,
            metrics=metrics,
            clock=clock,
            raw=await stack.enter_async_context(aiohttp.ClientSession()),
            stack=stack,
        )


def bearer(token: str = ADMIN) -> dict[str, str]:
    """The header that presents a token."""
    return {"Authorization": f"Bearer {token}"}


def spec(name: str = "web", **more: object) -> ServiceSpec:
    """A service of the project `shop`."""
    given: dict[str, object] = {"name": name, "project": "shop", "image": "nginx:1.27", "port": 80}
    return ServiceSpec.model_validate(given | more)


def deploy_of(*specs: ServiceSpec) -> schema.DeployRequest:
    """A deploy of these services, or of one."""
    return schema.DeployRequest(services=specs or (spec(),))
