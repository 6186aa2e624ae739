"""The keys of one `[[service]]`: types, defaults and descriptions, and nothing that relates them.

`rules` says what they have to agree on, `service.ServiceSpec` is the model to use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field
from pydantic.config import JsonDict

from orca.spec import spelling
from orca.spec.fields import (
    Alias,
    Capability,
    ContainerPath,
    Count,
    DockerName,
    Domains,
    Flag,
    Image,
    LogSize,
    Memory,
    Name,
    Port,
    Positive,
    Replicas,
    Route,
    Scalar,
    Seconds,
    SecretName,
    Spec,
    Variables,
    Words,
)
from orca.spec.probes import LivenessProbe, Probe, ReadinessProbe, StartupProbe
from orca.spec.sections import Build, Deploy, Placement, Resources, ServiceBackup
from orca.spec.storage import Mount, PortEntry, Volume


class ServiceKeys(Spec):
    """Every key of a service, canonical spelling, each checked for itself."""

    other_spellings: ClassVar[Mapping[str, JsonDict]] = spelling.SCHEMA

    name: Name = Field(description="Name of the service, unique in its project.")
    project: Name = Field(
        default="default",
        description="The directory under services/; it must be the same where it is written.",
    )
    runtime: Literal["docker", "wasm"] = Field(
        default="docker", description='What runs it. "container" is another word for docker.'
    )
    image: Image | None = Field(
        default=None, description="Image to run: name:tag or name@sha256:digest."
    )
    module: str | None = Field(
        default=None, description="WebAssembly module to run: a path or an image."
    )
    pull: Literal["auto", "always", "if-missing", "never"] = Field(
        default="auto",
        description="When to ask the registry. `auto` always asks for tags that move (latest, no tag, "
        "a branch) and otherwise only for missing images.",
    )
    replicas: Replicas = Field(
        default=1, description='Number of copies; "auto" scales with the load.'
    )
    command: Words = Field(default=(), description="Arguments in place of the image's command.")
    entrypoint: Words = Field(
        default=(), description="Program in place of the image's entry point."
    )
    user: Scalar | None = Field(
        default=None, description='User in the container: "1000", "app", "1000:1000".'
    )
    working_dir: ContainerPath | None = Field(
        default=None, description="Directory the program starts in."
    )
    env: Variables = Field(
        default_factory=dict, description="Environment variables; numbers and booleans become text."
    )
    secrets: tuple[SecretName, ...] = Field(
        default=(), description="Secrets that the container can read as files: /run/secrets/NAME."
    )
    depends_on: tuple[str, ...] = Field(
        default=(),
        description='Services that must be ready first: "db", or "project/db" in another project.',
    )

    port: Port | None = Field(
        default=None, description="Port in the container that takes requests."
    )
    domains: Domains = Field(
        default=(), description="Host names whose requests reach the service through the proxy."
    )
    routes: tuple[Route, ...] = Field(
        default=("/",),
        description='Path prefixes on these domains: "/api/*"; the longest one wins.',
    )
    internal: Flag = Field(
        default=False, description="Whether the service must not be reachable from outside."
    )
    host_port: Port | None = Field(
        default=None, description="Port of the host that leads straight to `port`, past the proxy."
    )
    extra_ports: tuple[PortEntry, ...] = Field(
        default=(),
        description='More published ports: "22222:22", "127.0.0.1:5432:5432", "53:53/udp" (host:container).',
    )
    tls_cert: str | None = Field(
        default=None, description="Certificate file (PEM) for the domains."
    )
    tls_key: str | None = Field(default=None, description="Private key file (PEM) for the domains.")
    network: DockerName | None = Field(
        default=None, description="Network to join in place of the project's own."
    )
    aliases: tuple[Alias, ...] = Field(default=(), description="More names on the network.")

    volumes: tuple[Volume, ...] = Field(
        default=(), description='Named volumes; "name:/path:ro" for short.'
    )
    mounts: tuple[Mount, ...] = Field(
        default=(), description='Directories and files of the host; "./path:/path:ro" for short.'
    )
    tmpfs: tuple[ContainerPath, ...] = Field(
        default=(), description='Directories kept in memory: "/tmp" or "/tmp:size=64m".'
    )
    read_only: Flag = Field(
        default=False, description="Whether the container's own file system is read-only."
    )
    shm_size: Memory | None = Field(default=None, description='Size of /dev/shm, as "64Mi".')

    resources: Resources = Field(default_factory=Resources, description="Limits of one replica.")
    cap_add: tuple[Capability, ...] = Field(
        default=(), description="Linux capabilities beyond Docker's defaults."
    )
    cap_drop: tuple[Capability, ...] = Field(
        default=(), description="Linux capabilities to take away."
    )
    privileged: Flag = Field(
        default=False, description="Whether the container may do everything its host may."
    )
    init: Flag = Field(
        default=True, description="Whether a small init reaps processes and passes signals on."
    )

    startup: StartupProbe | None = Field(default=None, description="Has the program started?")
    readiness: ReadinessProbe | None = Field(default=None, description="Can it take traffic?")
    liveness: LivenessProbe | None = Field(
        default=None, description="Does it have to be restarted?"
    )
    stop_grace_secs: Seconds = Field(
        default=10.0, description="Seconds between SIGTERM and SIGKILL."
    )
    max_restarts: Count | None = Field(
        default=None,
        description="Restarts in place until a replica counts as failed; no limit when left out.",
    )
    log_max_size: LogSize = Field(default="10m", description="Size of one log file of a container.")
    log_max_files: Positive = Field(
        default=3, description="Number of log files kept per container."
    )
    labels: dict[str, str] = Field(
        default_factory=dict, description="More labels of the container."
    )

    deploy: Deploy = Field(
        default_factory=Deploy, description="How a new revision replaces the old one."
    )
    placement: Placement = Field(default_factory=Placement, description="Which nodes may run it.")
    build: Build | None = Field(default=None, description="Build the image from git.")
    backup: ServiceBackup | None = Field(
        default=None, description="Backups of the service's volumes."
    )
    triggers: tuple[str, ...] = Field(
        default=(),
        description="What starts a wasm module: http:/path, cron:…, queue:topic, event:pattern.",
    )
    assets: str | None = Field(default=None, description="Directory of files for a wasm module.")

    def probe_port(self, probe: Probe) -> int | None:
        """The port that `probe` asks; None for exec probes."""
        return None if probe.kind == "exec" else probe.port or self.port
