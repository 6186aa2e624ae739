"""Services and their endpoints: Envoy's clusters (CDS) and load assignments (EDS)."""

from __future__ import annotations

import functools
from typing import Final

from orca.model.route import Backend, Endpoint, EndpointState
from orca.proxy.envoy_config.resources import Document, Json, typed, watched

_UNLIMITED: Final = 1_000_000
"""Envoy's default of 1,024 requests per service is a limit nobody asked for."""

_LIMITS: Final = ("max_connections", "max_pending_requests", "max_requests", "max_retries")

_CONNECT_SECONDS: Final = 1
"""A container that is gone answers nothing at all: soon give up and try another."""

_UPSTREAM_IDLE_SECONDS: Final = 4
"""Below the 5 s after which common application servers (Node, uvicorn, Apache) close an idle
connection, so that a request is not sent into one that is just being closed."""

_BUFFER_BYTES: Final = 256 * 1024

_HEALTH: Final = {EndpointState.SERVING: "HEALTHY", EndpointState.DRAINING: "DRAINING"}


def cluster(name: str, *, endpoints_path: str) -> Json:
    """One service, whose endpoints come from a file of their own."""
    return typed(
        "envoy.config.cluster.v3.Cluster",
        name=name,
        type="EDS",
        eds_cluster_config={"eds_config": watched(endpoints_path)},
        connect_timeout=f"{_CONNECT_SECONDS}s",
        lb_policy="LEAST_REQUEST",
        common_lb_config={
            # Zero: never send to a draining endpoint because few others are left.
            "healthy_panic_threshold": {"value": 0},
            # Otherwise a change of health alone may wait for a second.
            "update_merge_window": "0s",
        },
        circuit_breakers={"thresholds": [dict.fromkeys(_LIMITS, _UNLIMITED)]},
        per_connection_buffer_limit_bytes=_BUFFER_BYTES,
        upstream_connection_options={"tcp_keepalive": {"keepalive_time": 300}},
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                common_http_protocol_options={
                    "idle_timeout": f"{_UPSTREAM_IDLE_SECONDS}s",
                    "max_headers_count": 200,
                },
                explicit_http_config={"http_protocol_options": {}},
            )
        },
    )


@functools.lru_cache(maxsize=10_000)  # of a thousand services, one changes at a time
def endpoints(backend: Backend) -> Document:
    """Where a service's replicas are. Draining ones finish what they have and get nothing new."""
    name = str(backend.service)
    hosts = [_host(endpoint) for endpoint in sorted(backend.endpoints)]
    assignment = typed(
        "envoy.config.endpoint.v3.ClusterLoadAssignment",
        cluster_name=name,
        endpoints=[{"lb_endpoints": hosts}] if hosts else [],
    )
    return Document.of([assignment], names=[name])


def _host(endpoint: Endpoint) -> Json:
    address = {"address": endpoint.address, "port_value": endpoint.port}
    return {
        "endpoint": {"address": {"socket_address": address}},
        "health_status": _HEALTH[endpoint.state],
    }
