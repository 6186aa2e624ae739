"""The keeper of Envoy: brings it to serve the newest table, and back when it dies.

It is the only one who touches the port, one call at a time, so calls never overlap; tables that come
while one is being applied replace each other. A refused table is not tried again, for Envoy would say
the same; whatever else goes wrong is tried again after a growing pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

import structlog

from orca import errors
from orca.actors.actor import Actor, Ref
from orca.proxy.backoff import Backoff
from orca.proxy.drain import DrainWatch
from orca.proxy.messages import AgentMessage, Applied, Configure, Drained, KeeperReady, Serve
from orca.proxy.ports import Envoy

_log = structlog.get_logger(__name__)

CHECK_SECONDS: Final = 0.1
"""Between two looks at whether Envoy lives."""
SAMPLE_SECONDS: Final = 0.1
"""Between two looks at requests in flight, while something drains."""
MAINTAIN_SECONDS: Final = 1.0
HEALTHY_SECONDS: Final = 10.0
"""An Envoy that dies after so long is brought back at once; sooner, after a pause."""


@dataclass(frozen=True, slots=True)
class Check:
    """Look whether Envoy lives."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again what did not work."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Look at requests in flight."""


@dataclass(frozen=True, slots=True)
class Maintain:
    """Keep log files small, and end what was replaced."""


KeeperMessage = Serve | Configure | Check | Retry | Sample | Maintain


class EnvoyKeeper(Actor[KeeperMessage]):
    """One per proxy."""

    def __init__(self, envoy: Envoy, *, agent: Ref[AgentMessage], seed: str) -> None:
        self._envoy = envoy
        self._agent = agent
        self._backoff = Backoff(first_seconds=0.1, seconds_max=5.0, seed=seed)
        self._wanted: Serve | None = None
        self._watch = DrainWatch()
        self._brought_up_at: float | None = None

    async def started(self) -> None:
        self.context.every(CHECK_SECONDS, Check(), key="check")
        self.context.every(MAINTAIN_SECONDS, Maintain(), key="maintain")
        self._agent.tell(KeeperReady(), key="keeper-ready")

    async def receive(self, message: KeeperMessage) -> None:
        match message:
            case Serve():
                self._wanted = message
                await self._apply()
            case Configure(settings):
                self._envoy.configure(settings)
                await self._apply()
            case Check():
                await self._check()
            case Retry():
                await self._apply()
            case Sample():
                await self._sample()
            case Maintain():
                await self._maintain()
            case _:
                assert_never(message)

    async def _apply(self) -> None:
        if self._wanted is None:
            return
        self.context.cancel("retry")
        self._watch.follow(None)
        error = await self._attempt(self._wanted)
        if error is None:
            self._watch.follow(self._wanted.table)
            self._sample_soon()
        text = "" if error is None else _sentence(error)
        self._agent.tell(Applied(self._wanted.ticket, text), key="applied")

    async def _attempt(self, wanted: Serve) -> errors.OrcaError | None:
        try:
            await self._envoy.apply(wanted.table)
        except errors.ProxyConfigRejected as error:
            _log.error("proxy_config_rejected", reason=error.message)
            return error
        except errors.OrcaError as error:
            pause = self._backoff.pause()
            _log.error("envoy_unavailable", reason=error.message, retry_seconds=round(pause, 2))
            self.context.after(pause, Retry(), key="retry")
            return error
        self._backoff.reset()
        return None

    async def _check(self) -> None:
        if self._wanted is None or self.context.busy("retry"):
            return
        now = self.context.now()
        if self._envoy.is_alive():
            if self._brought_up_at is None:
                self._brought_up_at = now
            return
        lived = 0.0 if self._brought_up_at is None else now - self._brought_up_at
        self._brought_up_at = None
        _log.error("envoy_died", lived_seconds=round(lived, 1))
        if lived >= HEALTHY_SECONDS:
            await self._apply()
        else:
            self.context.after(self._backoff.pause(), Retry(), key="retry")

    async def _sample(self) -> None:
        try:
            active = await self._envoy.active_requests(self._watch.services())
        except errors.Unavailable as error:
            _log.warning("envoy_not_counting", reason=error.message)
        else:
            drained = self._watch.sample(active)
            if drained:
                self._agent.tell(Drained(drained))
        self._sample_soon()

    def _sample_soon(self) -> None:
        if self._watch.services():
            self.context.after(SAMPLE_SECONDS, Sample(), key="sample")

    async def _maintain(self) -> None:
        try:
            await self._envoy.maintain()
        except errors.Unavailable as error:
            _log.warning("envoy_logs_not_kept_small", reason=error.message)


def _sentence(error: errors.OrcaError) -> str:
    return f"{error.message} {error.hint}".strip()
