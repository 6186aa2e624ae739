"""Moves: a service's record replaced by another, with its line of history, in one transaction.

Deploy, rollback, restart, scale, stop, start and remove are all moves; the leader's loop does the rest.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from orca.client import schema
from orca.errors import Conflict, NotFound, UserError
from orca.master import changes
from orca.master.changes import Origin
from orca.master.control import Principal
from orca.master.naming import find_project, find_service
from orca.master.office import Office
from orca.master.publication import Edition
from orca.master.records import Records, StoredDeployment
from orca.model.event import Event
from orca.model.ids import NO_REVISION, RevisionNumber, ServiceId
from orca.model.service import Revision, RolloutPhase, Service
from orca.store.base import Condition, Delete, KeyAbsent, ModRevisionIs, Write

T = TypeVar("T")

RETRIES_MAX = 5
"""How often the leader may be quicker than a user before he hears of it."""
OVERTAKEN_SECONDS_MAX = 5.0
HISTORY_MAX = 20
"""Deployments and revisions kept per service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One service's new record, the one it replaces, and who moves it how."""

    service: Service
    before: Service | None
    kind: str
    by: str
    revision: Revision | None = None

    def accepted(self, action: str = "") -> schema.Accepted:
        """What the user is told."""
        return schema.Accepted(
            service=str(self.service.id),
            action=action or self.kind,
            revision=self.service.revision,
            rollout=self.service.rollout.id,
        )


class Overtaken(Conflict):
    """Only the leader has written meanwhile, nothing of what users decide: to be tried again."""


class Mover:
    """Makes and commits moves."""

    def __init__(
        self,
        office: Office,
        records: Records,
        *,
        clock: Callable[[], float],
        chance: random.Random,
    ) -> None:
        self._office = office
        self._records = records
        self._clock = clock
        self._chance = chance

    # --- verbs ---

    async def scale(self, name: str, replicas: int, by: Principal) -> schema.Accepted:
        """Another number of replicas of what runs now."""
        return await self.again(lambda: self._scale(name, replicas, by))

    async def _scale(self, name: str, replicas: int, by: Principal) -> schema.Accepted:
        edition, service = self._find(name)
        if service.stopped:
            raise UserError(f"{service.id} is stopped", hint=f"start it first: orca start {name}")
        if service.replicas == replicas:
            return schema.Accepted(
                service=str(service.id), action="unchanged", revision=service.revision
            )
        _refuse_twins(edition, service, replicas)
        after = changes.scaled_to(service, replicas, self.origin(by))
        return await self._one(after, service, edition, kind="scale", by=by)

    async def restart(self, name: str, by: Principal) -> schema.Accepted:
        """A rollout to the revision that runs now."""
        return await self.again(lambda: self._restart(name, by))

    async def _restart(self, name: str, by: Principal) -> schema.Accepted:
        edition, service = self._find(name)
        aim = changes.settled(service)
        after = changes.retargeted(service, aim.revision, self.origin(by))
        after = replace(after, stopped=False)
        return await self._one(after, service, edition, kind="restart", by=by)

    async def rollback(self, name: str, to: int, by: Principal) -> schema.Accepted:
        """A rollout to an earlier revision."""
        return await self.again(lambda: self._rollback(name, to, by))

    async def _rollback(self, name: str, to: int, by: Principal) -> schema.Accepted:
        edition, service = self._find(name)
        number = _rollback_target(edition, service, to)
        unfinished = service.rollout.phase is not RolloutPhase.COMPLETE
        if unfinished and number == service.stable and not service.stopped:
            after = changes.abandoned(service, self.origin(by))
        else:
            after = changes.retargeted(service, number, self.origin(by))
        after = replace(after, stopped=False)
        return await self._one(after, service, edition, kind="rollback", by=by)

    async def stop(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        """Stop services; an empty selection is all of them."""
        return await self.again(lambda: self._stop(names, by))

    async def _stop(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        edition = self._office.edition()
        chosen = [s for s in _select(edition, names) if not s.removed]
        moves = [self._stopped(s, by, kind="stop") for s in chosen if not s.stopped]
        return await self._many(moves, edition, idle=[s for s in chosen if s.stopped])

    async def start(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        """Start stopped services."""
        return await self.again(lambda: self._start(names, by))

    async def _start(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        edition = self._office.edition()
        chosen = [s for s in _select(edition, names) if not s.removed]
        moves = [self._started(s, by) for s in chosen if s.stopped]
        return await self._many(moves, edition, idle=[s for s in chosen if not s.stopped])

    async def remove(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        """Stop services and forget them."""
        return await self.again(lambda: self._remove(names, by))

    async def _remove(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        edition = self._office.edition()
        if not names:
            raise UserError("no service was named")
        chosen = _select(edition, names)
        _refuse_needed(edition, {s.id for s in chosen})
        return await self._many(
            [self._stopped(s, by, kind="remove") for s in chosen], edition, idle=[]
        )

    async def remove_project(self, project: str, by: Principal) -> schema.DeployResponse:
        """Remove all services of a project."""
        services = self._office.edition().snapshot.services
        find_project(services, project)
        return await self.remove([str(id) for id in services if id.project == project], by)

    # --- making ---

    def _find(self, name: str) -> tuple[Edition, Service]:
        edition = self._office.edition()
        service = edition.snapshot.services[find_service(edition.snapshot.services, name)]
        if service.removed:
            raise NotFound(f"{service.id} is being removed")
        return edition, service

    def origin(self, by: Principal, *, trace: str = "") -> Origin:
        """Who asks, now, under a name that no other rollout has."""
        return Origin(rollout=self._name(), by=by.name, at=self._clock(), trace=trace)

    def own_rollout(self, origin: Origin) -> Origin:
        """The same for one more service."""
        return replace(origin, rollout=self._name())

    def _name(self) -> str:
        return f"{self._chance.getrandbits(48):012x}"

    def _stopped(self, service: Service, by: Principal, *, kind: str) -> Move:
        after = replace(
            changes.settled(service),
            stopped=True,
            removed=kind == "remove",
            rollout=changes.begin(self.origin(by)),
        )
        return Move(service=after, before=service, kind=kind, by=by.name)

    def _started(self, service: Service, by: Principal) -> Move:
        after = changes.retargeted(service, service.revision, self.origin(by))
        return Move(service=replace(after, stopped=False), before=service, kind="start", by=by.name)

    async def _one(
        self, after: Service, before: Service, edition: Edition, *, kind: str, by: Principal
    ) -> schema.Accepted:
        move = Move(service=after, before=before, kind=kind, by=by.name)
        await self.commit([move], edition)
        return move.accepted()

    async def _many(
        self, moves: list[Move], edition: Edition, *, idle: Iterable[Service]
    ) -> schema.DeployResponse:
        await self.commit(moves, edition)
        return schema.DeployResponse(
            deployed=tuple(move.accepted() for move in moves),
            unchanged=tuple(str(service.id) for service in idle),
        )

    # --- committing ---

    async def again(self, verb: Callable[[], Awaitable[T]]) -> T:
        """Do what a user wants, once more wherever only the leader was quicker."""
        for _ in range(RETRIES_MAX):
            try:
                return await verb()
            except Overtaken:
                continue
        return await verb()

    async def commit(self, moves: Sequence[Move], edition: Edition) -> Edition:
        """Write services, revisions and history in one transaction.

        Raises `Conflict`; `Overtaken` where no user has changed any of it.
        """
        if not moves:
            return edition
        conditions = tuple(self._unchanged(move, edition) for move in moves)
        writes = tuple(write for move in moves for write in self._writes(move, edition))
        events = tuple(_event(move) for move in moves)
        try:
            return await self._office.write(conditions, writes, events=events)
        except Conflict as error:
            if await self._is_overtaken(moves, edition):
                raise Overtaken(error.message, hint=error.hint) from error
            raise

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


def _select(edition: Edition, names: Sequence[str]) -> list[Service]:
    services = edition.snapshot.services
    ids = [find_service(services, name) for name in names] if names else list(services)
    return [services[id] for id in dict.fromkeys(ids)]


def _refuse_needed(edition: Edition, going: set[ServiceId]) -> None:
    """A service others depend on goes with them or not at all."""
    for id, service in edition.snapshot.services.items():
        if id in going or service.removed:
            continue
        revision = edition.snapshot.revisions.get((id, service.revision))
        needed = sorted(str(d) for d in revision.spec.depends_on if d in going) if revision else []
        if needed:
            raise Conflict(
                f"{id} depends on {', '.join(needed)}",
                hint=f"remove {id} too, or take the dependency out of its service.toml first",
            )


def _refuse_twins(edition: Edition, service: Service, replicas: int) -> None:
    revision = edition.snapshot.revisions[service.id, service.revision]
    if replicas > 1 and revision.spec.container.ports:
        raise UserError(
            f"{service.id} publishes a fixed host port; a second replica could not bind it",
            hint="route by domain instead of host_port or extra_ports, then scale",
        )


def _rollback_target(edition: Edition, service: Service, to: int) -> RevisionNumber:
    revisions = edition.snapshot.revisions
    own = sorted(number for id, number in revisions if id == service.id)
    serving = changes.settled(service).revision
    if to:
        if RevisionNumber(to) not in own:
            known = ", ".join(map(str, own))
            raise NotFound(f"{service.id} has no revision {to}", hint=f"it has {known}")
        if to == serving and service.rollout.phase is RolloutPhase.COMPLETE:
            raise UserError(f"{service.id} already runs revision {to}")
        return RevisionNumber(to)
    good = _good_revisions(edition, service.id)
    earlier = [n for n in own if n in good and n < service.revision]
    if service.rollout.phase is not RolloutPhase.COMPLETE and service.stable != NO_REVISION:
        return service.stable
    if not earlier:
        raise UserError(
            f"{service.id} has no earlier revision that was good",
            hint=f"`orca history {service.id}` lists them; choose one with --to",
        )
    return RevisionNumber(earlier[-1])


def _good_revisions(edition: Edition, id: ServiceId) -> set[RevisionNumber]:
    """Revisions whose rollout once completed."""
    lines = (item.deployment for item in edition.deployments.get(id, ()))
    return {line.to_revision for line in lines if line.outcome == RolloutPhase.COMPLETE.value}
