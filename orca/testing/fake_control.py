"""A control plane in memory: the whole `ControlPlane` protocol, without a cluster behind it.

Services exist and have revisions, rollouts move when the test says so, events are numbered, secrets are
kept. It is what clients, the command line and the API are tested against. It places nothing, checks no
image and resolves no secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orca import errors
from orca.client import schema
from orca.master.control import LogsQuery, Principal
from orca.rpc.messages import ExecRequest
from orca.rpc.session import ChunkStream
from orca.spec.service import ServiceSpec
from orca.testing.echo_stream import EchoStream

CLUSTER = "fake"
ENDED = ("complete", "failed")


@dataclass(slots=True)
class FakeService:
    """One service: what was asked for, and its past."""

    spec: ServiceSpec
    version: int
    revisions: list[ServiceSpec] = field(default_factory=list)
    stopped: bool = False

    @property
    def revision(self) -> int:
        """Number of the newest revision."""
        return len(self.revisions)

    @property
    def replicas(self) -> int:
        """Wanted replicas; `auto` is 1 here."""
        return self.spec.replicas if isinstance(self.spec.replicas, int) else 1


class FakeControl:
    """Satisfies `orca.master.control.ControlPlane`.

    `fail_with` makes every call raise; `open_streams` says what is being watched; `hold` makes changes
    wait until it is set.
    """

    def __init__(self, *, now: float = 1_700_000_000.0) -> None:
        self.now = now
        self.ready = True
        self.fail_with: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.calls: list[tuple[str, str]] = []
        """Changes that were asked for: method and who asked."""
        self.traces: list[str] = []
        """What came as `DeployRequest.trace`."""
        self.services: dict[str, FakeService] = {}
        self.rollouts: dict[str, schema.RolloutView] = {}
        self.kept: dict[tuple[str, str], str] = {}
        """Secret values by project and name."""
        self.log_lines: list[schema.LogLine] = []
        self.open_streams: list[str] = []
        self.executed: list[ExecRequest] = []
        self.streams: list[EchoStream] = []
        self._events: list[schema.EventView] = []
        self._versions = 0
        self._changed = asyncio.Event()

    # --- what a test does to it -------------------------------------------------------------------

    def emit(self, message: str, *, service: str = "", kind: str = "test") -> int:
        """Something happens; returns its sequence number."""
        sequence = len(self._events) + 1
        event = schema.EventView(
            sequence=sequence,
            at=self.now,
            kind=kind,
            level="info",
            message=message,
            service=service,
        )
        self._events.append(event)
        self.wake()
        return sequence

    def move_rollout(self, id_: str, *, phase: str, ready: int = 0) -> None:
        """A rollout goes on or ends."""
        view = self.rollouts[id_]
        self.rollouts[id_] = view.model_copy(update={"phase": phase, "ready": ready})
        self.wake()

    def wake(self) -> None:
        """Let watchers look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until_streams(self, count: int) -> None:
        """Wait until exactly so many streams are open."""
        while len(self.open_streams) != count:
            await self._changed.wait()

    # --- observing --------------------------------------------------------------------------------

    def health(self) -> schema.Health:
        self._check()
        reasons = () if self.ready else ("store_unavailable",)
        status = "ok" if self.ready else "starting"
        return schema.Health(
            status=status, ready=self.ready, version="0", cluster=CLUSTER, reasons=reasons
        )

    async def info(self) -> schema.ClusterInfo:
        self._check()
        return schema.ClusterInfo(
            cluster=CLUSTER,
            version="0",
            config_root="",
            home="",
            started_at=self.now,
            epoch=1,
            api="",
            http_port=80,
            https_port=443,
            store_endpoint="memory",
            store_version="0",
            store_bytes=0,
            store_quota_bytes=0,
            services=len(self.services),
            nodes=1,
        )

    def status(self, *, project: str = "", service: str = "") -> schema.StatusResponse:
        self._check()
        chosen = [self._find(service)] if service else list(self.services.values())
        found = [_status(each) for each in chosen if project in ("", each.spec.project)]
        if project and not found:
            raise errors.NotFound(f"There is no project {project!r}.")
        return schema.StatusResponse(cluster=CLUSTER, services=tuple(found))

    async def watch_status(
        self, *, project: str = "", service: str = ""
    ) -> AsyncIterator[schema.StatusResponse]:
        with self._watched("status"):
            last = None
            while True:
                now = self.status(project=project, service=service)
                if now != last:
                    yield now
                    last = now
                    continue
                await self._changed.wait()

    async def watch_rollouts(self, ids: tuple[str, ...]) -> AsyncIterator[schema.RolloutView]:
        self._check()
        for id_ in ids:
            if id_ not in self.rollouts:
                raise errors.NotFound(f"There is no rollout {id_!r}.")
        with self._watched("rollouts"):
            seen: dict[str, schema.RolloutView] = {}
            while True:
                moved = [id_ for id_ in ids if seen.get(id_) != self.rollouts[id_]]
                for id_ in moved:
                    seen[id_] = self.rollouts[id_]
                    yield seen[id_]
                if all(self.rollouts[id_].phase in ENDED for id_ in ids):
                    return
                if not moved:
                    await self._changed.wait()

    async def history(self, service: str) -> schema.History:
        self._check()
        found = self._find(service)
        entries = [
            schema.HistoryEntry(
                id=f"{found.spec.ref}@{number}",
                kind="deploy",
                revision=number,
                from_revision=number - 1,
                image=spec.image or "",
                at=self.now,
                by="",
                outcome="complete",
                current=number == found.revision,
            )
            for number, spec in enumerate(found.revisions, 1)
        ]
        return schema.History(service=found.spec.ref, entries=tuple(reversed(entries)))

    async def why(self, service: str) -> schema.Why:
        self._check()
        found = self._find(service)
        status = _status(found).status
        return schema.Why(service=found.spec.ref, status=status, summary=f"It is {status}.")

    async def logs(self, service: str, query: LogsQuery) -> AsyncIterator[schema.LogLine]:
        self._check()
        self._find(service)
        with self._watched("logs"):
            sent = 0 if query.tail < 0 else max(0, len(self.log_lines) - query.tail)
            while True:
                while sent < len(self.log_lines):
                    sent += 1
                    yield self.log_lines[sent - 1]
                if not query.follow:
                    return
                await self._changed.wait()

    async def events(self, *, after: int = 0, service: str = "", limit: int = 200) -> schema.Events:
        self._check()
        return schema.Events(events=tuple(self._events_after(after, service)[-limit:]))

    async def watch_events(
        self, *, after: int = 0, service: str = ""
    ) -> AsyncIterator[schema.EventView]:
        self._check()
        with self._watched("events"):
            while True:
                fresh = self._events_after(after, service)
                for event in fresh:
                    after = event.sequence
                    yield event
                if not fresh:
                    await self._changed.wait()

    # --- changing ---------------------------------------------------------------------------------

    async def plan(self, request: schema.DeployRequest, *, by: Principal) -> schema.PlanResponse:
        await self._begin("plan", by)
        self._expect(request)
        return schema.PlanResponse(services=tuple(self._planned(spec) for spec in request.services))

    async def deploy(
        self, request: schema.DeployRequest, *, by: Principal
    ) -> schema.DeployResponse:
        await self._begin("deploy", by)
        self.traces.append(request.trace)
        self._expect(request)
        planned = [(spec, self._planned(spec)) for spec in request.services]
        moved = [
            self._commit(spec, plan.action) for spec, plan in planned if plan.action != "unchanged"
        ]
        same = tuple(spec.ref for spec, plan in planned if plan.action == "unchanged")
        return schema.DeployResponse(deployed=tuple(moved), unchanged=same)

    async def scale(self, service: str, replicas: int, *, by: Principal) -> schema.Accepted:
        await self._begin("scale", by)
        found = self._find(service)
        found.spec = found.spec.model_copy(update={"replicas": replicas})
        return self._accepted(found, "scale")

    async def restart(self, service: str, *, by: Principal) -> schema.Accepted:
        await self._begin("restart", by)
        return self._accepted(self._find(service), "restart")

    async def rollback(self, service: str, to: int, *, by: Principal) -> schema.Accepted:
        await self._begin("rollback", by)
        found = self._find(service)
        target = to or found.revision - 1
        if not 1 <= target < found.revision:
            raise errors.NotFound(f"{found.spec.ref} has no earlier revision {target}.")
        return self._commit(found.revisions[target - 1], "rollback")

    async def stop(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        await self._begin("stop", by)
        return self._switch(services, stopped=True)

    async def start(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        await self._begin("start", by)
        return self._switch(services, stopped=False)

    async def remove(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        await self._begin("remove", by)
        found = [self._find(name) for name in services]
        return schema.DeployResponse(deployed=tuple(self._forget(one) for one in found))

    async def remove_project(self, project: str, *, by: Principal) -> schema.DeployResponse:
        await self._begin("remove_project", by)
        found = [one for one in self.services.values() if one.spec.project == project]
        if not found:
            raise errors.NotFound(f"There is no project {project!r}.")
        return schema.DeployResponse(deployed=tuple(self._forget(one) for one in found))

    async def exec(self, service: str, request: ExecRequest, *, by: Principal) -> ChunkStream:
        await self._begin("exec", by)
        self._find(service)
        self.executed.append(request)
        self.streams.append(EchoStream(service))
        return self.streams[-1]

    # --- secrets and configuration ----------------------------------------------------------------

    async def secrets(self, *, project: str = "") -> schema.SecretList:
        self._check()
        names = sorted(key for key in self.kept if key[0] in ("", project))
        infos = [
            schema.SecretInfo(name=name, project=owner, version=1, updated_at=self.now)
            for owner, name in names
        ]
        return schema.SecretList(secrets=tuple(infos))

    async def set_secrets(
        self, values: dict[str, str], *, project: str, by: Principal
    ) -> schema.SecretList:
        await self._begin("set_secrets", by)
        self.kept |= {(project, name): value for name, value in values.items()}
        return await self.secrets(project=project)

    async def remove_secret(self, name: str, *, project: str, by: Principal) -> schema.Done:
        await self._begin("remove_secret", by)
        used = self._usages(name)
        if used:
            raise errors.Conflict(f"{used[0].service} uses the secret {name}.")
        if (project, name) not in self.kept:
            raise errors.NotFound(f"There is no secret {name!r}.")
        del self.kept[project, name]
        return schema.Done(message=f"{name} is forgotten.")

    async def secret_usages(self, name: str, *, project: str = "") -> schema.SecretUsages:
        self._check()
        if (project, name) not in self.kept:
            raise errors.NotFound(f"There is no secret {name!r}.")
        return schema.SecretUsages(name=name, usages=self._usages(name))

    async def reload(self, *, by: Principal) -> schema.ReloadResponse:
        await self._begin("reload", by)
        return schema.ReloadResponse(changed=("cluster.log_level",))

    # --- inside -----------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with

    async def _begin(self, method: str, by: Principal) -> None:
        self.calls.append((method, by.name))
        if self.hold is not None:
            await self.hold.wait()
        self._check()

    @contextmanager
    def _watched(self, name: str) -> Iterator[None]:
        self.open_streams.append(name)
        self.wake()
        try:
            yield
        finally:
            self.open_streams.remove(name)
            self.wake()

    def _find(self, name: str) -> FakeService:
        found = [one for ref, one in self.services.items() if name in (ref, ref.split("/")[1])]
        if not found:
            raise errors.NotFound(f"There is no service {name!r}.", hint="See `orca status`.")
        if len(found) > 1:
            refs = ", ".join(sorted(one.spec.ref for one in found))
            raise errors.UserError(f"{name!r} may be any of {refs}.")
        return found[0]

    def _events_after(self, after: int, service: str) -> list[schema.EventView]:
        return [
            event
            for event in self._events
            if event.sequence > after and service in ("", event.service)
        ]

    def _expect(self, request: schema.DeployRequest) -> None:
        for ref, version in request.expect.items():
            present = self.services[ref].version if ref in self.services else 0
            if present != version:
                raise errors.Conflict(f"{ref} has changed since it was planned.")

    def _planned(self, spec: ServiceSpec) -> schema.ServicePlan:
        before = self.services.get(spec.ref)
        action = "create" if before is None else "update"
        if before is not None and before.spec == spec:
            action = "unchanged"
        revision = before.revision if before else 0
        return schema.ServicePlan(
            service=spec.ref,
            action=action,
            revision=revision if action == "unchanged" else revision + 1,
            version=before.version if before else 0,
        )

    def _commit(self, spec: ServiceSpec, action: str) -> schema.Accepted:
        found = self.services.setdefault(spec.ref, FakeService(spec, 0))
        found.spec, found.stopped = spec, False
        found.revisions.append(spec)
        return self._accepted(found, action)

    def _accepted(self, found: FakeService, action: str) -> schema.Accepted:
        self._versions += 1
        found.version = self._versions
        id_ = f"r{self._versions}"
        self.rollouts[id_] = schema.RolloutView(
            id=id_,
            service=found.spec.ref,
            phase="progressing",
            revision=found.revision,
            from_revision=max(0, found.revision - 1),
            desired=found.replicas,
            updated=0,
            ready=0,
            old=0,
        )
        self.emit(f"{action} of {found.spec.ref}", service=found.spec.ref, kind=action)
        return schema.Accepted(
            service=found.spec.ref, action=action, revision=found.revision, rollout=id_
        )

    def _switch(self, services: tuple[str, ...], *, stopped: bool) -> schema.DeployResponse:
        chosen = [self._find(name) for name in services] or list(self.services.values())
        moved, same = [], []
        for found in chosen:
            if found.stopped is stopped:
                same.append(found.spec.ref)
            else:
                found.stopped = stopped
                moved.append(self._accepted(found, "stop" if stopped else "start"))
        return schema.DeployResponse(deployed=tuple(moved), unchanged=tuple(same))

    def _forget(self, found: FakeService) -> schema.Accepted:
        accepted = self._accepted(found, "remove")
        del self.services[found.spec.ref]
        self.wake()
        return accepted

    def _usages(self, name: str) -> tuple[schema.SecretUsage, ...]:
        wanted = f"${{secrets.{name}}}"
        return tuple(
            schema.SecretUsage(service=ref, place=f"env.{key}", current=True)
            for ref, found in sorted(self.services.items())
            for key, value in found.spec.env.items()
            if wanted in value
        )


def _status(found: FakeService) -> schema.ServiceStatus:
    wanted = 0 if found.stopped else found.replicas
    return schema.ServiceStatus(
        name=found.spec.name,
        project=found.spec.project,
        status="stopped" if found.stopped else "running",
        replicas=wanted,
        desired_replicas=wanted,
        running_replicas=wanted,
        ready_replicas=wanted,
        image=found.spec.image or "",
        revision=found.revision,
        stable_revision=found.revision,
        version=found.version,
    )
