"""Which state this is: an id that is written once, when the cluster's state in etcd begins.

Epochs are revisions of etcd, and an etcd that lost its data counts from the beginning again. To a node
such an empty state would order nothing to run, so every container would be an orphan. Nodes and proxies
therefore remember whose orders they follow, and a master with another state turns them away.
"""

from __future__ import annotations

from orca.errors import Conflict
from orca.store.base import Fence, KeyAbsent, Put, Store, Transaction
from orca.store.keys import Keys

NAME = "lineage"


async def settle(store: Store, keys: Keys, *, fence: Fence, fresh: str) -> str:
    """The state's id; `fresh` becomes it when there is none. Raises `Unavailable`, `Fenced`."""
    key = keys.meta(NAME)
    found = await store.get(key)
    if found is not None:
        return found.value.decode()
    transaction = Transaction(
        conditions=(KeyAbsent(key),), writes=(Put(key, fresh.encode()),), fence=fence
    )
    try:
        await store.commit(transaction)
    except Conflict:
        # An earlier try whose answer was lost may have been done after all.
        found = await store.get(key)
        if found is None:
            raise
        return found.value.decode()
    return fresh
