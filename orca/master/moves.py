"""The verbs of users: rollback, restart, scale, stop, start and remove are all moves, as a deploy is.

A verb changes records (`move.py`); the leader's loop does the rest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from orca.client import schema
from orca.errors import Conflict, NotFound, UserError
from orca.master import changes
from orca.master.changes import Origin
from orca.master.control import Principal
from orca.master.move import Done, Move, MoveCommitter
from orca.master.naming import find_project, find_service
from orca.master.office import Office
from orca.master.publication import Edition
from orca.model.ids import NO_REVISION, RevisionNumber, ServiceId
from orca.model.service import RolloutPhase, Service


class Mover:
    """Makes moves and has them committed."""

    def __init__(
        self,
        office: Office,
        committer: MoveCommitter,
        *,
        clock: Callable[[], float],
        chance: random.Random,
    ) -> None:
        self._office = office
        self._committer = committer
        self._clock = clock
        self._chance = chance

    # --- verbs on one service ---

    async def scale(self, name: str, replicas: int, by: Principal) -> schema.Accepted:
        """Another number of replicas of what runs now."""

        def scaled(edition: Edition, service: Service) -> Service | None:
            if service.stopped:
                hint = f"start it first: orca start {name}"
                raise UserError(f"{service.id} is stopped", hint=hint)
            if service.replicas == replicas:
                return None
            _refuse_twins(edition, service, replicas)
            return changes.scaled_to(service, replicas, self.origin(by))

        return await self._one(name, scaled, kind="scale", by=by)

    async def restart(self, name: str, by: Principal) -> schema.Accepted:
        """A rollout to the revision that runs now."""

        def restarted(_: Edition, service: Service) -> Service:
            aim = changes.settled(service)
            after = changes.retargeted(service, aim.revision, self.origin(by))
            return replace(after, stopped=False)

        return await self._one(name, restarted, kind="restart", by=by)

    async def rollback(self, name: str, to: int, by: Principal) -> schema.Accepted:
        """A rollout to an earlier revision."""

        def rolled_back(edition: Edition, service: Service) -> Service:
            number = _rollback_target(edition, service, to)
            unfinished = service.rollout.phase is not RolloutPhase.COMPLETE
            if unfinished and number == service.stable and not service.stopped:
                after = changes.abandoned(service, self.origin(by))
            else:
                after = changes.retargeted(service, number, self.origin(by))
            return replace(after, stopped=False)

        return await self._one(name, rolled_back, kind="rollback", by=by)

    # --- verbs on many ---

    async def stop(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        """Stop services; an empty selection is all of them."""

        def stopped(service: Service) -> Move | None:
            return None if service.stopped else self._stopped(service, by, kind="stop")

        return await self._many(self._present(names), stopped)

    async def start(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        """Start stopped services."""

        def started(service: Service) -> Move | None:
            return self._started(service, by) if service.stopped else None

        return await self._many(self._present(names), started)

    async def remove(self, names: Sequence[str], by: Principal) -> schema.DeployResponse:
        """Stop services and forget them."""
        edition = self._office.edition()
        if not names:
            raise UserError("no service was named")
        chosen = [service.id for service in _select(edition, names)]
        _refuse_needed(edition, set(chosen))
        return await self._many(chosen, lambda s: self._stopped(s, by, kind="remove"))

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

    def _present(self, names: Sequence[str]) -> list[ServiceId]:
        chosen = _select(self._office.edition(), names)
        return [service.id for service in chosen if not service.removed]

    async def _one(
        self,
        name: str,
        change: Callable[[Edition, Service], Service | None],
        *,
        kind: str,
        by: Principal,
    ) -> schema.Accepted:
        """Change the service of this name; None where it is as wanted already."""

        async def verb(done: Done) -> schema.Accepted:
            edition, service = self._find(name)
            after = change(edition, service)
            if after is None:
                return schema.Accepted(
                    service=str(service.id), action="unchanged", revision=service.revision
                )
            move = Move(service=after, before=service, kind=kind, by=by.name)
            await self._committer.commit([move], edition, done)
            return move.accepted()

        return await self._committer.until_done(verb)

    async def _many(
        self, ids: Sequence[ServiceId], change: Callable[[Service], Move | None]
    ) -> schema.DeployResponse:
        """Change these services; None for what is as wanted already."""

        async def verb(done: Done) -> schema.DeployResponse:
            edition = self._office.edition()
            services = edition.snapshot.services
            left = [id for id in ids if id not in {move.service.id for move in done}]
            moves = {id: change(services[id]) for id in left if id in services}
            await self._committer.commit([m for m in moves.values() if m], edition, done)
            return schema.DeployResponse(
                deployed=tuple(move.accepted() for move in done),
                unchanged=tuple(str(id) for id, move in moves.items() if move is None),
            )

        return await self._committer.until_done(verb)


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
