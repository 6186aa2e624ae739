"""What `orca server` is told on its command line, and where it keeps things."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where the configuration is, where state goes."""

    home: Path
    config_root: Path
    proxy_http_port: int | None = None
    """In place of `[proxy] http_port`."""


@dataclass(frozen=True, slots=True)
class Home:
    """The state directory and every path below it."""

    path: Path

    @property
    def pid_file(self) -> Path:
        """Holds the process id of the server that runs, under a lock."""
        return self.path / "orca.pid"

    @property
    def token_file(self) -> Path:
        """The admin's bearer token."""
        return self.path / "cluster.token"

    @property
    def log_file(self) -> Path:
        """Structured logs."""
        return self.path / "orca.log"

    @property
    def start_log(self) -> Path:
        """What a server in the background prints while it starts."""
        return self.path / "start.log"

    @property
    def master_key(self) -> Path:
        """Wraps the keys of all secrets."""
        return self.path / "master.key"

    @property
    def certificates(self) -> Path:
        """The cluster's certificate authority, and this host's certificates."""
        return self.path / "certs"

    @property
    def etcd(self) -> Path:
        """The embedded etcd."""
        return self.path / "etcd"

    @property
    def instance(self) -> str:
        """Tells several orcas on one host apart where a home cannot."""
        return hashlib.sha256(str(self.path).encode()).hexdigest()[:8]
