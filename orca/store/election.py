"""Leader election: the leader is who created the leader key and keeps its lease alive.

The key's create revision is the epoch; every write of the leader compares it (`Leadership.fence`), so a
leader that was paused past its time can do no harm even before it notices. It notices by the lease's
local deadline, or sooner by watching its own key.

The hard part is to be quick when a leader was killed on this very machine, as on every single host: its
key would stand until the TTL has passed. The key's value therefore names the process, and a candidate
that can see that this process is dead removes the key, compared on its create revision.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from orca import errors, processes
from orca.processes import ProcessRecord
from orca.store.base import (
    CreateRevisionIs,
    Delete,
    Fence,
    KeyAbsent,
    KeyValue,
    Put,
    Store,
    Transaction,
    WatchBatch,
)
from orca.store.codec import Codec
from orca.store.lease import Lease

TTL_SECONDS: Final = 5

_LOOK_AGAIN_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who leads: a process, and the kernel and pid namespace in which its pid has a meaning.

    `address` is where other masters and clients reach the leader; empty if nobody needs to.
    """

    name: str
    pid: int
    start_ticks: int
    boot_id: str
    pid_namespace: str
    address: str = ""


HOLDER: Final = Codec(Holder, schema="leader")


def this_process(name: str, *, address: str = "") -> Holder:
    """The holder that this process would be."""
    record = processes.record_of(os.getpid())
    return Holder(
        name=name,
        pid=os.getpid(),
        start_ticks=record.start_ticks if record else 0,
        boot_id=processes.boot_id(),
        pid_namespace=os.readlink("/proc/self/ns/pid"),
        address=address,
    )


def is_known_dead(
    holder: Holder, *, seen_by: Holder, is_running: Callable[[ProcessRecord], bool]
) -> bool:
    """Whether one who shares the holder's kernel and pid namespace sees that its process is gone."""
    same_place = (holder.boot_id, holder.pid_namespace) == (seen_by.boot_id, seen_by.pid_namespace)
    record = ProcessRecord(holder.pid, holder.start_ticks, holder.name, holder.boot_id)
    return same_place and not is_running(record)


def has_ended(batch: WatchBatch, key: str, epoch: int) -> bool:
    """Whether a watch's batch shows that the leadership of this epoch is over."""
    seen = next((item for item in batch.puts if item.key == key), None)
    if seen is not None:
        return seen.create_revision != epoch
    return batch.complete or key in batch.deletes


class Leadership:
    """The right to lead, while `run` runs and `is_valid` says so."""

    def __init__(self, store: Store, key: str, *, epoch: int, lease: Lease) -> None:
        self.epoch = epoch
        self.lease = lease
        self.fence = Fence(key, epoch)
        self.lost = lease.lost
        self._store = store
        self._key = key

    def __repr__(self) -> str:
        return f"Leadership(epoch={self.epoch}, {self.lease!r})"

    def is_valid(self, now: float) -> bool:
        """Whether to act as leader at `now` (the loop's time); never true again once lost."""
        return self.lease.is_valid(now)

    async def run(self) -> None:
        """Keep the leadership; returns, with `lost` set, when it is over."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    group.create_task(self.lease.run(), name="keep the leader's lease"),
                    group.create_task(self._until_deposed(), name="watch the leader's key"),
                }
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        finally:
            self.lost.set()

    async def resign(self) -> None:
        """Give the leadership up, so that the next leader need not wait."""
        await self.lease.revoke()

    async def _until_deposed(self) -> None:
        async with aclosing(self._store.watch(self._key)) as batches:
            async for batch in batches:
                if has_ended(batch, self._key, self.epoch):
                    return


class Election:
    """A candidate for the leadership that `key` stands for."""

    def __init__(
        self,
        store: Store,
        key: str,
        holder: Holder,
        *,
        ttl_seconds: int = TTL_SECONDS,
        is_running: Callable[[ProcessRecord], bool] = processes.is_running,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._key = key
        self._holder = holder
        self._ttl_seconds = ttl_seconds
        self._is_running = is_running
        self._jitter = jitter
        self._lease: Lease | None = None

    async def leader(self) -> Holder | None:
        """Who leads now, None if nobody does. Raises StoreUnavailable."""
        found = await self._store.get(self._key)
        return HOLDER.decode(found) if found is not None else None

    async def campaign(self) -> Leadership:
        """Wait until this candidate leads; outages of the store are waited out too.

        The caller must then `run` the leadership it gets.
        """
        while True:
            try:
                leadership = await self._try()
            except (errors.Unavailable, errors.Conflict):
                # Also when our own claim's outcome is unknown: the next look at the key tells.
                await asyncio.sleep(_RETRY_SECONDS * (0.5 + self._jitter()))
                continue
            if leadership is not None:
                self._lease = None
                return leadership

    async def _try(self) -> Leadership | None:
        found = await self._store.get(self._key)
        if found is None:
            return await self._claim()
        ours = self._lease_of_ours(found)
        if ours is not None:
            return Leadership(self._store, self._key, epoch=found.create_revision, lease=ours)
        if self._is_stale(found):
            await self._remove(found)
            return None
        await self._wait_while_held(found)
        return None

    async def _claim(self) -> Leadership:
        lease = await self._usable_lease()
        committed = await self._store.commit(
            Transaction(
                conditions=(KeyAbsent(self._key),),
                writes=(Put(self._key, HOLDER.encode(self._holder), lease.id),),
            )
        )
        return Leadership(self._store, self._key, epoch=committed.revision, lease=lease)

    async def _usable_lease(self) -> Lease:
        now = asyncio.get_running_loop().time()
        # Half of its time must be left, or the leadership would begin at its end.
        if self._lease is None or not self._lease.is_valid(now + self._ttl_seconds / 2):
            self._lease = await self._store.grant(self._ttl_seconds)
        return self._lease

    def _lease_of_ours(self, found: KeyValue) -> Lease | None:
        now = asyncio.get_running_loop().time()
        lease = self._lease
        if lease is not None and lease.id == found.lease and lease.is_valid(now):
            return lease
        return None

    def _is_stale(self, found: KeyValue) -> bool:
        holder = HOLDER.decode(found)
        return is_known_dead(holder, seen_by=self._holder, is_running=self._is_running)

    async def _remove(self, found: KeyValue) -> None:
        stale = CreateRevisionIs(self._key, found.create_revision)
        await self._store.commit(Transaction(conditions=(stale,), writes=(Delete(self._key),)))

    async def _wait_while_held(self, found: KeyValue) -> None:
        """Until the key changes hands, or it is time to look whether its holder has died."""
        try:
            async with (
                asyncio.timeout(_LOOK_AGAIN_SECONDS * (0.75 + self._jitter() / 2)),
                aclosing(self._store.watch(self._key)) as batches,
            ):
                async for batch in batches:
                    if has_ended(batch, self._key, found.create_revision):
                        return
        except TimeoutError:
            return
