"""The store in memory, for tests and simulations: the same contract, no etcd, any clock.

`MemoryServer` is the state that all handles share (the etcd of a simulated cluster): plain synchronous
methods, nothing random, time only through the running loop. `MemoryStore` is one client's handle on it,
where faults strike: a hook that runs before an operation (it never arrived) and after it (it was applied
and the reply is lost), and that may delay, hang or raise.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from orca import errors
from orca.store import batches
from orca.store.base import (
    Committed,
    Delete,
    DeletePrefix,
    KeyValue,
    Listing,
    Put,
    Store,
    StoreStatus,
    Transaction,
    WatchBatch,
    Write,
)
from orca.store.lease import Lease

Faults: TypeAlias = Callable[[str], Awaitable[None]]
"""Called with "get", "range", "commit", "grant", "keep_alive", "revoke", "watch" or "status" before the
operation, and with the same name and ".reply" after it."""


@dataclass(slots=True)
class _Grant:
    ttl_seconds: float
    timer: asyncio.TimerHandle
    keys: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Change:
    revision: int
    key: str
    item: KeyValue | None


class MemoryServer:
    """Keys, leases and history at one revision. Never awaits, so every method is atomic."""

    def __init__(self, *, ttl_seconds_min: int = 2) -> None:
        self.revision = 1
        self.full = False
        """Set to refuse whatever needs space, as etcd does beyond its quota."""
        self._ttl_seconds_min = ttl_seconds_min
        self._items: dict[str, KeyValue] = {}
        self._history: list[_Change] = []
        self._compacted = 0
        self._leases: dict[int, _Grant] = {}
        self._lease_ids = itertools.count(1)
        self._changed = asyncio.Event()

    def get(self, key: str) -> KeyValue | None:
        return self._items.get(key)

    def listing(self, prefix: str, limit: int | None) -> Listing:
        keys = sorted(key for key in self._items if key.startswith(prefix))[:limit]
        return Listing(items=tuple(self._items[key] for key in keys), revision=self.revision)

    def commit(self, transaction: Transaction) -> Committed:
        batches.check(transaction)
        refusal = batches.refusal(transaction, self._items)
        if refusal is not None:
            raise refusal
        puts = [write for write in transaction.writes if isinstance(write, Put)]
        if puts and self.full:
            raise errors.StoreFull("The store is full.")
        if any(put.lease and put.lease not in self._leases for put in puts):
            raise batches.lease_gone(transaction)
        self._apply(transaction.writes)
        return Committed(self.revision)

    def compact(self) -> None:
        """Forget how the present state came about; watches that lag must list again."""
        self._compacted = self.revision
        self._history.clear()

    def changes_after(self, revision: int, prefix: str) -> list[_Change] | None:
        """What happened after a revision, oldest first; None if that was compacted away."""
        if revision < self._compacted:
            return None
        start = bisect.bisect_right(self._history, revision, key=lambda change: change.revision)
        return [change for change in self._history[start:] if change.key.startswith(prefix)]

    async def changed_after(self, revision: int) -> None:
        """Return once the store's revision is beyond the one given."""
        while self.revision <= revision:
            await self._changed.wait()

    def grant(self, ttl_seconds: int) -> tuple[int, float]:
        if self.full:
            raise errors.StoreFull("The store is full.")
        lease_id = next(self._lease_ids)
        ttl = float(max(ttl_seconds, self._ttl_seconds_min))
        self._leases[lease_id] = _Grant(ttl, self._expire_later(lease_id, ttl))
        return lease_id, ttl

    def keep_alive(self, lease_id: int) -> float:
        grant = self._leases.get(lease_id)
        if grant is None:
            return 0.0
        grant.timer.cancel()
        grant.timer = self._expire_later(lease_id, grant.ttl_seconds)
        return grant.ttl_seconds

    def revoke(self, lease_id: int) -> None:
        grant = self._leases.pop(lease_id, None)
        if grant is None:
            return
        grant.timer.cancel()
        self._apply(tuple(Delete(key) for key in sorted(grant.keys)))

    def size_bytes(self) -> int:
        return sum(len(item.key) + len(item.value) for item in self._items.values())

    def _expire_later(self, lease_id: int, ttl_seconds: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(ttl_seconds, self.revoke, lease_id)

    def _apply(self, writes: tuple[Write, ...]) -> None:
        revision = self.revision + 1
        changes = [change for write in writes for change in self._changes(write, revision)]
        for change in changes:
            self._set(change)
        if changes:
            self.revision = revision
            self._history.extend(changes)
            self._changed.set()
            self._changed = asyncio.Event()

    def _changes(self, write: Write, revision: int) -> list[_Change]:
        if isinstance(write, Put):
            return [_Change(revision, write.key, self._put(write, revision))]
        if isinstance(write, DeletePrefix):
            doomed = sorted(key for key in self._items if key.startswith(write.prefix))
        else:
            doomed = [write.key] if write.key in self._items else []
        return [_Change(revision, key, None) for key in doomed]

    def _put(self, write: Put, revision: int) -> KeyValue:
        old = self._items.get(write.key)
        return KeyValue(
            key=write.key,
            value=write.value,
            mod_revision=revision,
            create_revision=old.create_revision if old else revision,
            lease=write.lease,
        )

    def _set(self, change: _Change) -> None:
        old = self._items.pop(change.key, None)
        if old is not None and old.lease in self._leases:
            self._leases[old.lease].keys.discard(change.key)
        if change.item is not None:
            self._items[change.key] = change.item
            if change.item.lease:
                self._leases[change.item.lease].keys.add(change.key)


class MemoryStore(Store):
    """One client's handle on a `MemoryServer`, with faults of its own."""

    def __init__(
        self,
        server: MemoryServer | None = None,
        *,
        faults: Faults | None = None,
        timeout_seconds: float = 5.0,
        retry_seconds: float = 0.1,
        jitter: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.server = server or MemoryServer()
        self.faults = faults
        self._timeout_seconds = timeout_seconds
        self._retry_seconds = retry_seconds
        self._jitter = jitter
        self._closed = False

    async def get(self, key: str) -> KeyValue | None:
        async with self._operation("get"):
            return self.server.get(key)

    async def range(self, prefix: str, *, limit: int | None = None) -> Listing:
        async with self._operation("range"):
            return self.server.listing(prefix, limit)

    async def commit(self, transaction: Transaction) -> Committed:
        async with self._operation("commit"):
            return self.server.commit(transaction)

    async def grant(self, ttl_seconds: int) -> Lease:
        asked_at = asyncio.get_running_loop().time()
        async with self._operation("grant"):
            lease_id, ttl = self.server.grant(ttl_seconds)
        return Lease(
            self, lease_id=lease_id, ttl_seconds=ttl, granted_at=asked_at, jitter=self._jitter
        )

    async def keep_alive(self, lease_id: int) -> float:
        async with self._operation("keep_alive"):
            return self.server.keep_alive(lease_id)

    async def revoke(self, lease_id: int) -> None:
        async with self._operation("revoke"):
            self.server.revoke(lease_id)

    async def status(self) -> StoreStatus:
        async with self._operation("status"):
            return StoreStatus(
                endpoint="memory",
                version="memory",
                db_size_bytes=self.server.size_bytes(),
                quota_bytes=0,
                alarms=("NOSPACE",) if self.server.full else (),
                leader="memory",
            )

    async def close(self) -> None:
        self._closed = True

    async def watch(self, prefix: str) -> AsyncGenerator[WatchBatch, None]:
        seen: int | None = None
        while True:
            try:
                batch = await self._next_batch(prefix, seen)
            except errors.Unavailable:
                await asyncio.sleep(self._retry_seconds)
                continue
            if batch.complete or batch.puts or batch.deletes:
                yield batch
            seen = batch.revision

    async def _next_batch(self, prefix: str, seen: int | None) -> WatchBatch:
        if seen is not None:
            await self.server.changed_after(seen)
        async with self._operation("watch"):
            changes = None if seen is None else self.server.changes_after(seen, prefix)
            if changes is None:
                listing = self.server.listing(prefix, None)
                return WatchBatch(complete=True, puts=listing.items, revision=listing.revision)
            return _collapsed(changes, self.server.revision)

    @asynccontextmanager
    async def _operation(self, name: str) -> AsyncGenerator[None, None]:
        if self._closed:
            raise errors.StoreUnavailable("This connection to the store is closed.")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._fault(name)
                yield
                await self._fault(f"{name}.reply")
        except TimeoutError as error:
            raise errors.StoreUnavailable(
                f"The store did not answer within {self._timeout_seconds} s ({name})."
            ) from error

    async def _fault(self, name: str) -> None:
        if self.faults is not None:
            await self.faults(name)


def _collapsed(changes: list[_Change], revision: int) -> WatchBatch:
    last = {change.key: change.item for change in changes}
    return WatchBatch(
        complete=False,
        puts=tuple(item for item in last.values() if item is not None),
        deletes=tuple(key for key, item in last.items() if item is None),
        revision=revision,
    )
