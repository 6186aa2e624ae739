"""What a node has to be told. Everything else it learns from its host and from the master."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Settings of one node agent. Times are seconds."""

    home: Path
    """State directory of this orca; the node's part is `<home>/node`."""
    cluster: str
    """Name of the cluster; containers of others are not touched."""
    name: str
    """The node's name, for people and for `placement.node`."""
    instance: str = "default"
    """Tells several orcas of one host apart under /run/orca."""
    known_as: str = ""
    """The node's id by its certificate, in case its own record is lost."""
    version: str = ""
    """Of orca, for the facts."""
    labels: Mapping[str, str] = field(default_factory=dict)
    docker_host: str = ""
    """Empty is `DOCKER_HOST`, or the usual socket."""
    runtime_directory: Path | None = None
    """A tmpfs for secret files; None is /run, or XDG_RUNTIME_DIR without root."""
    heartbeat_seconds: float = 2.0
    """Until the master's welcome says otherwise."""
    resync_seconds: float = 10.0
    """How often every container is looked at without an event."""
    redial_seconds: float = 0.2
    redial_seconds_max: float = 5.0
    welcome_seconds: float = 10.0
    """Longest wait for a master's first answer."""
    report_seconds: float = 0.005
    """Status changes within this time travel together."""
    docker_retry_seconds: float = 0.1
    docker_retry_seconds_max: float = 1.0

    @property
    def directory(self) -> Path:
        """The node's own part of the home."""
        return self.home / "node"

    @property
    def secrets_directory(self) -> Path:
        """Where secret files live while their replicas do."""
        base = self.runtime_directory or default_runtime_directory()
        return base / "orca" / self.instance / "secrets"


def default_runtime_directory() -> Path:
    """A directory in memory that this user may write."""
    if os.geteuid() == 0:
        return Path("/run")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
