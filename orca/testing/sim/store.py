"""The store of a simulated cluster: one server, and a handle per master with faults of its own.

What a handle adds to `MemoryStore` is what the contract allows of etcd: a commit goes on after its
client has given up, was killed or was frozen, and may be applied long after its deadline. The server
tells observers of every commit, so that invariants can be checked at the moment they would break.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from orca.errors import StoreUnavailable
from orca.store.base import Committed, Transaction, Write
from orca.store.memory import MemoryServer, MemoryStore
from orca.testing.sim.processes import call_outside, shielded

PATIENCE_SECONDS = 5.0


class SimServer(MemoryServer):
    """The store, observed."""

    def __init__(self, observe: Callable[[str, Transaction, int], None]) -> None:
        """`observe` is told who committed what at which revision, after it was applied."""
        super().__init__()
        self._observe = observe
        self.on_change: Callable[[tuple[Write, ...]], None] = lambda _: None
        """Told of every change, also of those that a lease's end brings about."""

    def commit_by(self, master: str, transaction: Transaction) -> Committed:
        """A commit that came from a master."""
        done = self.commit(transaction)
        self._observe(master, transaction, done.revision)
        return done

    def _expire_later(self, lease_id: int, ttl_seconds: float) -> asyncio.TimerHandle:
        # The server's clock goes on when the holder of the lease is frozen.
        return call_outside(super()._expire_later, lease_id, ttl_seconds)

    def _apply(self, writes: tuple[Write, ...]) -> None:
        super()._apply(writes)
        self.on_change(writes)


@dataclass(slots=True)
class StoreWeather:
    """How the store behaves towards one master now. Times are seconds, shares between 0 and 1."""

    up: bool = True
    hangs: bool = False
    """Nothing is answered, as by an etcd without a majority."""
    delay_seconds_max: float = 0.002
    commit_seconds_max: float = 0.0
    """What a commit takes more than anything else: one packet that is stuck on its way."""
    watch_seconds_max: float = 0.0
    """How far watches lag behind."""
    lost_share: float = 0.0
    """Requests that never arrive."""
    unanswered_share: float = 0.0
    """Requests that are carried out and never answered."""


class SimStore(MemoryStore):
    """One master's handle."""

    def __init__(self, server: SimServer, *, master: str, chance: random.Random) -> None:
        super().__init__(
            server,
            faults=self._strike,
            timeout_seconds=PATIENCE_SECONDS,
            jitter=lambda: chance.random(),
        )
        self.weather = StoreWeather()
        self._sim_server = server
        self._master = master
        self._chance = chance

    async def commit(self, transaction: Transaction) -> Committed:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await shielded(self._carry_out(transaction))
        except TimeoutError as error:
            raise StoreUnavailable(
                f"The store did not answer within {PATIENCE_SECONDS:g} s (commit)."
            ) from error

    async def _carry_out(self, transaction: Transaction) -> Committed:
        await self._strike("commit")
        done = self._sim_server.commit_by(self._master, transaction)
        await self._strike("commit.reply")
        return done

    async def _strike(self, name: str) -> None:
        weather, chance = self.weather, self._chance
        reply = name.endswith(".reply")
        await asyncio.sleep(chance.uniform(0.0002, weather.delay_seconds_max))
        if name == "commit" and weather.commit_seconds_max:
            await asyncio.sleep(chance.uniform(0.0, weather.commit_seconds_max))
        if name == "watch" and weather.watch_seconds_max:
            await asyncio.sleep(chance.uniform(0.0, weather.watch_seconds_max))
        if weather.hangs:
            await asyncio.sleep(PATIENCE_SECONDS * 2)
        if not weather.up:
            raise StoreUnavailable("The store refuses connections.")
        share = weather.unanswered_share if reply else weather.lost_share
        if share and chance.random() < share:
            raise StoreUnavailable("The connection to the store broke.")
