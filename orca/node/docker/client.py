"""`DockerRuntime`: the runtime port, put together from the modules beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from orca.model.container import PullPolicy
from orca.node.docker import containers, execs, failures, images, logs, networks
from orca.node.docker.api import Api, Refused, find_host
from orca.node.runtime import (
    Container,
    ContainerEvent,
    ContainerRequest,
    ContainerSummary,
    EngineFacts,
    ExecSession,
    ExecSpec,
    LogQuery,
    Output,
)

PING_SECONDS = 3.0

_ACTIONS = ["create", "start", "die", "oom", "rename", "destroy", "pause", "unpause"]
"""What is listened to; the stream is full of exec and attach noise otherwise."""


class DockerRuntime:
    """The port on the engine at `host`; by default `DOCKER_HOST` or the usual socket."""

    def __init__(self, host: str = "") -> None:
        self._api = Api(host or find_host())
        self._has_init: bool | None = None
        self._networks = asyncio.Lock()

    def __repr__(self) -> str:
        return f"DockerRuntime({self._api.host!r})"

    async def ping(self) -> None:
        """Ask for the version: cheap, and needs no version itself."""
        try:
            await self._api.call("GET", "version", seconds=PING_SECONDS)
        except Refused as refused:
            raise failures.unavailable(self._api.host, refused) from refused

    async def facts(self) -> EngineFacts:
        """Version, size of the host, and whether containers survive the daemon."""
        try:
            info = await self._api.call("GET", "info")
        except Refused as refused:
            raise failures.unavailable(self._api.host, refused) from refused
        # Engines without docker-init say "N/A"; a container that wants it would not start.
        self._has_init = (info.get("InitCommit") or {}).get("ID") != "N/A"
        return EngineFacts(
            version=info["ServerVersion"],
            hostname=info["Name"],
            cpus=float(info["NCPU"]),
            memory_bytes=info["MemTotal"],
            live_restore=bool(info["LiveRestoreEnabled"]),
        )

    async def resolve_image(self, image: str, *, pull: PullPolicy) -> str:
        """See `Runtime`."""
        return await images.resolve(self._api, image, pull=pull)

    async def create(self, request: ContainerRequest) -> str:
        """See `Runtime`."""
        if request.spec.init and self._has_init is None:
            await self.facts()
        # First, because Docker notices a missing network only at start.
        for name in request.networks:
            await self.ensure_network(name, labels=request.owner)
        return await containers.create(self._api, request, init=bool(self._has_init))

    async def start(self, container: str) -> None:
        """See `Runtime`."""
        await containers.start(self._api, container)

    async def stop(self, container: str, *, grace_seconds: float) -> None:
        """See `Runtime`."""
        await containers.stop(self._api, container, grace_seconds=grace_seconds)

    async def kill(self, container: str) -> None:
        """See `Runtime`."""
        await containers.kill(self._api, container)

    async def remove(self, container: str) -> None:
        """See `Runtime`."""
        await containers.remove(self._api, container)

    async def rename(self, container: str, name: str) -> None:
        """See `Runtime`."""
        await containers.rename(self._api, container, name)

    async def inspect(self, container: str) -> Container | None:
        """See `Runtime`."""
        return await containers.inspect(self._api, container)

    async def list(self, labels: Mapping[str, str]) -> tuple[ContainerSummary, ...]:
        """See `Runtime`."""
        return await containers.list_labelled(self._api, labels)

    @asynccontextmanager
    async def events(
        self, labels: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[ContainerEvent]]:
        """See `Runtime`. Docker sends its headers once the subscription stands."""
        wanted = networks.label_filter(labels, type=["container"], event=_ACTIONS)
        async with self._api.stream("GET", "events", params={"filters": wanted}) as response:
            yield self._events(response)

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[ContainerEvent]:
        with self._api.translated():
            async for line in response.content:
                said = json.loads(line)
                labels = said["Actor"]["Attributes"]
                yield ContainerEvent(
                    container=said["Actor"]["ID"],
                    action=said["Action"],
                    labels=labels,
                    exit_code=int(labels.get("exitCode", -1)),
                )
        raise failures.unavailable(self._api.host, ConnectionError("the event stream ended"))

    def logs(self, container: str, query: LogQuery) -> AsyncIterator[Output]:
        """See `Runtime`."""
        return logs.read(self._api, container, query)

    async def exec(self, container: str, spec: ExecSpec) -> ExecSession:
        """See `Runtime`."""
        return await execs.run(self._api, container, spec)

    async def ensure_network(self, name: str, *, labels: Mapping[str, str]) -> None:
        """See `Runtime`."""
        # Replicas of one project come together, and Docker would make a network for each.
        async with self._networks:
            await networks.ensure(self._api, name, labels=labels)

    async def remove_network_if_unused(self, name: str, *, labels: Mapping[str, str]) -> bool:
        """See `Runtime`."""
        async with self._networks:
            return await networks.remove_if_unused(self._api, name, labels=labels)

    async def close(self) -> None:
        """Close the HTTP client."""
        await self._api.close()
