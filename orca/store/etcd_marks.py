"""Marks: by which a commit that was sent twice is recognised as one.

Every transaction with writes also writes an id of its own to a *slot*, a key that one commit at a time
uses, on the condition that the slot has not changed since. Of several copies of a request at most one can
apply, and whichever answers, the slot tells whether ours did.

The slots lie outside the cluster's tree and hang on a long lease, so they vanish some time after the
process that used them; the lease is replaced, not kept alive, while commits go on.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from orca.store.etcd_wire import Mark

ROOT: Final = "/orca-commits"
SLOTS_MAX: Final = 32
"""Commits under way at once; more wait. etcd writes many to disk together."""

LEASE_SECONDS: Final = 3600


@dataclass(slots=True)
class Slot:
    """A key for marks, and its mod revision when we last heard of it."""

    key: str
    revision: int = 0


class Marks:
    """The slots of one client. `grant` returns the id of a new lease of so many seconds."""

    def __init__(self, grant: Callable[[int], Awaitable[int]]) -> None:
        self._grant = grant
        self._room = asyncio.Semaphore(SLOTS_MAX)
        self._free: list[Slot] = []
        self._made = 0
        self._client = uuid.uuid4().hex
        self._lease = 0
        self._lease_until = 0.0
        self._leasing = asyncio.Lock()

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[Slot, None]:
        """A slot that nobody else uses meanwhile."""
        async with self._room:
            slot = self._free.pop() if self._free else self._new_slot()
            try:
                yield slot
            finally:
                # Also after an unknown outcome: a late copy that still applies moves the slot's
                # revision, which the next commit notices before it can be misled.
                self._free.append(slot)

    async def mark(self, slot: Slot, operation: bytes) -> Mark:
        """The mark for one commit in this slot."""
        return Mark(slot.key, operation, slot.revision, await self._fresh_lease())

    def forget_lease(self) -> None:
        """The server does not know the lease: take a new one for the next mark."""
        self._lease_until = 0.0

    def _new_slot(self) -> Slot:
        self._made += 1
        return Slot(f"{ROOT}/{self._client}/{self._made}")

    async def _fresh_lease(self) -> int:
        async with self._leasing:
            now = asyncio.get_running_loop().time()
            if now >= self._lease_until:
                self._lease = await self._grant(LEASE_SECONDS)
                # Half of it is left for the slots of the last commit under the old lease.
                self._lease_until = now + LEASE_SECONDS / 2
            return self._lease
