"""The proxy program put together: settings, the real Envoy, and the actors.

Envoy is not a part of it: it is started by it and outlives it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from orca import errors
from orca.actors.actor import Ref
from orca.actors.local import LocalEngine
from orca.model.route import RouteTable
from orca.proxy.agent import ProxyAgent
from orca.proxy.envoy import EnvoyServer
from orca.proxy.memory import FileMemory, Memory
from orca.proxy.messages import AgentMessage, Configure
from orca.proxy.ports import Envoy
from orca.proxy.settings import ProxySettings
from orca.rpc.session import Dialer

_log = structlog.get_logger(__name__)


class ProxyApp:
    """One proxy. `envoy` and `memory` are the real ones unless a test brings others."""

    def __init__(
        self,
        settings: ProxySettings,
        dialer: Dialer,
        *,
        envoy: Envoy | None = None,
        memory: Memory | None = None,
        seed: int | None = None,
    ) -> None:
        """`seed` fixes all jitter, for simulations."""
        self._settings = settings
        self._dialer = dialer
        self._envoy: Envoy = envoy or EnvoyServer(settings)
        self._memory: Memory = memory or FileMemory(settings.directory / "memory.json")
        self._seed = seed
        self._agent: Ref[AgentMessage] | None = None

    async def prepare(self) -> None:
        """Bring Envoy up with the last table, so that whoever starts orca hears of what prevents it.

        Raises `Conflict` if a stranger holds the port, `NotFound` or `Failed` without a working Envoy.
        """
        table = self._memory.load().table or RouteTable()
        try:
            await self._envoy.apply(table)
        except (errors.ProxyConfigRejected, errors.Unavailable) as error:
            # It serves something; the keeper goes on from here and reports.
            _log.warning("proxy_starts_degraded", reason=error.message)

    async def run(self) -> None:
        """Work until cancelled; Envoy keeps running then. Raises what `prepare` raises."""
        await self.prepare()
        async with LocalEngine(report=_report, seed=self._seed) as engine:
            self._agent = engine.spawn("proxy", self._new_agent())
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._agent = None

    def reconfigure(self, settings: ProxySettings) -> None:
        """Use other settings while running; the home and the name cannot change."""
        self._settings = settings
        if self._agent is None:
            self._envoy.configure(settings)
        else:
            self._agent.tell(Configure(settings), key="configure")

    async def shutdown_envoy(self, *, drain_seconds: float | None = None) -> bool:
        """End Envoy after its requests in flight; False if none ran. Not while `run` works."""
        seconds = self._settings.drain_seconds if drain_seconds is None else drain_seconds
        return await self._envoy.stop(drain_seconds=seconds)

    def _new_agent(self) -> Callable[[], ProxyAgent]:
        return lambda: ProxyAgent(
            self._settings, dialer=self._dialer, envoy=self._envoy, memory=self._memory
        )


def _report(actor: str, error: BaseException, backoff_seconds: float) -> None:
    _log.error("actor_failed", actor=actor, restart_seconds=backoff_seconds, exc_info=error)
