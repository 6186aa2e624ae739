"""Probes of fake containers."""

from __future__ import annotations

import asyncio

from orca.model.container import Probe, ProbeKind
from orca.testing.fake_docker.runtime import FakeRuntime


class FakeProber:
    """Asks the containers of a `FakeRuntime`, without sockets."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self._runtime = runtime

    async def ask(self, probe: Probe, *, container: str, address: str, port: int) -> str:
        """See `Prober`. The daemon is needed for exec probes only."""
        if probe.kind is ProbeKind.EXEC:
            await self._runtime.ping()
        await asyncio.sleep(0.001)
        where = f"{address}:{probe.port or port}"
        found = self._runtime.containers.get(container)
        if found is None or not found.running or found.address != address:
            return f"{where} → no route to host"
        age = self._runtime.now() - found.started_at
        behaviour = found.behaviour
        if behaviour.never_ready or age < behaviour.listens_after:
            return f"{where} → connection refused"
        if behaviour.sick_after is not None and age >= behaviour.sick_after:
            return f"GET http://{where}{probe.path} → 503"
        return ""

    async def close(self) -> None:
        """Nothing to let go of."""
