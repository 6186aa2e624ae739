"""A lease as its holder sees it: kept alive, and believed for less time than the server gives.

The hard part is the local deadline. It counts from the moment before a keep-alive was *sent*, takes
only a share of the TTL, and once passed never comes back, so a holder stops before the server can
hand its keys to another. It runs on the loop's clock; a clock that stands still while the machine
sleeps is why writes are fenced by revision as well.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from typing import Final, Protocol

from orca import errors

LOCAL_SHARE: Final = 0.8
"""The part of the TTL during which the holder believes in its lease."""

_RENEW_SHARE: Final = 0.25
_RETRY_SHARE: Final = 0.05


class LeaseServer(Protocol):
    """What a lease needs of the store it came from."""

    async def keep_alive(self, lease_id: int) -> float:
        """Start the TTL anew; returns it in seconds, 0 if the server knows no such lease."""

    async def revoke(self, lease_id: int) -> None:
        """End the lease and delete its keys; nothing happens if it is unknown."""


class Lease:
    """A lease held by this process until `run` returns, or `revoke` is called.

    `granted_at` is the loop's time before the grant was asked for. `jitter` returns numbers
    in 0 … 1 and spreads the renewals of many holders.
    """

    def __init__(
        self,
        server: LeaseServer,
        *,
        lease_id: int,
        ttl_seconds: float,
        granted_at: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.id = lease_id
        self.ttl_seconds = ttl_seconds
        self.lost = asyncio.Event()
        self._server = server
        self._deadline = granted_at + ttl_seconds * LOCAL_SHARE
        self._jitter = jitter

    def __repr__(self) -> str:
        return f"Lease({self.id:x}, ttl_seconds={self.ttl_seconds}, deadline={self._deadline:.3f})"

    def deadline(self) -> float:
        """The loop's time from which the holder must not act any more; minus infinity once lost."""
        return -math.inf if self.lost.is_set() else self._deadline

    def is_valid(self, now: float) -> bool:
        """Whether the holder may act at `now` (the loop's time)."""
        return now < self.deadline()

    async def run(self) -> None:
        """Keep the lease alive; returns, with `lost` set, when it cannot be believed any more."""
        try:
            pause = self._renewal_pause()
            while await self._sleep(pause):
                pause = await self._renew()
        finally:
            self.lost.set()

    async def revoke(self) -> None:
        """Give the lease up now; its keys are deleted. Raises StoreUnavailable (it then expires)."""
        self.lost.set()
        await self._server.revoke(self.id)

    def _renewal_pause(self) -> float:
        return self.ttl_seconds * _RENEW_SHARE * (0.8 + 0.4 * self._jitter())

    async def _sleep(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(min(seconds, self.deadline() - loop.time())):
                await self.lost.wait()
        except TimeoutError:
            pass
        return self.is_valid(loop.time())

    async def _renew(self) -> float:
        """One keep-alive; returns the seconds to wait before the next."""
        sent_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self.deadline()):
                ttl_seconds = await self._server.keep_alive(self.id)
        except (errors.Unavailable, TimeoutError):
            return self.ttl_seconds * _RETRY_SHARE
        if ttl_seconds <= 0:
            self.lost.set()
        else:
            self._deadline = sent_at + ttl_seconds * LOCAL_SHARE
        return self._renewal_pause()
