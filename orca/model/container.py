"""What a container needs in order to run: the part of a service that a node acts on.

A `ContainerSpec` is complete and resolved except for secrets, which stay `${secrets.X}` until the moment
of dispatch. Two equal specs run identically: its hash decides whether a deploy is a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PullPolicy(StrEnum):
    """When a node asks the registry for an image."""

    AUTO = "auto"
    """Mutable tags (`latest`, none, anything that is not a digest) on every deploy where a registry
    answers for them; digests only when missing."""
    ALWAYS = "always"
    IF_MISSING = "if-missing"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapping:
    """A container port published on the host."""

    host_port: int
    container_port: int
    protocol: str = "tcp"
    host_ip: str = ""
    """Address to bind; empty is every address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeMount:
    """A named Docker volume. `source` is the user's name; the node prefixes it with the project."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMount:
    """A directory or file of the host, by absolute path."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Upper bounds; 0 is unlimited."""

    memory_bytes: int = 0
    cpus: float = 0.0
    pids: int = 0
    shm_bytes: int = 0


class ProbeKind(StrEnum):
    """How a probe asks."""

    HTTP = "http"
    TCP = "tcp"
    EXEC = "exec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A health question the node asks a replica, on a timer of its own."""

    kind: ProbeKind
    path: str = "/"
    port: int = 0
    command: tuple[str, ...] = ()
    interval_seconds: float = 10.0
    timeout_seconds: float = 3.0
    failure_threshold: int = 3
    success_threshold: int = 1
    initial_delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """Everything a node needs to run one replica."""

    image: str
    """What the user wrote."""
    image_id: str = ""
    """What it resolved to: `repository@sha256:…`, or `sha256:…` for an image no registry knows."""
    pull: PullPolicy = PullPolicy.AUTO
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secret_files: tuple[str, ...] = ()
    """Names of secrets that appear as `/run/secrets/<name>`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    network: str = ""
    """Docker network; empty is the project's own, `orca-<project>`."""
    aliases: tuple[str, ...] = ()
    port: int = 0
    """The main port, on the container's own address; 0 is none."""
    ports: tuple[PortMapping, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    mounts: tuple[BindMount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    stop_grace_seconds: float = 10.0
    max_restarts: int = -1
    """Restarts in place before the replica is `failed`; -1 is no limit."""
    log_max_size: str = "10m"
    log_max_files: int = 3
    read_only: bool = False
    init: bool = True
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()

    @property
    def exclusive(self) -> bool:
        """Whether two copies cannot coexist on one host: they would share a volume or a host port."""
        writable = any(not volume.read_only for volume in self.volumes)
        return writable or bool(self.ports)
