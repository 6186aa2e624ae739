"""Composition root of the node: the only place that builds concrete things.

`run` lasts until it is cancelled. Containers are not touched by that: they belong to the cluster, not to
this process.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from orca.actors.local import LocalEngine
from orca.node.agent import NodeAgent
from orca.node.archive import LogArchive
from orca.node.docker import DockerRuntime
from orca.node.host import Host
from orca.node.probes import NetworkProber, Prober
from orca.node.record import LocalRecord
from orca.node.runtime import Runtime
from orca.node.secret_files import SecretFiles
from orca.node.settings import NodeSettings
from orca.rpc.session import Dialer

log = logging.getLogger(__name__)

MAILBOX = 10_000
"""The agent hears every replica, every event and the master."""


class NodeApp:
    """One node agent. A runtime or prober that is handed in is not closed here."""

    def __init__(
        self,
        settings: NodeSettings,
        dialer: Dialer,
        runtime: Runtime | None = None,
        *,
        prober: Prober | None = None,
        now: Callable[[], float] = time.time,
        seed: int | None = None,
    ) -> None:
        self._settings = settings
        self._dialer = dialer
        self._runtime = runtime
        self._prober = prober
        self._now = now
        self._seed = seed
        self._engine: LocalEngine | None = None
        self._record = LocalRecord(settings.directory, known_as=settings.known_as)

    @property
    def node(self) -> str:
        """The node's id; decided on first use and kept in the home."""
        return self._record.identity().node

    def mailboxes(self) -> dict[str, int]:
        """Messages waiting, per actor; empty while it does not run."""
        return self._engine.statistics() if self._engine else {}

    async def run(self) -> None:
        """Run until cancelled. Raises `Failed` when the home cannot be written."""
        identity = self._record.identity()
        runtime = self._runtime or DockerRuntime(self._settings.docker_host)
        prober = self._prober or NetworkProber(runtime)
        host = Host(
            cluster=self._settings.cluster,
            node=identity.node,
            runtime=runtime,
            prober=prober,
            record=self._record,
            archive=LogArchive(self._settings.directory / "logs"),
            secrets=SecretFiles(self._settings.secrets_directory),
            now=self._now,
        )
        try:
            await self._run(host)
        finally:
            if self._prober is None:
                await prober.close()
            if self._runtime is None:
                await runtime.close()

    async def _run(self, host: Host) -> None:
        jitter = random.Random(self._seed).random  # noqa: S311  spreads redials, keeps no secret
        async with LocalEngine(report=_report, seed=self._seed) as engine:
            self._engine = engine
            engine.spawn("node", lambda: self._agent(host, jitter), mailbox=MAILBOX)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._engine = None

    def _agent(self, host: Host, jitter: Callable[[], float]) -> NodeAgent:
        return NodeAgent(host, self._dialer, self._settings, jitter=jitter)


def _report(name: str, error: BaseException, delay_seconds: float) -> None:
    log.error("%s failed and starts over in %.1f s", name, delay_seconds, exc_info=error)
