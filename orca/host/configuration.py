"""cluster.toml as the running server holds it: read at start, read again on reload.

A reload is judged as a whole before any of it takes effect. Some keys cannot change while the server
runs; those are named, and keep their old values until a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orca.client.schema import ReloadResponse
from orca.spec import load
from orca.spec.cluster import ClusterSpec
from orca.spec.discover import CLUSTER_FILE
from orca.spec.support import unsupported

RESTART_KEYS: tuple[str, ...] = (
    "cluster.name",
    "cluster.api_host",
    "cluster.api_port",
    "cluster.grpc_port",
    "store",
    "observability.otlp_endpoint",
    "proxy.https_port",
)
"""What only a restart of the server changes."""

LIVE_KEYS: tuple[str, ...] = (
    "cluster.domain",
    "cluster.log_level",
    "proxy.http_port",
    "proxy.access_log",
    "token",
)
"""What a reload changes at once."""


def read(root: Path) -> load.Loaded:
    """Read the configuration. Raises `InvalidConfig` when cluster.toml has problems."""
    loaded = load.load(root)
    mine = tuple(p for p in loaded.problems if p.file == CLUSTER_FILE)
    if mine:
        # Problems of services are for those who deploy them.
        load.Loaded(root=loaded.root, cluster=loaded.cluster, services=(), problems=mine).require()
    return loaded


def not_yet(cluster: ClusterSpec) -> tuple[str, ...]:
    """What cluster.toml asks for and this version cannot do, in words."""
    return tuple(f"cluster.toml: {sentence}" for sentence in unsupported(cluster))


def changed(before: ClusterSpec, after: ClusterSpec, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Which of the keys differ."""
    return tuple(key for key in keys if _value(before, key) != _value(after, key))


def _value(spec: ClusterSpec, key: str) -> object:
    value: object = spec
    for part in key.split("."):
        value = getattr(value, part)
    return value


@dataclass(slots=True)
class Configuration:
    """The configuration in force. `apply` is told of each accepted change."""

    root: Path
    cluster: ClusterSpec
    apply: Callable[[ClusterSpec], None]
    started: ClusterSpec = field(init=False)
    """What the server was started with; the keys that need a restart still have these values."""

    def __post_init__(self) -> None:
        self.started = self.cluster

    def not_yet(self) -> tuple[str, ...]:
        """What is configured and cannot be done."""
        return not_yet(self.cluster)

    async def reload(self) -> ReloadResponse:
        """Read again. Raises `InvalidConfig`; then nothing changes."""
        fresh = read(self.root).cluster
        live = changed(self.cluster, fresh, LIVE_KEYS)
        later = changed(self.started, fresh, RESTART_KEYS)
        self.apply(fresh)
        self.cluster = fresh
        return ReloadResponse(changed=live, needs_restart=later)
