"""What Envoy is started with: everything that a running Envoy cannot be told later.

The fingerprint covers it all, the command line and the program included: an Envoy with another
fingerprint has to be replaced, one with the same can be adopted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from orca.proxy.envoy_config.resources import Json, typed, watched
from orca.proxy.settings import ProxySettings

FINGERPRINT: Final = "orca_fingerprint"
"""The key of the node's metadata under which a running Envoy shows its fingerprint."""

_STATS_SUFFIXES: Final = (
    # How orca learns what Envoy took.
    ".version_text",
    ".update_rejected",
    ".update_failure",
    # What an operator asks first. Each one more is paid for by every request.
    "downstream_cx_active",
    "downstream_rq_total",
    "downstream_rq_5xx",
    ".membership_healthy",
    ".membership_total",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """A bootstrap file's content, the arguments that go with it, and the fingerprint of both."""

    text: str
    arguments: tuple[str, ...]
    fingerprint: str


def bootstrap(
    settings: ProxySettings,
    *,
    listeners_path: str,
    clusters_path: str,
    admin_path: str,
    program: str,
) -> Bootstrap:
    """Build it. `program` stands for the Envoy binary and its version."""
    arguments = _arguments(settings)
    document: Json = {
        "dynamic_resources": {
            "lds_config": watched(listeners_path),
            "cds_config": watched(clusters_path),
        },
        "stats_config": {
            "stats_matcher": {
                "inclusion_list": {"patterns": [{"suffix": suffix} for suffix in _STATS_SUFFIXES]}
            }
        },
        "overload_manager": _overload(settings),
    }
    seed = json.dumps([document, arguments, program, settings.name], sort_keys=True)
    fingerprint = hashlib.sha256(seed.encode()).hexdigest()[:16]
    document["node"] = {
        "id": settings.name,
        "cluster": "orca-proxy",
        "metadata": {FINGERPRINT: fingerprint},
    }
    # Two Envoys have different admin sockets while one replaces the other: not in the fingerprint.
    document["admin"] = {"address": {"pipe": {"path": admin_path, "mode": 0o600}}}
    text = json.dumps(document, indent=1, sort_keys=True)
    return Bootstrap(text=text, arguments=arguments, fingerprint=fingerprint)


def _arguments(settings: ProxySettings) -> tuple[str, ...]:
    return (
        "--concurrency",
        str(settings.workers),
        "--drain-time-s",
        str(max(1, round(settings.drain_seconds))),
        "--drain-strategy",
        "immediate",
        "--file-flush-interval-msec",
        "1000",
        "--log-level",
        "warning",
        # Replacement works by two Envoys sharing the port, not by Envoy's hot restart.
        "--disable-hot-restart",
        "--reject-unknown-dynamic-fields",
    )


def _overload(settings: ProxySettings) -> Json:
    monitor = typed(
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=settings.connections_max,
    )
    name = "envoy.resource_monitors.global_downstream_max_connections"
    return {"resource_monitors": [{"name": name, "typed_config": monitor}]}
