"""What an operator may set about a proxy, and the times it works by."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Settings of one proxy. Two with the same `home` would fight over one Envoy."""

    home: Path
    """State lives below `<home>/proxy/`."""
    name: str
    """How people call this proxy; also Envoy's node id."""
    http_port: int = 80
    https_port: int = 443
    """Unused until certificates exist: nothing listens here yet."""
    bind: str = "0.0.0.0"  # noqa: S104  an ingress is reached from everywhere unless told otherwise
    """The IP address the listeners bind."""
    access_log: bool = True
    """Whether every request becomes one JSON line in `access.log`, at most a second late."""
    concurrency: int = 0
    """Worker threads; 0 is one per CPU this process may use. A change replaces Envoy."""
    trusted_hops: int = 0
    """How many proxies of ours stand in front and may be believed about `X-Forwarded-*`.

    0 means clients connect directly and whatever they claim is overwritten.
    """
    drain_seconds: float = 10.0
    """How long a listener that goes away lets its connections finish. A change replaces Envoy."""
    apply_seconds_max: float = 10.0
    """Envoy takes a version in tens of milliseconds; after this long it counts as hanging."""
    heartbeat_seconds: float = 1.5
    """Between heartbeats to the master; three unanswered ones end the session."""
    connections_max: int = 50_000
    """Downstream connections of the whole process; more are closed at once. A change replaces Envoy."""

    @property
    def directory(self) -> Path:
        """Where this proxy keeps everything it writes."""
        return self.home / "proxy"

    @property
    def workers(self) -> int:
        """`concurrency` with its default filled in."""
        return self.concurrency or len(os.sched_getaffinity(0))
