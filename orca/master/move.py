"""A move, a service's record replaced by another, and how moves are committed.

Users and the leader write the same records. What a user decides wins over the leader's bookkeeping: a verb
that only the leader overtook is tried again on the newest edition, and another user's change is a conflict.

A transaction has a limit, so many moves are several transactions. What is written is written: a verb that
is tried again goes on with the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from orca.client import schema
from orca.errors import Conflict
from orca.master import changes
from orca.master.office import Office
from orca.master.publication import Edition
from orca.master.records import Records, StoredDeployment
from orca.model.event import Event
from orca.model.ids import ServiceId
from orca.model.service import Revision, Service
from orca.store import batches
from orca.store.base import Condition, Delete, KeyAbsent, ModRevisionIs, Write

T = TypeVar("T")

TRIES_MAX = 6
"""So often the leader may be quicker than a user before he hears of it."""
OVERTAKEN_SECONDS_MAX = 5.0
HISTORY_MAX = 20
"""Deployments and revisions kept per service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One service's new record, the one it replaces, and who moves it how.

    `action` is what the user is told, where that is not `kind`.
    """

    service: Service
    before: Service | None
    kind: str
    by: str
    revision: Revision | None = None
    action: str = ""

    def accepted(self) -> schema.Accepted:
        """What the user is told."""
        return schema.Accepted(
            service=str(self.service.id),
            action=self.action or self.kind,
            revision=self.service.revision,
            rollout=self.service.rollout.id,
        )


Done = list[Move]
"""What a verb has written so far."""


class Overtaken(Exception):
    """Only the leader has written meanwhile, nothing of what users decide: to be tried again."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(conflict.message)
        self.conflict = conflict


class MoveCommitter:
    """Writes moves with their revisions and lines of history."""

    def __init__(self, office: Office, records: Records) -> None:
        self._office = office
        self._records = records

    async def until_done(self, verb: Callable[[Done], Awaitable[T]]) -> T:
        """Do what a user wants, once more wherever only the leader was quicker.

        The verb hands `commit` the list it is given, and leaves out what that holds already.
        """
        done: Done = []
        tries = 0
        while True:
            try:
                return await verb(done)
            except Overtaken as overtaken:
                tries += 1
                if tries == TRIES_MAX:
                    raise overtaken.conflict from overtaken

    async def commit(self, moves: Sequence[Move], edition: Edition, done: Done) -> None:
        """Write the moves, all of them in one transaction if they fit, and add them to `done`.

        Raises `Conflict`; `Overtaken` where no user has changed any of it.
        """
        writes = {move.service.id: tuple(self._writes(move, edition)) for move in moves}
        for group in batches.groups(moves, lambda move: writes[move.service.id]):
            try:
                await self._office.write(
                    tuple(self._unchanged(move, edition) for move in group),
                    tuple(write for move in group for write in writes[move.service.id]),
                    events=tuple(_event(move) for move in group),
                )
            except Conflict as error:
                conflict = _with_what_was_written(error, done)
                if await self._is_overtaken(group, edition):
                    raise Overtaken(conflict) from error
                raise conflict from error
            done += group

    async def _is_overtaken(self, moves: Sequence[Move], edition: Edition) -> bool:
        """Whether the newer edition differs in nothing that users decide."""
        ids = [move.service.id for move in moves]
        publication = self._office.publication
        try:
            async with asyncio.timeout(OVERTAKEN_SECONDS_MAX):
                while _stored(publication.latest, ids) == _stored(edition, ids):
                    await publication.next()
        except TimeoutError:
            return False
        return _decided(publication.latest, ids) == _decided(edition, ids)

    def _unchanged(self, move: Move, edition: Edition) -> Condition:
        key = self._records.service_key(move.service.id)
        version = edition.versions.get(move.service.id, 0)
        return ModRevisionIs(key, version) if version else KeyAbsent(key)

    def _writes(self, move: Move, edition: Edition) -> Iterable[Write]:
        history = edition.deployments.get(move.service.id, ())
        line = changes.deployment(move.service, move.before, kind=move.kind, by=move.by)
        sequence = history[-1].sequence + 1 if history else 1
        version = move.before.version + 1 if move.before else 1
        yield self._records.put(replace(move.service, version=version))
        yield self._records.put(StoredDeployment(sequence=sequence, deployment=line))
        if len(history) >= HISTORY_MAX:
            yield Delete(self._records.key(history[0]))
        if move.revision is not None:
            yield self._records.put(move.revision)
            if old := _oldest_unneeded(edition, move.service):
                yield Delete(self._records.key(old))


def _with_what_was_written(error: Conflict, done: Done) -> Conflict:
    if not done:
        return Conflict(f"{error.message}; nothing was written", hint=error.hint)
    names = ", ".join(str(move.service.id) for move in done)
    return Conflict(f"{error.message}; written before that: {names}", hint=error.hint)


def _stored(edition: Edition, ids: Iterable[ServiceId]) -> list[int]:
    return [edition.versions.get(id, 0) for id in ids]


def _decided(edition: Edition, ids: Iterable[ServiceId]) -> list[int]:
    services = edition.snapshot.services
    return [services[id].version if id in services else 0 for id in ids]


def _oldest_unneeded(edition: Edition, service: Service) -> Revision | None:
    revisions = edition.snapshot.revisions
    own = sorted(
        (r for (id, _), r in revisions.items() if id == service.id), key=lambda r: r.number
    )
    running = {r.revision for r in edition.snapshot.replicas.values() if r.service == service.id}
    needed = {service.revision, service.stable} | running
    spare = [r for r in own if r.number not in needed]
    return spare[0] if len(own) >= HISTORY_MAX and spare else None


def _event(move: Move) -> Event:
    service = move.service
    return Event(
        at=service.rollout.started_at,
        kind=f"service.{move.kind}",
        message=f"{move.by}: {move.kind} {service.id}, revision {service.revision}, "
        f"{0 if service.stopped else service.replicas} replicas",
        service=service.id,
        rollout=service.rollout.id,
        trace=service.rollout.trace,
    )
