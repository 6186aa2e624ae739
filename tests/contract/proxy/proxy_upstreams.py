"""Small applications behind the proxy, and the world in which a test calls them through it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from orca.model.ids import ReplicaId, ServiceId
from orca.model.route import Backend, Endpoint, EndpointState, Route, RouteTable
from orca.proxy.envoy import EnvoyServer
from orca.proxy.settings import ProxySettings

WEB = ServiceId("shop", "web")
API = ServiceId("shop", "api")


class Upstream:
    """One replica: answers with its name, and misbehaves on request."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.requests = 0
        self.arrived = asyncio.Event()
        """A request for `/held` has come."""
        self.release = asyncio.Event()
        """Lets requests for `/held` be answered."""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/login", self._login)
        app.router.add_get("/ws", self._websocket)
        app.router.add_get("/events", self._events)
        app.router.add_post("/echo", self._echo)
        app.router.add_route("*", "/held", self._held)
        app.router.add_route("*", "/{path:.*}", self._mirror)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def endpoint(self, state: EndpointState = EndpointState.SERVING) -> Endpoint:
        return Endpoint(
            replica=ReplicaId(self.name), address="127.0.0.1", port=self.port, state=state
        )

    async def _mirror(self, request: web.Request) -> web.Response:
        self.requests += 1
        body = await request.read()
        return web.json_response(
            {
                "name": self.name,
                "method": request.method,
                "path": request.raw_path,
                "headers": {k.lower(): v for k, v in request.headers.items()},
                "body_bytes": len(body),
            },
            headers={"X-Replica": self.name},
        )

    async def _login(self, request: web.Request) -> web.Response:
        answer = web.Response(status=302, headers={"Location": "/account?next=%2Fhome"})
        for name in ("AUTH_SESSION_ID", "KC_RESTART", "KC_STATE"):
            answer.headers.add("Set-Cookie", f"{name}=value-of-{name}; Path=/; HttpOnly")
        return answer

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for message in answer:
            await answer.send_str(f"{self.name}: {message.data}")
        return answer

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: first\n\n")
        await self.release.wait()
        await answer.write(b"data: second\n\n")
        return answer

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for chunk in request.content.iter_any():
            await answer.write(chunk)
        return answer

    async def _held(self, request: web.Request) -> web.Response:
        self.arrived.set()
        await self.release.wait()
        return web.Response(text=self.name)


@dataclass
class World:
    """A proxy, its clients and its upstreams."""

    envoy: EnvoyServer
    settings: ProxySettings
    client: aiohttp.ClientSession
    upstreams: list[Upstream] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.http_port}"

    async def start_upstream(self, name: str) -> Upstream:
        upstream = Upstream(name)
        await upstream.start()
        self.upstreams.append(upstream)
        return upstream

    async def serve(self, *endpoints: Endpoint, domain: str = "shop.test") -> None:
        """Route all of a domain to the service WEB with these endpoints."""
        await self.envoy.apply(table_of(*endpoints, domain=domain))

    @asynccontextmanager
    async def get(
        self, path: str = "/", *, host: str = "shop.test", method: str = "GET", **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A request through the proxy, redirects not followed."""
        headers = {"Host": host, **more.pop("headers", {})}
        async with self.client.request(
            method, self.url + path, headers=headers, allow_redirects=False, **more
        ) as answer:
            yield answer

    async def status(self, path: str = "/", *, host: str = "shop.test") -> int:
        async with self.get(path, host=host) as answer:
            return answer.status

    async def text(self, path: str = "/", *, host: str = "shop.test") -> str:
        async with self.get(path, host=host) as answer:
            return await answer.text()


def table_of(*endpoints: Endpoint, domain: str = "shop.test") -> RouteTable:
    return RouteTable(
        routes=(Route(domain=domain, path="/", service=WEB),),
        backends=(Backend(service=WEB, endpoints=endpoints),),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
