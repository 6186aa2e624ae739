"""Leader election on every store: one leader at a time, and quickly the next one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orca import errors
from orca.processes import ProcessRecord
from orca.store.base import Delete, Put, Store, Transaction
from orca.store.election import HOLDER, Election, Holder, is_known_dead, this_process
from tests.contract.store.store_backends import Backend

ANSWER_SECONDS = 15.0

ELSEWHERE = Holder(name="b", pid=7, start_ticks=7, boot_id="other", pid_namespace="pid:[1]")


def dead(_: ProcessRecord) -> bool:
    return False


def candidate(store: Store, at: str, holder: Holder, *, ttl_seconds: int = 2) -> Election:
    return Election(store, at + "leader", holder, ttl_seconds=ttl_seconds)


async def write_as(store: Store, at: str, election_value: bytes) -> None:
    await store.commit(Transaction(writes=(Put(at + "leader", election_value),)))


def test_first_candidate_leads_at_once_with_the_create_revision_as_epoch(
    backend: Backend,
) -> None:
    async def scenario(store: Store, at: str) -> None:
        loop = asyncio.get_running_loop()
        me = this_process("a", address="https://10.0.0.1:6880")
        election = candidate(store, at, me)
        assert await election.leader() is None
        async with asyncio.timeout(ANSWER_SECONDS):
            leadership = await election.campaign()
        found = await store.get(at + "leader")
        assert found is not None
        assert found.create_revision == leadership.epoch == leadership.fence.create_revision
        assert leadership.is_valid(loop.time())
        assert not leadership.is_valid(leadership.lease.deadline())
        assert await election.leader() == me
        await leadership.resign()

    backend.run(scenario)


def test_leader_that_runs_stays_leader_and_the_next_one_follows_when_it_resigns(
    backend: Backend,
) -> None:
    async def scenario(store: Store, at: str) -> None:
        loop = asyncio.get_running_loop()
        first = await candidate(store, at, this_process("a")).campaign()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(first.run())
            waiting = group.create_task(candidate(store, at, ELSEWHERE).campaign())
            await asyncio.sleep(first.lease.ttl_seconds * 1.5)
            assert first.is_valid(loop.time())
            assert not waiting.done()
            await first.resign()
            async with asyncio.timeout(ANSWER_SECONDS):
                second = await waiting
                await running
        assert second.epoch > first.epoch
        assert not first.is_valid(loop.time())
        with pytest.raises(errors.Fenced):
            await store.commit(Transaction(writes=(Put(at + "a", b""),), fence=first.fence))
        await store.commit(Transaction(writes=(Put(at + "a", b""),), fence=second.fence))
        await second.resign()

    backend.run(scenario)


def test_leader_on_another_host_is_replaced_only_after_its_time_is_over(
    backend: Backend,
) -> None:
    async def scenario(store: Store, at: str) -> None:
        loop = asyncio.get_running_loop()
        gone = await candidate(store, at, ELSEWHERE).campaign()  # nobody keeps its lease alive
        election = Election(store, at + "leader", this_process("a"), ttl_seconds=2, is_running=dead)
        async with asyncio.timeout(ANSWER_SECONDS):
            leadership = await election.campaign()
        assert loop.time() > gone.lease.deadline()
        assert leadership.epoch > gone.epoch
        await leadership.resign()

    backend.run(scenario)


def test_leader_killed_on_this_host_is_replaced_at_once(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        loop = asyncio.get_running_loop()
        me = this_process("a")
        killed = await candidate(store, at, replace(me, pid=2**22 + 1), ttl_seconds=60).campaign()
        began = loop.time()
        leadership = await candidate(store, at, me).campaign()
        assert loop.time() - began < 5
        assert leadership.epoch > killed.epoch
        await leadership.resign()
        await killed.resign()

    backend.run(scenario)


def test_leader_whose_key_was_removed_notices(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        leadership = await candidate(store, at, this_process("a"), ttl_seconds=60).campaign()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(leadership.run())
            await store.commit(Transaction(writes=(Delete(at + "leader"),)))
            async with asyncio.timeout(ANSWER_SECONDS):
                await running
        assert leadership.lost.is_set()
        assert not leadership.is_valid(asyncio.get_running_loop().time())
        await leadership.resign()

    backend.run(scenario)


def test_of_many_candidates_one_leads(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        holders = [this_process(str(number)) for number in range(5)]
        async with asyncio.TaskGroup() as group:
            tasks = {
                group.create_task(candidate(store, at, each, ttl_seconds=60).campaign())
                for each in holders
            }
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0.5)
            assert len(done) == 1
            assert not any(task.done() for task in waiting)
            for task in waiting:
                task.cancel()
        (winner,) = done
        await winner.result().resign()

    backend.run(scenario)


@pytest.mark.parametrize(
    ("change", "running", "expected"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"boot_id": "another"}, False, False),
        ({"pid_namespace": "pid:[2]"}, False, False),
    ],
    ids=["seen_dead", "seen_alive", "another_kernel", "another_container"],
)
def test_only_a_process_seen_to_be_gone_is_known_dead(
    change: dict[str, str], running: bool, expected: bool
) -> None:
    holder = Holder(**({"name": "b", "pid": 7, "start_ticks": 7} | HERE | change))  # type: ignore[arg-type]
    me = replace(ELSEWHERE, **HERE)
    assert is_known_dead(holder, seen_by=me, is_running=lambda _: running) is expected


HERE = {"boot_id": "this", "pid_namespace": "pid:[1]"}


def test_leader_key_with_foreign_content_is_reported(backend: Backend) -> None:
    async def scenario(store: Store, at: str) -> None:
        await write_as(store, at, b"someone")
        with pytest.raises(errors.OrcaError, match=f"{at}leader"):
            await candidate(store, at, ELSEWHERE).leader()
        await write_as(store, at, HOLDER.encode(ELSEWHERE))
        assert await candidate(store, at, ELSEWHERE).leader() == ELSEWHERE

    backend.run(scenario)
