"""What a deploy changes: the comparison of what is asked for with what is, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any

from orca.client.schema import Change
from orca.model.digest import spec_hash
from orca.model.event import Deployment
from orca.model.ids import NO_REVISION, RevisionNumber, ServiceId
from orca.model.service import Revision, RevisionSpec, Rollout, RolloutPhase, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One service as the user wants it, resolved."""

    id: ServiceId
    spec: RevisionSpec
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asks, when, and under which names."""

    rollout: str
    by: str
    at: float
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a wish does: the records as they will be. `service` is None when nothing changes."""

    id: ServiceId
    action: str
    revision: RevisionNumber
    service: Service | None = None
    new_revision: Revision | None = None
    changes: tuple[Change, ...] = ()
    replicas_before: int = 0
    replicas_after: int = 0


def compare(
    wish: Wish,
    *,
    service: Service | None,
    revisions: Mapping[RevisionNumber, Revision],
    origin: Origin,
) -> Outcome:
    """What granting a wish means for a service that may or may not exist."""
    if service is None or service.removed:
        return _create(wish, service, revisions, origin)
    current = revisions[service.revision]
    same_spec = current.spec_hash == spec_hash(wish.spec)
    changes = [*differences(current.spec, wish.spec)] if not same_spec else []
    changes += _state_changes(wish, service)
    failed = service.rollout.phase is RolloutPhase.FAILED
    if same_spec and not changes and not failed:
        return Outcome(
            id=wish.id,
            action="unchanged",
            revision=service.revision,
            replicas_before=service.replicas,
            replicas_after=service.replicas,
        )
    if same_spec and not failed and not service.stopped:
        return _scale(wish, service, changes, origin)
    return _update(wish, service, revisions, changes=changes, same_spec=same_spec, origin=origin)


def _create(
    wish: Wish,
    before: Service | None,
    revisions: Mapping[RevisionNumber, Revision],
    origin: Origin,
) -> Outcome:
    revision = _revision(wish, revisions, origin)
    generation = before.last_generation + 1 if before else 1
    service = Service(
        id=wish.id,
        revision=revision.number,
        generation=generation,
        last_generation=generation,
        replicas=wish.replicas,
        rollout=begin(origin),
    )
    return Outcome(
        id=wish.id,
        action="create",
        revision=revision.number,
        service=service,
        new_revision=revision,
        replicas_after=wish.replicas,
    )


def _state_changes(wish: Wish, service: Service) -> list[Change]:
    found = []
    if service.replicas != wish.replicas:
        found.append(
            Change(field="replicas", before=str(service.replicas), after=str(wish.replicas))
        )
    if service.stopped:
        found.append(Change(field="state", before="stopped", after="running"))
    return found


def _scale(wish: Wish, service: Service, changes: list[Change], origin: Origin) -> Outcome:
    scaled = scaled_to(service, wish.replicas, origin)
    return Outcome(
        id=wish.id,
        action="scale",
        revision=service.revision,
        service=scaled,
        changes=tuple(changes),
        replicas_before=service.replicas,
        replicas_after=wish.replicas,
    )


def _update(
    wish: Wish,
    service: Service,
    revisions: Mapping[RevisionNumber, Revision],
    *,
    changes: list[Change],
    same_spec: bool,
    origin: Origin,
) -> Outcome:
    new = None if same_spec else _revision(wish, revisions, origin)
    number = new.number if new else service.revision
    moved = retargeted(service, number, origin)
    moved = replace(moved, replicas=wish.replicas, stopped=False)
    return Outcome(
        id=wish.id,
        action="retry" if same_spec and not service.stopped else "update",
        revision=number,
        service=moved,
        new_revision=new,
        changes=tuple(changes),
        replicas_before=0 if service.stopped else service.replicas,
        replicas_after=wish.replicas,
    )


def _revision(wish: Wish, revisions: Mapping[RevisionNumber, Revision], origin: Origin) -> Revision:
    number = RevisionNumber(max(revisions, default=NO_REVISION) + 1)
    return Revision(
        service=wish.id,
        number=number,
        spec=wish.spec,
        spec_hash=spec_hash(wish.spec),
        created_at=origin.at,
        created_by=origin.by,
        trace=origin.trace,
    )


# --- moves of a service that other operations make too -----------------------------------------------


def begin(origin: Origin) -> Rollout:
    """A rollout that has just begun."""
    return Rollout(
        id=origin.rollout, started_at=origin.at, progressed_at=origin.at, trace=origin.trace
    )


def retargeted(service: Service, revision: RevisionNumber, origin: Origin) -> Service:
    """The service on its way to a revision, which may be the one it has: a new generation."""
    generation = service.last_generation + 1
    return replace(
        service,
        revision=revision,
        generation=generation,
        last_generation=generation,
        rollout=begin(origin),
    )


def abandoned(service: Service, origin: Origin) -> Service:
    """The service back at its stable version, whose replicas stay: what a rollout began is undone."""
    return replace(
        service,
        revision=service.stable,
        generation=service.stable_generation,
        rollout=begin(origin),
    )


def scaled_to(service: Service, replicas: int, origin: Origin) -> Service:
    """The service with another number of replicas of what runs now."""
    return replace(settled(service), replicas=replicas, rollout=begin(origin))


def settled(service: Service) -> Service:
    """The service aiming at what really serves: after a failed rollout that is the stable revision."""
    if service.rollout.phase is not RolloutPhase.FAILED or not service.stable_generation:
        return service
    return replace(service, revision=service.stable, generation=service.stable_generation)


def deployment(service: Service, before: Service | None, *, kind: str, by: str) -> Deployment:
    """The line of history for a service that has just been moved."""
    return Deployment(
        id=service.rollout.id,
        service=service.id,
        kind=kind,
        from_revision=settled(before).revision if before else NO_REVISION,
        to_revision=service.revision,
        at=service.rollout.started_at,
        by=by,
    )


# --- differences ----------------------------------------------------------------------------------------


def differences(before: RevisionSpec, after: RevisionSpec) -> Iterator[Change]:
    """Every field that differs, by dotted path; values as text. Secrets are only ever references."""
    left, right = _flat(before), _flat(after)
    for path in sorted(left.keys() | right.keys()):
        if left.get(path) != right.get(path):
            yield Change(field=path, before=left.get(path, ""), after=right.get(path, ""))


def _flat(value: Any, path: str = "") -> dict[str, str]:
    if is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, ServiceId):
            return {path: str(value)}
        items = [(field.name, getattr(value, field.name)) for field in fields(value)]
    elif isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {path: _text(value)}
    found: dict[str, str] = {}
    for name, item in items:
        found |= _flat(item, f"{path}.{name}" if path else str(name))
    return found


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    if isinstance(value, Enum):
        return str(value.value)
    return "" if value is None else str(value)
