"""The control plane behind the API: one method per thing a master can be asked.

It only joins the parts: deciding what a request means is `deployer`'s, `moves`' and `secret_store`'s,
showing the cluster is `views`' and `why`'s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from orca import __version__
from orca.client import schema
from orca.errors import NotFound
from orca.master import views, why
from orca.master.control import LogsQuery, Principal
from orca.master.deployer import Deployer
from orca.master.journal import Journal
from orca.master.moves import Mover
from orca.master.naming import find_project, find_service
from orca.master.office import Office
from orca.master.publication import Edition
from orca.master.records import StoredEvent
from orca.master.secret_store import SecretStore
from orca.master.settings import MasterSettings
from orca.master.streams import Streams
from orca.model.event import Deployment
from orca.model.ids import ServiceId
from orca.model.service import RolloutPhase
from orca.plan.view import view
from orca.plan.view import views as all_views
from orca.rpc.messages import ExecRequest
from orca.rpc.session import ChunkStream
from orca.store.base import Store

WHY_EVENTS_MAX = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a control plane is joined from."""

    settings: MasterSettings
    store: Store
    office: Office
    journal: Journal
    deployer: Deployer
    mover: Mover
    secrets: SecretStore
    streams: Streams
    clock: Callable[[], float]
    reload: Callable[[], Awaitable[schema.ReloadResponse]]
    started_at: float


class MasterControlPlane:
    """Implements `orca.master.control.ControlPlane`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings
        self._office = parts.office

    def reconfigure(self, settings: MasterSettings) -> None:
        """Show these from now on: ports may change while the server runs."""
        self._settings = settings

    # --- observing ---

    def health(self) -> schema.Health:
        edition = self._office.publication.latest
        missing = _missing(edition)
        reasons = [missing] if missing else []
        reasons += [
            f"node {n.node.name}: Docker: {n.node.facts.docker_error}"
            for n in edition.snapshot.nodes.values()
            if n.node.facts.docker_error
        ]
        ready = not missing
        word = ("ok" if not reasons else "degraded") if ready else "starting"
        return schema.Health(
            status=word,
            ready=ready,
            version=__version__,
            cluster=self._settings.cluster,
            reasons=tuple(reasons),
        )

    async def info(self) -> schema.ClusterInfo:
        edition, settings = self._office.edition(), self._settings
        store = await self._parts.store.status()
        return schema.ClusterInfo(
            cluster=settings.cluster,
            version=__version__,
            config_root=settings.config_root,
            home=settings.home,
            started_at=self._parts.started_at,
            epoch=edition.snapshot.epoch,
            api=settings.api_url,
            http_port=settings.http_port,
            https_port=settings.https_port,
            store_endpoint=store.endpoint,
            store_version=store.version,
            store_bytes=store.db_size_bytes,
            store_quota_bytes=store.quota_bytes,
            services=len(edition.snapshot.services),
            nodes=len(edition.snapshot.nodes),
        )

    def status(self, *, project: str = "", service: str = "") -> schema.StatusResponse:
        return self._status(self._office.edition(), project, service)

    def _status(self, edition: Edition, project: str, service: str) -> schema.StatusResponse:
        known = edition.snapshot.services
        return views.status(
            edition,
            cluster=self._settings.cluster,
            http_port=self._settings.http_port,
            now=self._parts.clock(),
            project=find_project(known, project) if project else "",
            service=find_service(known, service) if service else None,
        )

    async def watch_status(
        self, *, project: str = "", service: str = ""
    ) -> AsyncIterator[schema.StatusResponse]:
        self._office.edition()
        async for edition in self._office.publication.editions():
            yield self._status(edition, project, service)

    async def watch_rollouts(self, ids: tuple[str, ...]) -> AsyncIterator[schema.RolloutView]:
        shown: dict[str, schema.RolloutView] = {}
        open_ids = set(ids)
        async for edition in self._office.publication.editions():
            found = _rollouts(edition, open_ids)
            for id in ids:
                view_now = found.get(id) or _superseded(edition, id, shown.get(id))
                if id in open_ids and view_now != shown.get(id):
                    shown[id] = view_now
                    yield view_now
                if view_now.phase != RolloutPhase.PROGRESSING:
                    open_ids.discard(id)
            if not open_ids:
                return

    async def history(self, service: str) -> schema.History:
        edition = self._office.edition()
        id = find_service(edition.snapshot.services, service)
        record = edition.snapshot.services[id]
        entries = [
            schema.HistoryEntry(
                id=d.id,
                kind=d.kind,
                revision=d.to_revision,
                from_revision=d.from_revision,
                image=_image(edition, id, d.to_revision),
                at=d.at,
                by=d.by,
                outcome=_outcome(record.rollout.id, d.id, d.outcome),
                reason=d.reason,
                duration_seconds=max(0.0, d.finished_at - d.at) if d.finished_at else 0.0,
                current=d.id == record.rollout.id,
                stable=d.to_revision == record.stable,
            )
            for d in (item.deployment for item in edition.deployments.get(id, ()))
        ]
        return schema.History(service=str(id), entries=tuple(reversed(entries)))

    async def why(self, service: str) -> schema.Why:
        edition = self._office.edition()
        id = find_service(edition.snapshot.services, service)
        told = why.why(edition, view(edition.snapshot, id), now=self._parts.clock())
        events = self._parts.journal.read(after=0, service=str(id), limit=WHY_EVENTS_MAX)
        return told.model_copy(update={"events": tuple(_event_view(e) for e in events)})

    async def events(self, *, after: int = 0, service: str = "", limit: int = 200) -> schema.Events:
        found = self._parts.journal.read(after=after, service=self._full_name(service), limit=limit)
        return schema.Events(events=tuple(_event_view(e) for e in found))

    async def watch_events(
        self, *, after: int = 0, service: str = ""
    ) -> AsyncIterator[schema.EventView]:
        stream = self._parts.journal.follow(after=after, service=self._full_name(service))
        async for event in stream:
            yield _event_view(event)

    def _full_name(self, service: str) -> str:
        if not service:
            return ""
        return str(find_service(self._office.edition().snapshot.services, service))

    # --- changing ---

    async def plan(self, request: schema.DeployRequest, *, by: Principal) -> schema.PlanResponse:
        return await self._parts.deployer.plan(request, by)

    async def deploy(
        self, request: schema.DeployRequest, *, by: Principal
    ) -> schema.DeployResponse:
        return await self._parts.deployer.deploy(request, by)

    async def scale(self, service: str, replicas: int, *, by: Principal) -> schema.Accepted:
        return await self._parts.mover.scale(service, replicas, by)

    async def restart(self, service: str, *, by: Principal) -> schema.Accepted:
        return await self._parts.mover.restart(service, by)

    async def rollback(self, service: str, to: int, *, by: Principal) -> schema.Accepted:
        return await self._parts.mover.rollback(service, to, by)

    async def stop(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        return await self._parts.mover.stop(services, by)

    async def start(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        return await self._parts.mover.start(services, by)

    async def remove(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        return await self._parts.mover.remove(services, by)

    async def remove_project(self, project: str, *, by: Principal) -> schema.DeployResponse:
        return await self._parts.mover.remove_project(project, by)

    # --- streams ---

    def logs(self, service: str, query: LogsQuery) -> AsyncIterator[schema.LogLine]:
        return self._parts.streams.logs(service, query)

    async def exec(self, service: str, request: ExecRequest, *, by: Principal) -> ChunkStream:
        return await self._parts.streams.exec(service, request)

    # --- secrets and configuration ---

    async def secrets(self, *, project: str = "") -> schema.SecretList:
        return self._parts.secrets.list(project)

    async def set_secrets(
        self, values: dict[str, str], *, project: str, by: Principal
    ) -> schema.SecretList:
        return await self._parts.secrets.set(values, project, by)

    async def remove_secret(self, name: str, *, project: str, by: Principal) -> schema.Done:
        return await self._parts.secrets.remove(name, project, by)

    async def secret_usages(self, name: str, *, project: str = "") -> schema.SecretUsages:
        return self._parts.secrets.usages(name, project)

    async def reload(self, *, by: Principal) -> schema.ReloadResponse:
        return await self._parts.reload()


def _missing(edition: Edition) -> str:
    """What a master still lacks to be ready; empty when that is nothing."""
    if edition.number == 0:
        return "starting: no leader yet"
    if edition.problem:
        return edition.problem
    if not edition.settled:
        return "waiting for nodes to report"
    if not edition.snapshot.nodes:
        # Until the first has spoken, an etcd that lost everything looks like a new cluster.
        return "no node has connected yet"
    return ""


def _rollouts(edition: Edition, ids: set[str]) -> dict[str, schema.RolloutView]:
    """The chosen rollouts that are their service's latest."""
    return {
        v.service.rollout.id: views.rollout_view(edition, v)
        for v in all_views(edition.snapshot).values()
        if v.service.rollout.id in ids
    }


def _superseded(edition: Edition, id: str, last: schema.RolloutView | None) -> schema.RolloutView:
    """What became of a rollout that is no longer its service's latest. Raises `NotFound`."""
    for history in edition.deployments.values():
        for item in history:
            if item.deployment.id == id:
                return _from_history(item.deployment, last)
    if last is not None:
        # The service was removed, as asked: nothing of it is left.
        return last.model_copy(update={"phase": RolloutPhase.COMPLETE.value, "old": 0})
    raise NotFound(f"there is no rollout {id!r}")


def _from_history(line: Deployment, last: schema.RolloutView | None) -> schema.RolloutView:
    """A rollout that another one replaced, or that ended before somebody asked."""
    phase = _outcome("", line.id, line.outcome)
    replaced = phase == "superseded"
    shown = last or schema.RolloutView(
        id=line.id,
        service=str(line.service),
        phase=phase,
        revision=line.to_revision,
        from_revision=line.from_revision,
        desired=0,
        updated=0,
        ready=0,
        old=0,
        started_at=line.at,
    )
    return shown.model_copy(
        update={
            "phase": RolloutPhase.FAILED.value if replaced else phase,
            "reason": "another rollout of the service took its place" if replaced else line.reason,
            "waiting": "",
            "finished_at": line.finished_at,
        }
    )


def _outcome(latest: str, id: str, outcome: str) -> str:
    """A rollout that another one replaced never ended by itself."""
    if id != latest and outcome == RolloutPhase.PROGRESSING:
        return "superseded"
    return outcome


def _image(edition: Edition, id: ServiceId, number: int) -> str:
    for (owner, revision_number), revision in edition.snapshot.revisions.items():
        if owner == id and revision_number == number:
            return revision.spec.container.image
    return ""


def _event_view(stored: StoredEvent) -> schema.EventView:
    event = stored.event
    return schema.EventView(
        sequence=stored.sequence,
        at=event.at,
        kind=event.kind,
        level=event.level.value,
        message=event.message,
        service=str(event.service or ""),
        replica=event.replica,
        node=event.node,
        rollout=event.rollout,
        trace=event.trace,
    )
