"""`OrcaClient`: the REST API as typed methods, one per route.

Every error that the server reports arrives as the same `orca.errors` class it was there.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from orca import errors
from orca.client import schema, streams
from orca.client.exec_stream import ExecStream
from orca.client.settings import ClientSettings
from orca.client.transport import Transport

M = TypeVar("M", bound=BaseModel)

_EVENTS = {"Accept": "text/event-stream"}


class OrcaClient:
    """A client of one server; use it in `async with`. Methods raise `OrcaError`s only.

    `service` arguments are `name` or `project/name`. Besides what the server reports, every method
    may raise `NoServer`, `Unauthenticated`, `Unavailable` and `DeadlineExceeded`.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._transport = Transport(settings)

    def __repr__(self) -> str:
        return f"OrcaClient({self.settings.url!r})"

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    # --- observing --------------------------------------------------------------------------------

    async def health(self) -> schema.Health:
        """Whether the master can do its work; needs no token."""
        return await self._get("/health", schema.Health)

    async def metrics(self) -> str:
        """Metrics in Prometheus' text format."""
        return (await self._transport.call("GET", "/metrics")).decode()

    async def openapi(self) -> bytes:
        """The API as OpenAPI 3.1, JSON."""
        return await self._transport.call("GET", "/openapi.json")

    async def info(self) -> schema.ClusterInfo:
        """Facts about the control plane."""
        return await self._get("/cluster/info", schema.ClusterInfo)

    async def status(self, *, project: str = "", service: str = "") -> schema.StatusResponse:
        """Services, nodes and proxies."""
        query = _given(project=project, service=service)
        return await self._get("/status", schema.StatusResponse, query)

    def watch_status(
        self, *, project: str = "", service: str = ""
    ) -> AsyncGenerator[schema.StatusResponse, None]:
        """The status now, and again after each change."""
        query = _given(project=project, service=service, watch="true")
        return self._events("/status", schema.StatusResponse, query)

    async def rollouts(self, ids: Sequence[str]) -> tuple[schema.RolloutView, ...]:
        """Rollouts as they stand."""
        found = await self._get("/rollouts", schema.Rollouts, {"ids": ",".join(ids)})
        return found.rollouts

    def watch_rollouts(self, ids: Sequence[str]) -> AsyncGenerator[schema.RolloutView, None]:
        """Each rollout now and after each change, until all have ended."""
        return self._events("/rollouts", schema.RolloutView, {"ids": ",".join(ids)})

    async def history(self, service: str) -> schema.History:
        """The deployments of a service, newest first."""
        return await self._get(_service(service, "history"), schema.History)

    async def why(self, service: str) -> schema.Why:
        """Why a service is as it is."""
        return await self._get(_service(service, "why"), schema.Why)

    def logs(
        self,
        service: str,
        *,
        tail: int = 100,
        follow: bool = False,
        since: float = 0.0,
        previous: bool = False,
        replica: str = "",
        timestamps: bool = False,
    ) -> AsyncGenerator[schema.LogLine, None]:
        """Log lines of all replicas; `tail` per replica (-1 is all), `since` in Unix seconds."""
        query = {"tail": str(tail)} | _given(
            follow="true" if follow else "",
            since=repr(since) if since else "",
            previous="true" if previous else "",
            replica=replica,
            timestamps="true" if timestamps else "",
        )
        return self._lines(_service(service, "logs"), schema.LogLine, query)

    async def events(self, *, after: int = 0, service: str = "", limit: int = 200) -> schema.Events:
        """The newest `limit` events after a sequence number, oldest first."""
        query = {"after": str(after), "limit": str(limit)} | _given(service=service)
        return await self._get("/events", schema.Events, query)

    def watch_events(
        self, *, after: int = 0, service: str = ""
    ) -> AsyncGenerator[schema.EventView, None]:
        """Events after a sequence number, then new ones as they happen."""
        query = {"follow": "true", "after": str(after)} | _given(service=service)
        return self._events("/events", schema.EventView, query)

    # --- changing ---------------------------------------------------------------------------------

    async def plan(
        self, request: schema.DeployRequest, *, timeout_seconds: float | None = None
    ) -> schema.PlanResponse:
        """What `deploy` would do; changes nothing."""
        data = await self._transport.call(
            "POST", "/plan", body=request, timeout_seconds=timeout_seconds
        )
        return _body(schema.PlanResponse, data)

    async def deploy(
        self,
        request: schema.DeployRequest,
        *,
        timeout_seconds: float | None = None,
        idempotency_key: str = "",
    ) -> schema.DeployResponse:
        """Deploy services, all or none; returns once it is committed.

        The same `idempotency_key` again makes a repetition harmless.
        """
        return await self._post(
            "/deploy",
            schema.DeployResponse,
            request,
            idempotency_key=idempotency_key,
            timeout_seconds=timeout_seconds,
        )

    async def scale(self, service: str, replicas: int) -> schema.Accepted:
        """Change the number of replicas."""
        try:
            body = schema.ScaleRequest(replicas=replicas)
        except ValidationError as error:
            raise errors.UserError(
                f"{replicas} is not a number of replicas (0 to 1000)."
            ) from error
        return await self._post(_service(service, "scale"), schema.Accepted, body)

    async def restart(self, service: str) -> schema.Accepted:
        """Replace every replica, same revision."""
        return await self._post(_service(service, "restart"), schema.Accepted)

    async def rollback(self, service: str, to: int = 0) -> schema.Accepted:
        """Go back to revision `to`; 0 is the last good one before the present."""
        try:
            body = schema.RollbackRequest(to=to)
        except ValidationError as error:
            raise errors.UserError(f"{to} is not the number of a revision.") from error
        return await self._post(_service(service, "rollback"), schema.Accepted, body)

    async def stop(self, service: str) -> schema.DeployResponse:
        """Stop a service; its spec stays."""
        return await self._post(_service(service, "stop"), schema.DeployResponse)

    async def start(self, service: str) -> schema.DeployResponse:
        """Start a stopped service."""
        return await self._post(_service(service, "start"), schema.DeployResponse)

    async def stop_services(self, services: Sequence[str]) -> schema.DeployResponse:
        """Stop several services together, dependents first."""
        return await self._select("stop", services)

    async def start_services(self, services: Sequence[str]) -> schema.DeployResponse:
        """Start several stopped services together, dependencies first."""
        return await self._select("start", services)

    async def remove_services(self, services: Sequence[str]) -> schema.DeployResponse:
        """Stop and forget several services together, also such as depend on each other."""
        return await self._select("remove", services)

    async def _select(self, verb: str, services: Sequence[str]) -> schema.DeployResponse:
        chosen = schema.Selection(services=tuple(services))
        return await self._post(f"/services/{verb}", schema.DeployResponse, chosen)

    async def stop_all(self) -> schema.DeployResponse:
        """Stop all services, dependents first; their specs stay."""
        return await self._post("/stop", schema.DeployResponse)

    async def start_all(self) -> schema.DeployResponse:
        """Start all stopped services, dependencies first."""
        return await self._post("/start", schema.DeployResponse)

    async def remove(self, service: str) -> schema.DeployResponse:
        """Stop a service and forget it; its volumes stay."""
        return await self._delete(_service(service), schema.DeployResponse)

    async def remove_project(self, project: str) -> schema.DeployResponse:
        """Remove all services of a project; their volumes stay."""
        return await self._delete(f"/projects/{_quoted(project)}", schema.DeployResponse)

    async def exec(self, service: str, wish: schema.ExecOpen) -> ExecStream:
        """Run a command in a ready replica; use the stream in `async with`."""
        socket = await self._transport.socket(_service(service, "exec"))
        stream = ExecStream(socket, peer=service, error_of=self._transport.error_of)
        try:
            await stream.open(wish)
        except BaseException:
            await stream.close()
            raise
        return stream

    # --- secrets and configuration ----------------------------------------------------------------

    async def secrets(self, *, project: str = "") -> schema.SecretList:
        """Names of secrets; with a project also those of the cluster."""
        return await self._get("/secrets", schema.SecretList, _given(project=project))

    async def set_secret(self, name: str, value: str, *, project: str = "") -> schema.SecretList:
        """Keep a value."""
        body = schema.SecretValue(value=value, project=project)
        data = await self._transport.call("PUT", f"/secrets/{_quoted(name)}", body=body)
        return _body(schema.SecretList, data)

    async def import_secrets(
        self, values: Mapping[str, str], *, project: str = ""
    ) -> schema.SecretList:
        """Keep several values, all or none."""
        body = schema.SecretImport(values=dict(values), project=project)
        return await self._post("/secrets/import", schema.SecretList, body)

    async def remove_secret(self, name: str, *, project: str = "") -> schema.Done:
        """Forget a secret that no service uses."""
        query = _given(project=project)
        return await self._delete(f"/secrets/{_quoted(name)}", schema.Done, query)

    async def secret_usages(self, name: str, *, project: str = "") -> schema.SecretUsages:
        """Where a secret is used."""
        query = _given(project=project)
        return await self._get(f"/secrets/{_quoted(name)}/usages", schema.SecretUsages, query)

    async def reload(self) -> schema.ReloadResponse:
        """Make the server read cluster.toml again."""
        return await self._post("/config/reload", schema.ReloadResponse)

    # --- plumbing ---------------------------------------------------------------------------------

    async def _get(self, path: str, model: type[M], query: Mapping[str, str] | None = None) -> M:
        return _body(model, await self._transport.call("GET", path, query=query))

    async def _post(
        self,
        path: str,
        model: type[M],
        body: schema.Request | None = None,
        *,
        idempotency_key: str = "",
        timeout_seconds: float | None = None,
    ) -> M:
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        data = await self._transport.call(
            "POST", path, body=body, headers=headers, timeout_seconds=timeout_seconds
        )
        return _body(model, data)

    async def _delete(self, path: str, model: type[M], query: Mapping[str, str] | None = None) -> M:
        return _body(model, await self._transport.call("DELETE", path, query=query))

    async def _events(
        self, path: str, model: type[M], query: Mapping[str, str]
    ) -> AsyncGenerator[M, None]:
        error_of = self._transport.error_of
        async with (
            self._transport.stream(path, query=query, headers=_EVENTS) as lines,
            aclosing(streams.events(lines, model, error_of=error_of)) as bodies,
        ):
            async for body in bodies:
                yield body

    async def _lines(
        self, path: str, model: type[M], query: Mapping[str, str]
    ) -> AsyncGenerator[M, None]:
        error_of = self._transport.error_of
        async with (
            self._transport.stream(path, query=query, headers={}) as lines,
            aclosing(streams.ndjson(lines, model, error_of=error_of)) as bodies,
        ):
            async for body in bodies:
                yield body


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _service(service: str, action: str = "") -> str:
    path = f"/services/{_quoted(service)}"
    return f"{path}/{action}" if action else path


def _given(**parameters: str) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value}


def _body(model: type[M], data: bytes) -> M:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise errors.Unavailable(
            "The server sent something that this version cannot read.",
            hint="Use the same version of orca on both sides.",
        ) from error
