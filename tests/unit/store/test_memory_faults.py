"""The memory store's faults, leases and elections under them, on virtual time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from orca import errors
from orca.store.base import KeyAbsent, Put, Transaction
from orca.store.election import Election, this_process
from orca.store.memory import MemoryServer, MemoryStore
from orca.testing import virtual_time

PUT_A = Transaction(conditions=(KeyAbsent("a"),), writes=(Put("a", b"1"),))


class Faults:
    """Raises for the operations named, or makes them hang; "*" is every one."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.hanging: set[str] = set()
        self.full = False
        """As when the disk of an etcd has killed it: whatever is asked, that is the answer."""

    async def __call__(self, operation: str) -> None:
        if self.hanging & {operation, "*"}:
            await asyncio.Event().wait()
        if self.down & {operation, "*"}:
            raise errors.StoreUnavailable(f"{operation} failed on purpose.")
        if self.full:
            raise errors.StoreFull("The disk is full on purpose.")


def test_request_that_never_arrives_changes_nothing() -> None:
    async def main() -> None:
        faults = Faults()
        store = MemoryStore(faults=faults)
        faults.down = {"commit"}
        with pytest.raises(errors.StoreUnavailable):
            await store.commit(PUT_A)
        assert await store.get("a") is None

    virtual_time.run(main())


def test_lost_reply_leaves_the_commit_applied() -> None:
    async def main() -> None:
        faults = Faults()
        store = MemoryStore(faults=faults)
        faults.down = {"commit.reply"}
        with pytest.raises(errors.StoreUnavailable):
            await store.commit(PUT_A)
        assert await store.get("a") is not None

    virtual_time.run(main())


def test_hanging_store_is_unavailable_at_the_deadline() -> None:
    async def main() -> None:
        faults = Faults()
        store = MemoryStore(faults=faults, timeout_seconds=5)
        faults.hanging = {"get"}
        with pytest.raises(errors.StoreUnavailable, match="within 5 s"):
            await store.get("a")
        assert asyncio.get_running_loop().time() == pytest.approx(5)

    virtual_time.run(main())


def test_full_store_refuses_puts_and_leases() -> None:
    async def main() -> None:
        store = MemoryStore()
        store.server.full = True
        with pytest.raises(errors.StoreFull):
            await store.commit(PUT_A)
        with pytest.raises(errors.StoreFull):
            await store.grant(5)
        assert (await store.status()).alarms == ("NOSPACE",)

    virtual_time.run(main())


def test_closed_store_is_unavailable() -> None:
    async def main() -> None:
        async with MemoryStore() as store:
            pass
        with pytest.raises(errors.StoreUnavailable, match="closed"):
            await store.get("a")

    virtual_time.run(main())


def test_watch_waits_an_outage_out_and_lists_again_after_a_compaction() -> None:
    async def main() -> None:
        server, faults = MemoryServer(), Faults()
        store, writer = MemoryStore(server, faults=faults), MemoryStore(server)
        async with aclosing(store.watch("a")) as watch:
            assert (await anext(watch)).complete
            faults.down = {"watch"}
            await writer.commit(PUT_A)
            server.compact()
            asyncio.get_running_loop().call_later(60, faults.down.clear)
            batch = await anext(watch)
            assert batch.complete
            assert [item.key for item in batch.puts] == ["a"]
            assert asyncio.get_running_loop().time() >= 60

    virtual_time.run(main())


def test_lease_survives_an_outage_shorter_than_its_local_deadline() -> None:
    async def main() -> None:
        faults = Faults()
        store = MemoryStore(faults=faults)
        lease = await store.grant(10)
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(lease.run())
            await asyncio.sleep(20)
            faults.down = {"keep_alive"}
            await asyncio.sleep(5)
            faults.down = set()
            await asyncio.sleep(20)
            assert lease.is_valid(asyncio.get_running_loop().time())
            keeper.cancel()
        assert lease.lost.is_set()

    virtual_time.run(main())


@pytest.mark.parametrize("kind", ["down", "hanging"])
def test_lease_is_lost_locally_before_its_keys_vanish(kind: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server, faults = MemoryServer(), Faults()
        store = MemoryStore(server, faults=faults)
        lease = await store.grant(10)
        await store.commit(Transaction(writes=(Put("a", b"", lease.id),)))
        setattr(faults, kind, {"keep_alive"})
        await lease.run()
        assert loop.time() == pytest.approx(8)
        assert server.get("a") is not None
        await asyncio.sleep(2.1)
        assert server.get("a") is None
        assert not lease.is_valid(loop.time())

    virtual_time.run(main())


def test_election_won_with_a_lost_reply_is_recognised() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        faults = Faults()
        store = MemoryStore(faults=faults)
        faults.down = {"commit.reply"}
        loop.call_later(0.1, faults.down.clear)
        leadership = await Election(store, "leader", this_process("a"), ttl_seconds=10).campaign()
        assert loop.time() < 2
        found = await store.get("leader")
        assert found is not None
        assert found.create_revision == leadership.epoch
        assert found.lease == leadership.lease.id

    virtual_time.run(main())


def test_election_waits_an_outage_out() -> None:
    async def main() -> None:
        faults = Faults()
        store = MemoryStore(faults=faults)
        faults.down = {"*"}
        loop = asyncio.get_running_loop()
        loop.call_later(100, faults.down.clear)
        leadership = await Election(store, "leader", this_process("a")).campaign()
        assert 100 <= loop.time() < 102
        assert leadership.is_valid(loop.time())

    virtual_time.run(main())


def test_two_candidates_never_believe_in_themselves_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = MemoryServer()
        cut_off = Faults()
        held = Election(MemoryStore(server, faults=cut_off), "leader", this_process("a"))
        other = Election(MemoryStore(server), "leader", this_process("b"))
        first = await held.campaign()
        async with asyncio.TaskGroup() as group:
            group.create_task(first.run())
            waiting = group.create_task(other.campaign())
            await asyncio.sleep(30)
            cut_off.hanging = {"*"}
            while not waiting.done():
                await asyncio.sleep(0.01)
            assert not first.is_valid(loop.time())
        assert waiting.result().epoch > first.epoch
        assert loop.time() < 37

    virtual_time.run(main())


def test_campaign_waits_until_a_full_disk_has_room_again() -> None:
    async def main() -> None:
        faults = Faults()
        election = Election(MemoryStore(faults=faults), "leader", this_process("a"))
        faults.full = True
        campaign = asyncio.ensure_future(election.campaign())
        await asyncio.sleep(60)
        assert not campaign.done()
        faults.full = False
        leadership = await campaign
        assert leadership.is_valid(asyncio.get_running_loop().time())

    virtual_time.run(main())


def test_watch_waits_until_a_full_disk_has_room_again() -> None:
    async def main() -> None:
        faults = Faults()
        store = MemoryStore(faults=faults)
        async with aclosing(store.watch("")) as batches:
            assert (await anext(batches)).complete
            faults.full = True
            following = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(60)
            assert not following.done()
            faults.full = False
            await store.commit(PUT_A)
            assert [item.key for item in (await following).puts] == ["a"]

    virtual_time.run(main())
