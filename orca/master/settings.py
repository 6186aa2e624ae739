"""What a master has to be told at start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterSettings:
    """Facts that stay as they are until a restart or, what is only shown, until a reload."""

    cluster: str
    name: str
    """Name of this master, as others see it."""
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 6881
    config_root: str = ""
    home: str = ""
    api_url: str = ""
    http_port: int = 80
    https_port: int = 443
    heartbeat_seconds: float = 2.0
    """A node or proxy silent for three of these has lost its session."""
