"""Moves that do not fit into one transaction, and who was quicker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from orca.errors import Conflict
from orca.master.move import TRIES_MAX, Done, Move, MoveCommitter
from orca.master.office import Office
from orca.master.publication import Edition, Publication
from orca.master.records import Records
from orca.model.event import Event
from orca.model.ids import Epoch, RevisionNumber, ServiceId
from orca.model.service import Rollout, RolloutPhase, Service
from orca.model.snapshot import Snapshot
from orca.store.base import Condition, Write
from orca.store.batches import OPS_MAX
from orca.store.keys import Keys
from orca.store.memory import MemoryStore

SERVICES = [ServiceId("shop", f"s{number:02d}") for number in range(OPS_MAX)]
"""Two writes each: twice what one transaction takes."""

Happening = Callable[["Rival"], None]


class Rival(Office):
    """An office in which somebody may be quicker, just before each write."""

    def __init__(self, *happenings: Happening | None) -> None:
        super().__init__(MemoryStore(), Publication())
        self.happenings = list(happenings)
        self.written: list[int] = []
        services = {id: service(id) for id in SERVICES}
        self.show(services, versions=dict.fromkeys(SERVICES, 7))

    def show(self, services: dict[ServiceId, Service], versions: dict[ServiceId, int]) -> None:
        number = self.publication.latest.number + 1
        snapshot = Snapshot(epoch=Epoch(1), services=services)
        edition = Edition(
            number=number,
            revision=number,
            at=0.0,
            settled=True,
            snapshot=snapshot,
            versions=versions,
        )
        self.publication.publish(edition)

    async def write(
        self,
        conditions: tuple[Condition, ...],
        writes: tuple[Write, ...],
        *,
        events: tuple[Event, ...] = (),
    ) -> Edition:
        if self.happenings and (happening := self.happenings.pop(0)):
            happening(self)
            raise Conflict("somebody was quicker")
        self.written.append(len(events))
        return self.publication.latest


def service(id: ServiceId) -> Service:
    return Service(
        id=id,
        revision=RevisionNumber(1),
        version=1,
        rollout=Rollout(id="r", started_at=0.0, phase=RolloutPhase.COMPLETE),
    )


def leader_writes(office: Rival) -> None:
    """The record is newer, and nothing of what users decide has changed."""
    latest = office.publication.latest
    office.show(dict(latest.snapshot.services), versions={**latest.versions, SERVICES[-1]: 8})


def user_writes(office: Rival) -> None:
    latest = office.publication.latest
    services, versions = dict(latest.snapshot.services), dict(latest.versions)
    for id in (SERVICES[0], SERVICES[-1]):
        services[id], versions[id] = replace(services[id], version=2), 8
    office.show(services, versions)


def stop_all(office: Rival, seen: list[int]) -> Callable[[Done], Awaitable[int]]:
    """A verb that moves what has not been moved."""
    committer = MoveCommitter(office, Records(Keys("test")))

    async def verb(done: Done) -> int:
        edition = office.edition()
        left = [id for id in SERVICES if id not in {move.service.id for move in done}]
        seen.append(len(left))
        services = edition.snapshot.services
        moves = [Move(service=services[i], before=services[i], kind="stop", by="me") for i in left]
        await committer.commit(moves, edition, done)
        return len(done)

    return verb


def committer_of(office: Rival) -> MoveCommitter:
    return MoveCommitter(office, Records(Keys("test")))


async def test_many_moves_are_written_in_as_few_transactions_as_possible() -> None:
    office = Rival()
    assert await committer_of(office).until_done(stop_all(office, [])) == OPS_MAX
    assert office.written == [OPS_MAX // 2, OPS_MAX // 2]


async def test_leader_that_was_quicker_is_not_noticed_and_nothing_is_written_twice() -> None:
    office, seen = Rival(None, leader_writes), list[int]()
    assert await committer_of(office).until_done(stop_all(office, seen)) == OPS_MAX
    assert seen == [OPS_MAX, OPS_MAX // 2]
    assert office.written == [OPS_MAX // 2, OPS_MAX // 2]


async def test_user_who_was_quicker_is_a_conflict() -> None:
    office = Rival(user_writes)
    with pytest.raises(Conflict, match="somebody was quicker; nothing was written"):
        await committer_of(office).until_done(stop_all(office, []))


async def test_conflict_in_a_later_transaction_names_what_was_written_before() -> None:
    office = Rival(None, user_writes)
    with pytest.raises(Conflict, match="written before that: shop/s00, shop/s01") as raised:
        await committer_of(office).until_done(stop_all(office, []))
    assert str(SERVICES[-1]) not in raised.value.message


async def test_leader_that_is_always_quicker_is_a_conflict_in_the_end() -> None:
    rounds = iter(range(100))

    def writes_again(office: Rival) -> None:
        latest = office.publication.latest
        versions = {**latest.versions, SERVICES[0]: 8 + next(rounds)}
        office.show(dict(latest.snapshot.services), versions=versions)

    office, seen = Rival(*[writes_again] * 20), list[int]()
    with pytest.raises(Conflict, match="somebody was quicker"):
        await committer_of(office).until_done(stop_all(office, seen))
    assert len(seen) == TRIES_MAX
