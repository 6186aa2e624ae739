"""The route table: the one place that says what the API has and who may use it.

Router, permissions, OpenAPI, metric labels and the table in `docs/api.md` are read off it. A route
without a role does not come into being: what nobody thought about is refused, not open.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Literal

from pydantic import BaseModel

from orca.client import schema
from orca.master.api import handlers, queries
from orca.master.api.call import Answer, B, Call, NoBody, Q
from orca.master.control import Role

PREFIX = "/api/v1"

_PARAMETER = re.compile(r"\{(\w+)\}")

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Stream(StrEnum):
    """How an answer comes that is more than one body."""

    NONE = "none"
    EVENTS = "events"
    """JSON, or server-sent events when asked for."""
    LINES = "lines"
    """NDJSON."""
    SOCKET = "socket"
    """A WebSocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[Q, B]):
    """One method on one path."""

    method: Method
    path: str
    """Below `PREFIX`, with `{name}` for parameters."""
    role: Role | None
    """The least role that may call it; None only together with `public`."""
    summary: str
    handler: Callable[[Call[Q, B]], Awaitable[Answer]]
    query: type[Q]
    body: type[B]
    response: type[BaseModel] | None
    """None: not JSON, or nothing but a stream."""
    item: type[BaseModel] | None = None
    """What a stream is made of."""
    stream: Stream = Stream.NONE
    public: bool = False
    """Whether it answers without a token."""
    reads_only: bool = False
    """Of a POST: that it changes nothing, and so is not audited."""
    unprefixed: bool = False
    """Whether it also answers without `PREFIX`."""

    def __post_init__(self) -> None:
        if (self.role is None) != self.public:
            raise ValueError(
                f"{self.method} {self.path}: give it a role, or make it public; not both"
            )
        if (self.stream is Stream.NONE) != (self.item is None):
            raise ValueError(f"{self.method} {self.path}: a stream and its items go together")

    @property
    def paths(self) -> tuple[str, ...]:
        """Everywhere it answers; the first is the one to document."""
        full = PREFIX + self.path
        return (full, self.path) if self.unprefixed else (full,)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces in the path."""
        return tuple(_PARAMETER.findall(self.path))

    @property
    def changes(self) -> bool:
        """Whether it can change something, and so is audited; a command in a replica can."""
        return self.stream is Stream.SOCKET or not (self.method == "GET" or self.reads_only)

    @property
    def takes_body(self) -> bool:
        """Whether there is anything that a body could say."""
        return self.body is not NoBody


def _get(
    path: str,
    role: Role | None,
    summary: str,
    handler: Callable[[Call[Q, NoBody]], Awaitable[Answer]],
    *,
    query: type[Q],
    response: type[BaseModel] | None,
    **more: Any,
) -> Route[Q, NoBody]:
    return Route(
        method="GET",
        path=path,
        role=role,
        summary=summary,
        handler=handler,
        query=query,
        body=NoBody,
        response=response,
        **more,
    )


def _post(
    path: str,
    role: Role,
    summary: str,
    handler: Callable[[Call[queries.Query, B]], Awaitable[Answer]],
    *,
    body: type[B],
    response: type[BaseModel],
    **more: Any,
) -> Route[queries.Query, B]:
    return Route(
        method="POST",
        path=path,
        role=role,
        summary=summary,
        handler=handler,
        query=queries.Query,
        body=body,
        response=response,
        **more,
    )


_OBSERVING: tuple[Route[Any, Any], ...] = (
    _get(
        "/health",
        None,
        "Whether this master can do its work; 503 while it cannot",
        handlers.health,
        query=queries.Query,
        response=schema.Health,
        public=True,
    ),
    _get(
        "/metrics",
        Role.VIEWER,
        "Metrics for Prometheus",
        handlers.metrics,
        query=queries.Query,
        response=None,
        unprefixed=True,
    ),
    _get(
        "/openapi.json",
        Role.VIEWER,
        "This API as OpenAPI 3.1",
        handlers.openapi,
        query=queries.Query,
        response=None,
    ),
    _get(
        "/cluster/info",
        Role.VIEWER,
        "Facts about the control plane",
        handlers.info,
        query=queries.Query,
        response=schema.ClusterInfo,
    ),
    _get(
        "/status",
        Role.VIEWER,
        "Services, nodes and proxies; with `watch` again after each change",
        handlers.status,
        query=queries.StatusQuery,
        response=schema.StatusResponse,
        item=schema.StatusResponse,
        stream=Stream.EVENTS,
    ),
    _get(
        "/rollouts",
        Role.VIEWER,
        "Rollouts by id; as a stream until all have ended",
        handlers.rollouts,
        query=queries.RolloutsQuery,
        response=schema.Rollouts,
        item=schema.RolloutView,
        stream=Stream.EVENTS,
    ),
    _get(
        "/events",
        Role.VIEWER,
        "What happened, oldest first; with `follow` also what happens",
        handlers.events,
        query=queries.EventsQuery,
        response=schema.Events,
        item=schema.EventView,
        stream=Stream.EVENTS,
    ),
    _get(
        "/services/{service}/history",
        Role.VIEWER,
        "The deployments of a service, newest first",
        handlers.history,
        query=queries.Query,
        response=schema.History,
    ),
    _get(
        "/services/{service}/why",
        Role.VIEWER,
        "Why a service is as it is",
        handlers.why,
        query=queries.Query,
        response=schema.Why,
    ),
    _get(
        "/services/{service}/logs",
        Role.VIEWER,
        "Log lines of all replicas of a service",
        handlers.logs,
        query=queries.LogsParameters,
        response=None,
        item=schema.LogLine,
        stream=Stream.LINES,
    ),
)

_CHANGING: tuple[Route[Any, Any], ...] = (
    _post(
        "/plan",
        Role.DEPLOYER,
        "What a deploy would do; changes nothing",
        handlers.plan,
        body=schema.DeployRequest,
        response=schema.PlanResponse,
        reads_only=True,
    ),
    _post(
        "/deploy",
        Role.DEPLOYER,
        "Deploy services, all or none; the rollouts go on in the background",
        handlers.deploy,
        body=schema.DeployRequest,
        response=schema.DeployResponse,
    ),
    _post(
        "/services/{service}/scale",
        Role.DEPLOYER,
        "Change the number of replicas",
        handlers.scale,
        body=schema.ScaleRequest,
        response=schema.Accepted,
    ),
    _post(
        "/services/{service}/restart",
        Role.DEPLOYER,
        "Replace every replica, same revision",
        handlers.restart,
        body=NoBody,
        response=schema.Accepted,
    ),
    _post(
        "/services/{service}/rollback",
        Role.DEPLOYER,
        "Go back to an earlier revision",
        handlers.rollback,
        body=schema.RollbackRequest,
        response=schema.Accepted,
    ),
    _post(
        "/services/{service}/stop",
        Role.DEPLOYER,
        "Stop a service; its spec stays",
        handlers.stop,
        body=NoBody,
        response=schema.DeployResponse,
    ),
    _post(
        "/services/{service}/start",
        Role.DEPLOYER,
        "Start a stopped service",
        handlers.start,
        body=NoBody,
        response=schema.DeployResponse,
    ),
    _get(
        "/services/{service}/exec",
        Role.DEPLOYER,
        "Run a command in a ready replica",
        handlers.execute,
        query=queries.Query,
        response=None,
        item=schema.ExecOpened,
        stream=Stream.SOCKET,
    ),
    Route(
        method="DELETE",
        path="/services/{service}",
        role=Role.ADMIN,
        summary="Stop a service and forget it; its volumes stay",
        handler=handlers.remove,
        query=queries.Query,
        body=NoBody,
        response=schema.DeployResponse,
    ),
    Route(
        method="DELETE",
        path="/projects/{project}",
        role=Role.ADMIN,
        summary="Remove all services of a project; their volumes stay",
        handler=handlers.remove_project,
        query=queries.Query,
        body=NoBody,
        response=schema.DeployResponse,
    ),
    _post(
        "/services/stop",
        Role.DEPLOYER,
        "Stop several services, all or none, dependents first",
        handlers.stop_services,
        body=schema.Selection,
        response=schema.DeployResponse,
    ),
    _post(
        "/services/start",
        Role.DEPLOYER,
        "Start several stopped services, all or none, dependencies first",
        handlers.start_services,
        body=schema.Selection,
        response=schema.DeployResponse,
    ),
    _post(
        "/services/remove",
        Role.ADMIN,
        "Stop several services and forget them, all or none; their volumes stay",
        handlers.remove_services,
        body=schema.Selection,
        response=schema.DeployResponse,
    ),
    _post(
        "/stop",
        Role.ADMIN,
        "Stop all services, dependents first; their specs stay",
        handlers.stop_all,
        body=NoBody,
        response=schema.DeployResponse,
    ),
    _post(
        "/start",
        Role.ADMIN,
        "Start all stopped services, dependencies first",
        handlers.start_all,
        body=NoBody,
        response=schema.DeployResponse,
    ),
)

_CONFIGURING: tuple[Route[Any, Any], ...] = (
    _get(
        "/secrets",
        Role.DEPLOYER,
        "Names of secrets; with a project also those of the cluster",
        handlers.secrets,
        query=queries.ProjectQuery,
        response=schema.SecretList,
    ),
    Route(
        method="PUT",
        path="/secrets/{name}",
        role=Role.ADMIN,
        summary="Keep a value; it is never sent back",
        handler=handlers.set_secret,
        query=queries.Query,
        body=schema.SecretValue,
        response=schema.SecretList,
    ),
    _post(
        "/secrets/import",
        Role.ADMIN,
        "Keep several values, all or none",
        handlers.import_secrets,
        body=schema.SecretImport,
        response=schema.SecretList,
    ),
    Route(
        method="DELETE",
        path="/secrets/{name}",
        role=Role.ADMIN,
        summary="Forget a secret that no service uses",
        handler=handlers.remove_secret,
        query=queries.ProjectQuery,
        body=NoBody,
        response=schema.Done,
    ),
    _get(
        "/secrets/{name}/usages",
        Role.DEPLOYER,
        "Where a secret is used",
        handlers.secret_usages,
        query=queries.ProjectQuery,
        response=schema.SecretUsages,
    ),
    _post(
        "/config/reload",
        Role.ADMIN,
        "Read cluster.toml again",
        handlers.reload,
        body=NoBody,
        response=schema.ReloadResponse,
    ),
)

TABLE: tuple[Route[Any, Any], ...] = _OBSERVING + _CHANGING + _CONFIGURING
