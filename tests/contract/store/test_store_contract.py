"""The contract of `orca.store.base`, on every store there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from orca import errors
from orca.store import batches
from orca.store.base import (
    Committed,
    Condition,
    CreateRevisionIs,
    Delete,
    DeletePrefix,
    Fence,
    KeyAbsent,
    KeyExists,
    ModRevisionIs,
    Put,
    Store,
    Transaction,
    WatchBatch,
    Write,
)
from tests.contract.store.store_backends import Backend

ANSWER_SECONDS = 10.0


async def put(store: Store, key: str, value: bytes = b"x", *, lease: int = 0) -> int:
    return (await write(store, Put(key, value, lease))).revision


async def write(store: Store, *writes: Write) -> Committed:
    return await store.commit(Transaction(writes=writes))


async def next_batch(watch: AsyncGenerator[WatchBatch, None]) -> WatchBatch:
    async with asyncio.timeout(ANSWER_SECONDS):
        return await anext(watch)


async def next_change(watch: AsyncGenerator[WatchBatch, None]) -> WatchBatch:
    while True:
        batch = await next_batch(watch)
        if batch.complete or batch.puts or batch.deletes:
            return batch


def test_get_of_a_key_nobody_wrote_is_none(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        assert await store.get(at + "a") is None

    backend.run(scenario)


def test_put_is_read_back_with_its_revisions(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        first = await put(store, at + "a", b"1")
        second = await put(store, at + "a", b"\x00\xff")
        found = await store.get(at + "a")
        assert found is not None
        assert (found.key, found.value, found.lease) == (at + "a", b"\x00\xff", 0)
        assert (found.create_revision, found.mod_revision) == (first, second)
        assert second > first

    backend.run(scenario)


def test_key_deleted_and_written_again_has_a_new_create_revision(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        first = await put(store, at + "a")
        await write(store, Delete(at + "a"))
        assert await store.get(at + "a") is None
        second = await put(store, at + "a")
        found = await store.get(at + "a")
        assert found is not None
        assert found.create_revision == second > first

    backend.run(scenario)


@pytest.mark.parametrize("kind", [KeyAbsent, KeyExists, ModRevisionIs, CreateRevisionIs])
def test_condition_that_fails_is_a_conflict_naming_its_key_and_writes_nothing(
    backend: Backend, kind: type[Condition]
) -> None:
    async def scenario(store: Store, at: str) -> None:
        there, missing = at + "there", at + "missing"
        revision = await put(store, there)
        broken: dict[type[Condition], Condition] = {
            KeyAbsent: KeyAbsent(there),
            KeyExists: KeyExists(missing),
            ModRevisionIs: ModRevisionIs(there, revision - 1),
            CreateRevisionIs: CreateRevisionIs(missing, revision),
        }
        condition = broken[kind]
        with pytest.raises(errors.Conflict) as caught:
            await store.commit(
                Transaction(
                    conditions=(KeyExists(there), condition), writes=(Put(at + "new", b""),)
                )
            )
        assert condition.key in caught.value.message
        assert not isinstance(caught.value, errors.Fenced)
        assert await store.get(at + "new") is None

    backend.run(scenario)


def test_conditions_that_hold_let_all_writes_happen_at_one_revision(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        one = await put(store, at + "one")
        two = await put(store, at + "two")
        await put(store, at + "old/a")
        await put(store, at + "old/b")
        done = await store.commit(
            Transaction(
                conditions=(
                    KeyAbsent(at + "new"),
                    KeyExists(at + "one"),
                    ModRevisionIs(at + "two", two),
                    CreateRevisionIs(at + "one", one),
                ),
                writes=(Put(at + "new", b"n"), Delete(at + "one"), DeletePrefix(at + "old/")),
            )
        )
        listing = await store.range(at)
        assert [item.key for item in listing.items] == [at + "new", at + "two"]
        assert listing.items[0].mod_revision == done.revision

    backend.run(scenario)


def test_compare_and_set_by_many_at_once_has_exactly_one_winner(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        revision = await put(store, at + "a", b"start")

        async def attempt(number: int) -> bool:
            try:
                await store.commit(
                    Transaction(
                        conditions=(ModRevisionIs(at + "a", revision),),
                        writes=(Put(at + "a", str(number).encode()),),
                    )
                )
            except errors.Conflict:
                return False
            return True

        won = await asyncio.gather(*map(attempt, range(50)))
        found = await store.get(at + "a")
        assert found is not None
        assert [number for number, yes in enumerate(won) if yes] == [int(found.value)]

    backend.run(scenario)


def test_write_under_a_fence_that_holds_is_made(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        epoch = await put(store, at + "leader", b"me")
        await put(store, at + "leader", b"still me")
        fence = Fence(at + "leader", epoch)
        await store.commit(Transaction(writes=(Put(at + "a", b""),), fence=fence))
        assert await store.get(at + "a") is not None

    backend.run(scenario)


@pytest.mark.parametrize("successor", [True, False], ids=["new_leader", "no_leader"])
def test_write_of_a_deposed_leader_is_fenced_and_writes_nothing(
    backend: Backend, successor: bool
) -> None:
    async def scenario(store: Store, at: str) -> None:
        fence = Fence(at + "leader", await put(store, at + "leader"))
        await write(store, Delete(at + "leader"))
        if successor:
            await put(store, at + "leader")
        for conditions in ((), (KeyExists(at + "also missing"),)):
            with pytest.raises(errors.Fenced):
                await store.commit(
                    Transaction(conditions=conditions, writes=(Put(at + "a", b""),), fence=fence)
                )
        with pytest.raises(errors.Fenced):
            await store.commit(Transaction(fence=fence))
        assert await store.get(at + "a") is None

    backend.run(scenario)


def test_range_pages_through_thousands_of_keys_in_order(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        keys = [f"{at}k/{number:05d}" for number in range(1234)]
        await store.commit_all(Put(key, key.encode()) for key in reversed(keys))
        await put(store, at + "k0")
        listing = await store.range(at + "k/")
        assert [item.key for item in listing.items] == keys
        assert all(item.value == item.key.encode() for item in listing.items)
        assert [item.key for item in (await store.range(at + "k/", limit=700)).items] == keys[:700]
        assert (await store.range(at + "none/")).items == ()

    backend.run(scenario)


def test_range_is_consistent_while_another_writes(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        keys = [f"{at}{number:05d}" for number in range(1100)]
        await store.commit_all(Put(key, b"0") for key in keys)

        async def keep_two_equal() -> None:
            for number in range(20):
                value = str(number).encode()
                await write(store, Put(keys[0], value), Put(keys[-1], value))

        async with asyncio.TaskGroup() as group:
            writer = group.create_task(keep_two_equal())
            while not writer.done():
                listing = await store.range(at)
                assert listing.items[0].value == listing.items[-1].value
                assert listing.revision >= listing.items[0].mod_revision
                await asyncio.sleep(0)

    backend.run(scenario)


def test_commit_all_splits_what_one_transaction_cannot_hold(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        count = 2 * batches.OPS_MAX + 1
        await store.commit_all(Put(f"{at}{number:04d}", b"") for number in range(count))
        items = (await store.range(at)).items
        assert len(items) == count
        assert len({item.mod_revision for item in items}) == 3
        assert await store.commit_all(()) is None

    backend.run(scenario)


def test_commit_all_stops_at_a_fence_that_fell(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        with pytest.raises(errors.Fenced):
            await store.commit_all([Put(at + "a", b"")], fence=Fence(at + "leader", 1))

    backend.run(scenario)


def test_transaction_at_the_limit_is_taken_and_beyond_it_refused(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        keys = [f"{at}{number}" for number in range(batches.OPS_MAX + 1)]
        conditions = tuple(map(KeyAbsent, keys))
        writes = tuple(Put(key, b"") for key in keys)
        epoch = await put(store, at + "leader")
        limit = batches.OPS_MAX
        await store.commit(
            Transaction(
                conditions=conditions[:limit],
                writes=writes[:limit],
                fence=Fence(at + "leader", epoch),
            )
        )
        with pytest.raises(errors.UserError, match="127 writes is too large"):
            await store.commit(Transaction(writes=writes))
        with pytest.raises(errors.UserError, match="127 conditions is too large"):
            await store.commit(Transaction(conditions=conditions))

    backend.run(scenario)


def test_value_at_the_limit_is_taken_and_beyond_it_refused_naming_the_key(
    backend: Backend,
) -> None:
    async def scenario(store: Store, at: str) -> None:
        room = batches.BYTES_MAX - len(at + "a")
        await put(store, at + "a", b"x" * room)
        with pytest.raises(errors.UserError, match=f"largest value is that of {at}b"):
            await write(store, Put(at + "a", b""), Put(at + "b", b"x" * room))

    backend.run(scenario)


@pytest.mark.parametrize("second", [Put, Delete, DeletePrefix])
def test_key_written_twice_in_one_transaction_is_a_mistake(
    backend: Backend, second: type[Write]
) -> None:
    async def scenario(store: Store, at: str) -> None:
        again: dict[type[Write], Write] = {
            Put: Put(at + "a", b"2"),
            Delete: Delete(at + "a"),
            DeletePrefix: DeletePrefix(at),
        }
        with pytest.raises(ValueError, match="written twice"):
            await write(store, Put(at + "a", b"1"), again[second])

    backend.run(scenario)


def test_lease_that_nobody_keeps_alive_takes_its_keys_along(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        lease = await store.grant(2)
        await put(store, at + "a", lease=lease.id)
        await put(store, at + "b", lease=lease.id)
        await put(store, at + "b")  # detached from the lease
        async with aclosing(store.watch(at)) as watch:
            first = await next_batch(watch)
            assert {item.key: item.lease for item in first.puts} == {
                at + "a": lease.id,
                at + "b": 0,
            }
            assert (await next_change(watch)).deletes == (at + "a",)
        assert not lease.is_valid(asyncio.get_running_loop().time())

    backend.run(scenario)


def test_lease_is_believed_for_less_time_than_the_server_grants(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        loop = asyncio.get_running_loop()
        lease = await store.grant(2)
        granted_by = loop.time()
        await put(store, at + "a", lease=lease.id)
        assert lease.deadline() <= granted_by + 0.8 * lease.ttl_seconds
        assert lease.is_valid(loop.time())
        await asyncio.sleep(lease.deadline() - loop.time())
        assert not lease.is_valid(loop.time())
        assert await store.get(at + "a") is not None
        await lease.revoke()

    backend.run(scenario)


def test_lease_kept_alive_outlives_its_ttl_and_ends_when_revoked(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        loop = asyncio.get_running_loop()
        lease = await store.grant(2)
        await put(store, at + "a", lease=lease.id)
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(lease.run())
            await asyncio.sleep(lease.ttl_seconds * 1.5)
            assert lease.is_valid(loop.time())
            assert await store.get(at + "a") is not None
            await lease.revoke()
            async with asyncio.timeout(ANSWER_SECONDS):
                await keeper
        assert await store.get(at + "a") is None
        assert not lease.is_valid(loop.time())
        await lease.revoke()  # again, to no effect

    backend.run(scenario)


def test_lease_that_the_server_dropped_is_lost_at_the_next_renewal(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        lease = await store.grant(2)
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(lease.run())
            other = await store.grant(2)
            await store.revoke(lease.id)  # type: ignore[attr-defined]
            async with asyncio.timeout(ANSWER_SECONDS):
                await keeper
        assert lease.lost.is_set()
        await other.revoke()

    backend.run(scenario)


def test_put_under_an_expired_lease_is_a_conflict(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        lease = await store.grant(2)
        await lease.revoke()
        with pytest.raises(errors.Conflict, match=f"lease for {at}a has expired"):
            await put(store, at + "a", lease=lease.id)
        assert await store.get(at + "a") is None

    backend.run(scenario)


def test_watch_lists_first_and_then_follows(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        before = await put(store, at + "a", b"1")
        await put(store, at[:-1] + "-neighbour")
        async with aclosing(store.watch(at)) as watch:
            first = await next_batch(watch)
            assert first.complete
            assert [(item.key, item.value) for item in first.puts] == [(at + "a", b"1")]
            assert first.revision >= before
            changed = await write(store, Put(at + "b", b"2"), Delete(at + "a"))
            second = await next_change(watch)
            assert not second.complete
            assert [(item.key, item.value) for item in second.puts] == [(at + "b", b"2")]
            assert second.deletes == (at + "a",)
            assert second.revision == changed.revision

    backend.run(scenario)


def test_watch_of_an_empty_prefix_begins_with_an_empty_complete_batch(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        async with aclosing(store.watch(at)) as watch:
            first = await next_batch(watch)
            assert first.complete
            assert first.puts == ()

    backend.run(scenario)


def test_watch_of_a_slow_consumer_misses_nothing(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        async with aclosing(store.watch(at)) as watch:
            await next_batch(watch)
            for number in range(200):
                await put(store, f"{at}{number % 7}", str(number).encode())
            await write(store, Delete(at + "0"))
            state: dict[str, bytes] = {}
            last = 0
            while at + "0" in state or len(state) < 6 or state[at + "3"] != b"199":
                batch = await next_change(watch)
                assert batch.revision > last
                last = batch.revision
                state |= {item.key: item.value for item in batch.puts}
                for key in batch.deletes:
                    state.pop(key, None)
        assert state == {item.key: item.value for item in (await store.range(at)).items}

    backend.run(scenario)


def test_watches_see_changes_after_a_compaction(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        async with aclosing(store.watch(at)) as watch:
            await next_batch(watch)
            await put(store, at + "a")
            await next_change(watch)
            await backend.compact(store)
            await put(store, at + "b")
            assert [item.key for item in (await next_change(watch)).puts] == [at + "b"]

    backend.run(scenario)


def test_status_of_a_healthy_store_names_its_leader_and_no_alarm(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        await put(store, at + "a")
        status = await store.status()
        assert status.leader
        assert status.alarms == ()
        assert status.version
        assert status.db_size_bytes > 0

    backend.run(scenario)
