"""What a master can be asked: the port between the REST API and the control plane.

The API knows HTTP, tokens and streams; the control plane knows the cluster. Every method raises only
`OrcaError`s. Methods that change something return after the change is committed in the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from orca.client import schema
from orca.rpc.messages import ExecRequest
from orca.rpc.session import ChunkStream


class Role(IntEnum):
    """What a token may do; each role includes the ones below it."""

    VIEWER = 1
    DEPLOYER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsQuery:
    """Which log lines of a service."""

    tail: int = 100
    """Lines per replica; -1 is all."""
    follow: bool = False
    since: float = 0.0
    """Unix seconds; 0 is the beginning."""
    previous: bool = False
    replica: str = ""
    """Id prefix, container name or slot; empty is all."""
    timestamps: bool = False


class ControlPlane(Protocol):
    """The leading master. `service` arguments are `name` or `project/name`; a bare name must be unique."""

    def health(self) -> schema.Health:
        """Whether this master can do its work."""
        ...

    async def info(self) -> schema.ClusterInfo:
        """Facts about the control plane."""
        ...

    def status(self, *, project: str = "", service: str = "") -> schema.StatusResponse:
        """Services, nodes and proxies. Raises `NotFound` for names that do not exist."""
        ...

    def watch_status(
        self, *, project: str = "", service: str = ""
    ) -> AsyncIterator[schema.StatusResponse]:
        """The status now, and again after each change."""
        ...

    def watch_rollouts(self, ids: tuple[str, ...]) -> AsyncIterator[schema.RolloutView]:
        """Each rollout now and after each change, until all have ended. Unknown ids: `NotFound`."""
        ...

    async def plan(self, request: schema.DeployRequest, *, by: Principal) -> schema.PlanResponse:
        """What `deploy` would do; changes nothing."""
        ...

    async def deploy(
        self, request: schema.DeployRequest, *, by: Principal
    ) -> schema.DeployResponse:
        """Resolve images, commit revisions and begin rollouts: all services or none."""
        ...

    async def scale(self, service: str, replicas: int, *, by: Principal) -> schema.Accepted:
        """Change the number of replicas."""
        ...

    async def restart(self, service: str, *, by: Principal) -> schema.Accepted:
        """Replace every replica as in a rollout, same revision."""
        ...

    async def rollback(self, service: str, to: int, *, by: Principal) -> schema.Accepted:
        """Begin a rollout to an earlier revision; 0 is the last good one before the present."""
        ...

    async def stop(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        """Stop services, dependents first; empty is all of them. Their specs stay."""
        ...

    async def start(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        """Start stopped services, dependencies first."""
        ...

    async def remove(self, services: tuple[str, ...], *, by: Principal) -> schema.DeployResponse:
        """Stop services and forget them. Volumes stay."""
        ...

    async def remove_project(self, project: str, *, by: Principal) -> schema.DeployResponse:
        """Remove all services of a project."""
        ...

    async def history(self, service: str) -> schema.History:
        """The deployments of a service, newest first."""
        ...

    async def why(self, service: str) -> schema.Why:
        """Why a service is as it is."""
        ...

    def logs(self, service: str, query: LogsQuery) -> AsyncIterator[schema.LogLine]:
        """Log lines of all its replicas as they come."""
        ...

    async def exec(self, service: str, request: ExecRequest, *, by: Principal) -> ChunkStream:
        """Run a command in a ready replica; `request.replica` may name one by id prefix or slot."""
        ...

    async def events(self, *, after: int = 0, service: str = "", limit: int = 200) -> schema.Events:
        """The newest events after a sequence number."""
        ...

    def watch_events(self, *, after: int = 0, service: str = "") -> AsyncIterator[schema.EventView]:
        """Events after a sequence number, then new ones as they happen."""
        ...

    async def secrets(self, *, project: str = "") -> schema.SecretList:
        """Names of secrets; with a project also those of the cluster."""
        ...

    async def set_secrets(
        self, values: dict[str, str], *, project: str, by: Principal
    ) -> schema.SecretList:
        """Keep values, all or none."""
        ...

    async def remove_secret(self, name: str, *, project: str, by: Principal) -> schema.Done:
        """Forget a secret. Raises `Conflict` while a service uses it."""
        ...

    async def secret_usages(self, name: str, *, project: str = "") -> schema.SecretUsages:
        """Where a secret is used."""
        ...

    async def reload(self, *, by: Principal) -> schema.ReloadResponse:
        """Read cluster.toml again. Raises `InvalidConfig`; then nothing changes."""
        ...
