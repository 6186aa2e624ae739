"""The bodies of the REST API: what the server answers, what clients send.

One definition gives validation on both sides, the OpenAPI document and the command line's `-o json`.
Adding a field is compatible; renaming or removing one is not.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orca.spec.service import ServiceSpec


class Body(BaseModel):
    """Base of every body."""

    model_config = ConfigDict(frozen=True)


class Request(Body):
    """Base of what clients send: an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- errors ---------------------------------------------------------------------------------------


class Problem(Body):
    """An error, as `application/problem+json` (RFC 9457)."""

    type: str = Field(description="Machine name of the error, as in `orca.errors`")
    title: str = Field(description="What happened, where and why")
    status: int = Field(description="HTTP status")
    hint: str = Field(default="", description="What to do about it")
    error: str = Field(description="Same as `title`, for clients of the first API")


# --- deploying ------------------------------------------------------------------------------------


class DeployRequest(Request):
    """Services to deploy, by content: the server never reads a path of the client's."""

    services: tuple[ServiceSpec, ...] = Field(description="Complete specs; order does not matter")
    expect: dict[str, int] = Field(
        default_factory=dict,
        description="`project/service` → version the plan was made from; a mismatch is a conflict",
    )
    trace: str = Field(default="", description="W3C traceparent of the caller")


class Change(Body):
    """One difference between what runs and what is asked for. Secret values never appear."""

    field: str = Field(description="Dotted path, for example `container.env.DB_HOST`")
    before: str = ""
    after: str = ""


class ServicePlan(Body):
    """What a deploy does to one service."""

    service: str = Field(description="`project/service`")
    action: str = Field(description="`create`, `update`, `scale`, `retry` or `unchanged`")
    revision: int = Field(description="The revision it will have")
    changes: tuple[Change, ...] = ()
    replicas_before: int = 0
    replicas_after: int = 0
    order: str = Field(default="", description="`start-first` or `stop-first`, with the reason")
    steps: tuple[str, ...] = Field(default=(), description="What happens first, in words")
    version: int = Field(default=0, description="For `DeployRequest.expect`")


class PlanResponse(Body):
    """The preview of a deploy. Running services that the request does not name are left alone."""

    services: tuple[ServicePlan, ...]
    unmanaged: tuple[str, ...] = Field(
        default=(),
        description="Running services of the same projects that the request does not name",
    )
    warnings: tuple[str, ...] = ()

    @property
    def changes_anything(self) -> bool:
        """Whether a deploy would do anything."""
        return any(plan.action != "unchanged" for plan in self.services)


class Accepted(Body):
    """A change that was committed; its rollout goes on in the background."""

    service: str
    action: str
    revision: int
    rollout: str = Field(default="", description="Id to follow; empty when nothing has to move")


class DeployResponse(Body):
    """What a deploy committed. It is all or nothing."""

    deployed: tuple[Accepted, ...] = ()
    unchanged: tuple[str, ...] = ()


class Selection(Request):
    """Several services, for a change that is made to all of them or none."""

    services: tuple[str, ...] = Field(
        min_length=1, description="Each as `name` or `project/name`; order does not matter"
    )


class ScaleRequest(Request):
    """A number of replicas."""

    replicas: int = Field(ge=0, le=1000)


class RollbackRequest(Request):
    """Where to go back to."""

    to: int = Field(
        default=0, ge=0, description="Revision; 0 is the last good one before the present"
    )


# --- observing ------------------------------------------------------------------------------------


class ReplicaView(Body):
    """One replica. `state` is `unknown` once its node has been silent for longer than the bound."""

    id: str
    slot: int
    revision: int
    node: str
    state: str
    ready: bool
    desired: str
    attempt: int = 1
    restarts: int = 0
    container_id: str = ""
    container_name: str = ""
    address: str = ""
    reason: str = ""
    exit_code: int = -1
    oom_killed: bool = False
    last_lines: tuple[str, ...] = ()
    started_at: float = 0.0
    next_restart_at: float = 0.0
    age_seconds: float = Field(default=0.0, description="Since the node last confirmed this")


class RolloutView(Body):
    """A rollout as it stands; streamed while it moves."""

    id: str
    service: str
    phase: str = Field(description="`progressing`, `complete` or `failed`")
    revision: int
    from_revision: int
    desired: int = Field(description="Replicas wanted")
    updated: int = Field(description="Replicas of the new revision")
    ready: int = Field(description="… of which ready")
    old: int = Field(description="Replicas of other revisions that still run")
    waiting: str = Field(default="", description="What it waits for, in words")
    reason: str = Field(default="", description="Why it failed")
    last_lines: tuple[str, ...] = Field(default=(), description="Last log lines of what failed")
    started_at: float = 0.0
    finished_at: float = 0.0


class Rollouts(Body):
    """Rollouts as they stand, in the order they were asked for."""

    rollouts: tuple[RolloutView, ...]


class ServiceStatus(Body):
    """One service."""

    name: str
    project: str
    status: str = Field(
        description="`running`, `progressing`, `degraded`, `failed`, `stopped`, `stopping` or `unknown`"
    )
    reason: str = ""
    replicas: int = Field(description="Wanted")
    desired_replicas: int = Field(description="Same as `replicas`")
    running_replicas: int
    ready_replicas: int
    image: str
    domain: str = ""
    urls: tuple[str, ...] = ()
    revision: int
    stable_revision: int
    runtime: str = "docker"
    rollout: RolloutView | None = None
    instances: tuple[ReplicaView, ...] = ()
    version: int = Field(default=0, description="How often users have changed it")


class NodeStatus(Body):
    """One node."""

    id: str
    name: str
    status: str = Field(description="`ready`, `docker_down` or `unknown`")
    reason: str = ""
    age_seconds: float = 0.0
    docker_version: str = ""
    cpus: float = 0.0
    memory_bytes: int = 0


class ProxyStatus(Body):
    """One proxy."""

    id: str
    name: str
    status: str = Field(description="`ready`, `rejected` or `unknown`")
    reason: str = ""
    version: int = 0


class StatusResponse(Body):
    """The cluster as the leader sees it."""

    cluster: str
    leader: bool = True
    epoch: int = 0
    settled: bool = Field(
        default=True, description="False until every node has reported after a start"
    )
    services: tuple[ServiceStatus, ...] = ()
    nodes: tuple[NodeStatus, ...] = ()
    proxies: tuple[ProxyStatus, ...] = ()


class ClusterInfo(Body):
    """Facts about the control plane."""

    cluster: str
    version: str
    config_root: str
    home: str
    started_at: float
    epoch: int
    api: str
    http_port: int
    https_port: int
    store_endpoint: str
    store_version: str
    store_bytes: int
    store_quota_bytes: int
    services: int
    nodes: int


class Health(Body):
    """Answered without a token: nothing here is confidential."""

    status: str = Field(description="`ok`, `starting` or `degraded`")
    ready: bool
    version: str
    cluster: str
    reasons: tuple[str, ...] = ()


class HistoryEntry(Body):
    """One deployment of a service."""

    id: str
    kind: str
    revision: int
    from_revision: int
    image: str
    at: float
    by: str
    outcome: str
    reason: str = ""
    duration_seconds: float = 0.0
    current: bool = False
    stable: bool = False


class History(Body):
    """Deployments of a service, newest first."""

    service: str
    entries: tuple[HistoryEntry, ...]


class EventView(Body):
    """One thing that happened."""

    sequence: int = Field(description="Grows; resume a stream with `?after=`")
    at: float
    kind: str
    level: str
    message: str
    service: str = ""
    replica: str = ""
    node: str = ""
    rollout: str = ""
    trace: str = ""


class Events(Body):
    """Events, oldest first."""

    events: tuple[EventView, ...]


class Why(Body):
    """Why a service is as it is: one causal line from spec to traffic."""

    service: str
    status: str
    summary: str = Field(description="One sentence")
    causes: tuple[str, ...] = Field(default=(), description="What leads to it, outermost first")
    events: tuple[EventView, ...] = ()
    last_lines: tuple[str, ...] = ()
    advice: str = ""


class LogLine(Body):
    """One line of output; the log stream is one of these per line of NDJSON."""

    replica: str
    slot: int
    stream: str = Field(description="`stdout` or `stderr`")
    line: str
    error: str = Field(
        default="", description="Set instead of a line when a replica's log ended badly"
    )


# --- running a command: the text frames of the exec WebSocket ------------------------------------------


class ExecOpen(Request):
    """First frame of the client: what to run. Not in the URL, which ends up in logs."""

    type: Literal["open"] = "open"
    command: tuple[str, ...] = Field(min_length=1)
    replica: str = Field(default="", description="Id prefix or slot; empty is any ready one")
    tty: bool = False
    stdin: bool = Field(default=False, description="Whether the client will send input")
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    user: str = ""
    columns: int = Field(default=0, ge=0, le=10_000)
    rows: int = Field(default=0, ge=0, le=10_000)


class ExecOpened(Body):
    """First frame of the server: the command runs."""

    type: Literal["opened"] = "opened"


class ExecResize(Request):
    """From the client: the terminal has a new size."""

    type: Literal["resize"] = "resize"
    columns: int = Field(ge=1, le=10_000)
    rows: int = Field(ge=1, le=10_000)


class ExecEof(Request):
    """From the client: no more input."""

    type: Literal["eof"] = "eof"


class ExecExit(Body):
    """Last frame of the server: the command has ended."""

    type: Literal["exit"] = "exit"
    code: int


class ExecError(Body):
    """Last frame of the server: the command could not be started or followed to its end."""

    type: Literal["error"] = "error"
    problem: Problem


# --- secrets and configuration ----------------------------------------------------------------------


class SecretInfo(Body):
    """A secret without its value."""

    name: str
    project: str = Field(default="", description="Empty for the whole cluster")
    version: int
    updated_at: float
    updated_by: str = ""


class SecretList(Body):
    """Secrets, names only."""

    secrets: tuple[SecretInfo, ...]


class SecretValue(Request):
    """A value to keep. Never sent back."""

    value: str = Field(repr=False)
    project: str = ""


class SecretImport(Request):
    """Several values at once; all are stored or none."""

    values: dict[str, str] = Field(repr=False)
    project: str = ""


class SecretUsage(Body):
    """A place that uses a secret."""

    service: str
    place: str = Field(description="Dotted path in the spec, for example `env.DB_PASSWORD`")
    current: bool = Field(description="Whether the running revision has the newest value")


class SecretUsages(Body):
    """All places that use a secret."""

    name: str
    usages: tuple[SecretUsage, ...]


class ReloadResponse(Body):
    """What reading cluster.toml again changed."""

    changed: tuple[str, ...] = Field(default=(), description="Keys in force now")
    needs_restart: tuple[str, ...] = Field(default=(), description="Keys that wait for a restart")


class Done(Body):
    """Nothing more to say than that it was done."""

    message: str = ""
