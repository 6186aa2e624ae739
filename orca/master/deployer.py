"""Deploying: check, resolve images, compare, commit. All services or none.

The order matters: everything that can be refused is refused before an image is pulled, and an image that
cannot be had is known before anything is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from orca.client import schema
from orca.errors import Conflict, ImageError, NoNode, Unsupported, UserError
from orca.master import changes, preflight, translate
from orca.master.changes import Origin, Outcome, Wish
from orca.master.control import Principal
from orca.master.move import Done, Move, MoveCommitter
from orca.master.moves import Mover
from orca.master.office import Office
from orca.master.publication import Edition
from orca.master.vault import Vault
from orca.model.container import PullPolicy
from orca.model.ids import NodeId, RevisionNumber, ServiceId
from orca.model.service import Revision
from orca.plan.view import stops_first
from orca.secrets import resolve
from orca.secrets.names import qualified, secret_name
from orca.spec.references import secrets_in
from orca.spec.service import ServiceSpec
from orca.telemetry import traces

PULL_TIMEOUT_SECONDS = 600.0
LOOK_TIMEOUT_SECONDS = 10.0
TO_BE_PULLED = "(to be pulled)"

ImageKey = tuple[str, PullPolicy, str]
"""Image with secrets resolved, policy, and the name of the only node allowed."""


class Deployer:
    """Turns deploy requests into committed records."""

    def __init__(
        self,
        office: Office,
        mover: Mover,
        committer: MoveCommitter,
        vault: Vault,
        *,
        not_yet: Callable[[], tuple[str, ...]],
    ) -> None:
        self._office = office
        self._mover = mover
        self._committer = committer
        self._vault = vault
        self._not_yet = not_yet

    async def plan(self, request: schema.DeployRequest, by: Principal) -> schema.PlanResponse:
        """What `deploy` would do. Images are looked at, never pulled."""
        edition = self._office.edition()
        self._check(request, edition)
        images = await self._resolve_images(request.services, edition, trace="", pull=False)
        outcomes = self._outcomes(request, edition, images=images, origin=self._mover.origin(by))
        return schema.PlanResponse(
            services=tuple(service_plan(edition, outcome) for outcome in outcomes),
            unmanaged=_unmanaged(edition, request.services),
        )

    async def deploy(self, request: schema.DeployRequest, by: Principal) -> schema.DeployResponse:
        """Commit all services of a request and begin their rollouts."""
        self._office.require()
        edition = self._office.edition()
        with traces.span("deploy", parent=request.trace or None) as span:
            trace = str(span.traceparent)
            self._check(request, edition)
            images = await self._resolve_images(request.services, edition, trace=trace, pull=True)
            origin = self._mover.origin(by, trace=trace)
            return await self._committer.until_done(
                lambda done: self._commit(request, done, images=images, origin=origin)
            )

    async def _commit(
        self,
        request: schema.DeployRequest,
        done: Done,
        *,
        images: Mapping[str, str],
        origin: Origin,
    ) -> schema.DeployResponse:
        """Compare with the newest edition: pulling images may have taken minutes."""
        edition = self._office.edition()
        rest = _without(request, {str(move.service.id) for move in done})
        self._check(rest, edition)
        outcomes = self._outcomes(rest, edition, images=images, origin=origin)
        moves = [move for each in outcomes if (move := _move(each, edition, origin.by)) is not None]
        await self._committer.commit(moves, edition, done)
        return schema.DeployResponse(
            deployed=tuple(move.accepted() for move in done),
            unchanged=tuple(str(o.id) for o in outcomes if o.service is None),
        )

    # --- from request to outcomes ---

    def _check(self, request: schema.DeployRequest, edition: Edition) -> None:
        """Refuse what can be refused without asking a node."""
        _refuse_oddities(request.services)
        self._refuse_not_yet()
        _refuse_stale(request, edition)
        preflight.check(request.services, running=running(edition), secrets=edition.secrets)

    def _outcomes(
        self,
        request: schema.DeployRequest,
        edition: Edition,
        *,
        images: Mapping[str, str],
        origin: Origin,
    ) -> list[Outcome]:
        """`images` by `project/service`. Each service has a rollout of its own."""
        return [
            changes.compare(
                self._wish(spec, images[spec.ref], edition),
                service=edition.snapshot.services.get(ServiceId.parse(spec.ref)),
                revisions=revisions_of(edition, ServiceId.parse(spec.ref)),
                origin=self._mover.own_rollout(origin),
            )
            for spec in request.services
        ]

    def _refuse_not_yet(self) -> None:
        if missing := self._not_yet():
            raise Unsupported(
                "; ".join(missing),
                hint="remove the keys named from cluster.toml, then: orca config reload",
            )

    def _wish(self, spec: ServiceSpec, image_id: str, edition: Edition) -> Wish:
        versions = {}
        for name in dict.fromkeys(n for names in secrets_in(spec).values() for n in names):
            record = self._vault.check(name, edition.secrets, spec.project)
            versions[qualified(record.scope, secret_name(name))] = record.version
        return Wish(
            id=ServiceId.parse(spec.ref),
            spec=translate.revision_spec(spec, image_id=image_id, secret_versions=versions),
            replicas=int(spec.replicas),
        )

    def _image_key(self, spec: ServiceSpec, edition: Edition) -> ImageKey:
        lookup = self._vault.lookup(edition.secrets, spec.project)
        image = resolve.resolve(spec.image or "", lookup, place=spec.ref, project=spec.project)
        return image, PullPolicy(spec.pull), spec.placement.node or ""

    async def _resolve_images(
        self, specs: Iterable[ServiceSpec], edition: Edition, *, trace: str, pull: bool
    ) -> dict[str, str]:
        """What the image of each service is; each image is asked for once, all at the same time."""
        keys = {spec.ref: self._image_key(spec, edition) for spec in specs}
        distinct = list(dict.fromkeys(keys.values()))
        found = await asyncio.gather(
            *(self._resolve_image(key, edition, trace=trace, pull=pull) for key in distinct),
            return_exceptions=True,
        )
        for outcome in found:
            if isinstance(outcome, BaseException):
                raise outcome
        ids = {key: str(image_id) for key, image_id in zip(distinct, found, strict=True)}
        return {ref: ids[key] for ref, key in keys.items()}

    async def _resolve_image(
        self, key: ImageKey, edition: Edition, *, trace: str, pull: bool
    ) -> str:
        image, policy, node = key
        nodes = self._office.require().nodes
        try:
            return await nodes.resolve_image(
                _node_for(edition, node),
                image,
                policy if pull else PullPolicy.NEVER,
                trace=trace,
                timeout_seconds=PULL_TIMEOUT_SECONDS if pull else LOOK_TIMEOUT_SECONDS,
            )
        except ImageError:
            if pull or policy is PullPolicy.NEVER:
                raise
            return TO_BE_PULLED


def _move(outcome: Outcome, edition: Edition, by: str) -> Move | None:
    if outcome.service is None:
        return None
    return Move(
        service=outcome.service,
        before=edition.snapshot.services.get(outcome.id),
        kind="deploy",
        by=by,
        revision=outcome.new_revision,
        action=outcome.action,
    )


def _without(request: schema.DeployRequest, names: Collection[str]) -> schema.DeployRequest:
    """What is left of a request once these services have been written."""
    services = tuple(spec for spec in request.services if spec.ref not in names)
    expect = {name: seen for name, seen in request.expect.items() if name not in names}
    return request.model_copy(update={"services": services, "expect": expect})


def running(edition: Edition) -> dict[ServiceId, Revision]:
    """The revision each service aims at, removed ones left out."""
    snapshot = edition.snapshot
    return {
        id: snapshot.revisions[id, service.revision]
        for id, service in snapshot.services.items()
        if not service.removed and (id, service.revision) in snapshot.revisions
    }


def revisions_of(edition: Edition, id: ServiceId) -> dict[RevisionNumber, Revision]:
    """All revisions of one service."""
    return {n: r for (owner, n), r in edition.snapshot.revisions.items() if owner == id}


def _refuse_oddities(specs: Sequence[ServiceSpec]) -> None:
    if not specs:
        raise UserError("the request names no service")
    refs = [spec.ref for spec in specs]
    if twice := sorted({ref for ref in refs if refs.count(ref) > 1}):
        raise UserError(f"the request names {', '.join(twice)} twice")
    if bare := [spec.ref for spec in specs if not spec.image]:
        raise UserError(f"{', '.join(bare)}: no image")
    for spec in specs:
        for mount in spec.mounts:
            if not mount.source.startswith("/"):
                raise UserError(
                    f"{spec.ref}: the mount source {mount.source!r} is relative",
                    hint="the client makes paths absolute; `orca deploy` does so by itself",
                )


def _refuse_stale(request: schema.DeployRequest, edition: Edition) -> None:
    """The plan that the user saw has to be the one that is carried out."""
    versions = {str(id): service.version for id, service in edition.snapshot.services.items()}
    moved = [name for name, seen in request.expect.items() if versions.get(name, 0) != seen]
    if moved:
        raise Conflict(
            f"{', '.join(sorted(moved))} changed since the plan was made; nothing was deployed",
            hint="look at the new plan: orca plan",
        )


def _node_for(edition: Edition, name: str) -> NodeId:
    """A connected node to ask about an image: the one the service is pinned to, else any."""
    views = [v for v in edition.snapshot.nodes.values() if v.connected]
    named = [v for v in views if not name or name in (v.node.name, v.node.id)]
    if not named:
        which = f"the node {name}" if name else "no node"
        raise NoNode(
            f"{which} is not connected" if name else "no node is connected",
            hint="look at `orca status`; a node connects within seconds after `orca server` starts",
        )
    healthy = [v for v in named if not v.node.facts.docker_error]
    return min(healthy or named, key=lambda v: v.node.id).node.id


def _unmanaged(edition: Edition, specs: Iterable[ServiceSpec]) -> tuple[str, ...]:
    listed = tuple(specs)
    projects = {spec.project for spec in listed}
    named = {spec.ref for spec in listed}
    services = edition.snapshot.services.values()
    return tuple(
        sorted(
            str(s.id)
            for s in services
            if s.id.project in projects and str(s.id) not in named and not s.removed
        )
    )


def service_plan(edition: Edition, outcome: Outcome) -> schema.ServicePlan:
    """An outcome as the API shows it."""
    before = edition.snapshot.services.get(outcome.id)
    revision = outcome.new_revision or edition.snapshot.revisions.get(
        (outcome.id, outcome.revision)
    )
    return schema.ServicePlan(
        service=str(outcome.id),
        action=outcome.action,
        revision=outcome.revision,
        changes=outcome.changes,
        replicas_before=outcome.replicas_before,
        replicas_after=outcome.replicas_after,
        order=_order(revision, outcome) if revision else "",
        steps=_steps(outcome),
        version=before.version if before else 0,
    )


def _order(revision: Revision, outcome: Outcome) -> str:
    if outcome.action not in ("update", "retry"):
        return ""
    if not stops_first(revision):
        return "start-first"
    if revision.spec.container.exclusive:
        return "stop-first: two copies would share a volume or a host port"
    return "stop-first"


def _steps(outcome: Outcome) -> tuple[str, ...]:
    match outcome.action:
        case "create":
            return (f"start {_replicas(outcome.replicas_after)}",)
        case "update" | "retry":
            return (f"replace {_replicas(outcome.replicas_after)}, one after the other",)
        case "scale":
            return (f"{outcome.replicas_before} → {_replicas(outcome.replicas_after)}",)
    return ()


def _replicas(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"
