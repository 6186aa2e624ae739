"""The store: what the cluster remembers, and the contract that every implementation keeps.

A store is a map from keys to small values with a revision that grows with every change, transactions
that compare before they write, leases that end with their holder, and watches. `etcd.py` is the real
one, `memory.py` the one for tests and simulations; one contract suite runs on both. This module holds
no logic beyond the splitting of batches.

The hard part is what an error means:

- `Conflict`: a condition did not hold; nothing was written. The message names the keys.
- `Fenced`: the leader key is no longer the caller's; nothing was written and nothing will be.
- `StoreFull`: lack of space. Refused by the quota, nothing was written; deletes still work, in an etcd
  before 3.5 only if giving old values back makes room. If etcd died of a full disk, the outcome of a
  `commit` is as unknown as with `StoreUnavailable`.
- `StoreUnavailable`: no answer within the deadline. For `commit` the outcome is unknown: it was written
  wholly or not at all, and may still be. Read again before deciding (the loop does so anyway).

A commit whose reply was lost on the way is repeated by the store and recognised as its own, so a
`Conflict` always means somebody else.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, Iterable
from types import TracebackType
from typing import Self

from orca.store import batches
from orca.store.lease import Lease
from orca.store.records import (
    Committed,
    Condition,
    CreateRevisionIs,
    Delete,
    DeletePrefix,
    Fence,
    KeyAbsent,
    KeyExists,
    KeyValue,
    Listing,
    ModRevisionIs,
    Put,
    StoreStatus,
    Transaction,
    WatchBatch,
    Write,
)

__all__ = [
    "Committed",
    "Condition",
    "CreateRevisionIs",
    "Delete",
    "DeletePrefix",
    "Fence",
    "KeyAbsent",
    "KeyExists",
    "KeyValue",
    "Lease",
    "Listing",
    "ModRevisionIs",
    "Put",
    "Store",
    "StoreStatus",
    "Transaction",
    "WatchBatch",
    "Write",
]


class Store(abc.ABC):
    """The door to the cluster's memory. Every method answers or raises within its deadline.

    Besides the errors named in this module's docstring, any method may raise `StoreUnavailable`.
    Use it as an async context manager, or call `close`.
    """

    @abc.abstractmethod
    async def get(self, key: str) -> KeyValue | None:
        """The key as it is now (linearizable: every commit that returned before is seen)."""

    @abc.abstractmethod
    async def range(self, prefix: str, *, limit: int | None = None) -> Listing:
        """The keys that start with `prefix`, at most `limit`, in key order, at one revision."""

    @abc.abstractmethod
    async def commit(self, transaction: Transaction) -> Committed:
        """Apply the transaction as a whole.

        Raises Conflict, Fenced, StoreFull; UserError if it is larger than the store accepts; and
        Conflict if a lease it names has expired. ValueError is a mistake of the caller: a key
        written twice.
        """

    @abc.abstractmethod
    async def grant(self, ttl_seconds: int) -> Lease:
        """A new lease; its keys vanish when nobody keeps it alive for `ttl_seconds`.

        The server may grant more than asked for (`Lease.ttl_seconds`); etcd's least is 2 s.
        """

    @abc.abstractmethod
    def watch(self, prefix: str) -> AsyncGenerator[WatchBatch, None]:
        """Everything under `prefix` now as a complete batch, then every change, for ever.

        Outages are waited out and resumed without a gap; where the history needed was compacted
        away, a complete batch comes again. It raises only what waiting cannot mend. A consumer
        that stops early closes the generator (`contextlib.aclosing`).
        """

    @abc.abstractmethod
    async def status(self) -> StoreStatus:
        """The health of the server that requests go to now."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Drop all connections. Nothing may be called after it."""

    async def commit_all(
        self, writes: Iterable[Write], *, fence: Fence | None = None
    ) -> Committed | None:
        """Commit any number of writes in as many transactions as needed, each under the fence.

        Not atomic across transactions: on an error the earlier ones stay. None if there was
        nothing to write.
        """
        done: Committed | None = None
        for batch in batches.split(writes):
            done = await self.commit(Transaction(writes=batch, fence=fence))
        return done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
