"""The journal: numbers never repeat, and nothing noted is lost between terms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from orca.errors import Fenced, StoreUnavailable
from orca.master.journal import Journal
from orca.master.publication import Publication
from orca.master.records import Records
from orca.model.event import Event
from orca.store.base import Fence, Put, Transaction
from orca.store.keys import Keys
from orca.store.memory import MemoryServer, MemoryStore
from orca.testing import virtual_time

LEADER = "/leader"


def event(text: str) -> Event:
    return Event(at=1.0, kind="test", message=text)


class World:
    """Two masters on one store; `lead` makes one of them the leader."""

    def __init__(self) -> None:
        self.server = MemoryServer()
        self.stores = [MemoryStore(self.server), MemoryStore(self.server)]
        records = Records(Keys("test"))
        self.journals = [Journal(store, records, Publication()) for store in self.stores]

    async def lead(self) -> Fence:
        put = Transaction(writes=(Put(LEADER, b"somebody"),))
        if self.server.get(LEADER) is None:
            return Fence(LEADER, (await self.stores[0].commit(put)).revision)
        return Fence(LEADER, self.server.get(LEADER).create_revision)  # type: ignore[union-attr]

    def texts(self, master: int = 0) -> list[tuple[int, str]]:
        return [(e.sequence, e.event.message) for e in self.journals[master].read(after=0)]


def play(script: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(World())

    virtual_time.run(main())


def fail_with(store: MemoryStore, *, when: str) -> None:
    async def strike(name: str) -> None:
        if name == when:
            raise StoreUnavailable("gone")

    store.faults = strike


def test_events_are_numbered_on_from_what_earlier_leaders_wrote() -> None:
    async def script(world: World) -> None:
        first, second = world.journals
        fence = await world.lead()
        first.append([event("a"), event("b")])
        await first.flush(fence)
        await second.load()
        second.append([event("c")])
        assert world.texts(1) == [(1, "a"), (2, "b"), (3, "c")]

    play(script)


def test_event_that_could_not_be_stored_in_one_term_gets_a_free_number_in_the_next() -> None:
    async def script(world: World) -> None:
        first, second = world.journals
        fence = await world.lead()
        first.append([event("mine")])
        fail_with(world.stores[0], when="commit")
        await first.flush(fence)
        second.append([event("theirs")])
        await second.flush(fence)
        world.stores[0].faults = None
        await first.load()
        first.append([event("later")])
        await first.flush(fence)
        assert world.texts() == [(1, "theirs"), (2, "mine"), (3, "later")]
        await second.load()
        assert world.texts(1) == world.texts()

    play(script)


def test_event_whose_acknowledgement_was_lost_is_not_told_twice() -> None:
    async def script(world: World) -> None:
        [first, _] = world.journals
        fence = await world.lead()
        first.append([event("once")])
        fail_with(world.stores[0], when="commit.reply")
        await first.flush(fence)
        world.stores[0].faults = None
        await first.load()
        await first.flush(fence)
        assert world.texts() == [(1, "once")]

    play(script)


def test_deposed_leader_stores_no_events() -> None:
    async def script(world: World) -> None:
        fence = await world.lead()
        world.journals[0].append([event("late")])
        with pytest.raises(Fenced):
            await world.journals[0].flush(Fence(LEADER, fence.create_revision - 1))

    play(script)


def test_follower_hears_of_events_as_they_are_noted() -> None:
    async def script(world: World) -> None:
        journal = world.journals[0]
        journal.append([event("a")])
        following = journal.follow(after=0)
        first = await asyncio.wait_for(anext(following), 1.0)
        assert first.event.message == "a"

    play(script)
