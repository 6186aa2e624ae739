"""The whole configuration from a route table."""

from __future__ import annotations

from dataclasses import dataclass

from orca.model.route import Backend, RouteTable
from orca.proxy.envoy_config.clusters import cluster, endpoints
from orca.proxy.envoy_config.listeners import listener_document
from orca.proxy.envoy_config.resources import EnvoyConfig, endpoints_file
from orca.proxy.envoy_config.routes import route_document
from orca.proxy.settings import ProxySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where Envoy will find what; absolute."""

    routes: str
    endpoints_directory: str
    access_log: str


def build(table: RouteTable, settings: ProxySettings, paths: Paths) -> EnvoyConfig:
    """Configure Envoy for `table`. A routed service without a backend gets an empty one."""
    backends = {str(backend.service): backend for backend in table.backends}
    for route in table.routes:
        backends.setdefault(str(route.service), Backend(service=route.service))
    return EnvoyConfig(
        listeners=listener_document(
            settings, routes_path=paths.routes, access_log_path=paths.access_log
        ),
        routes=route_document(table, trusted_hops=settings.trusted_hops),
        clusters={
            name: cluster(
                name, endpoints_path=f"{paths.endpoints_directory}/{endpoints_file(name)}"
            )
            for name in backends
        },
        endpoints={name: endpoints(backend) for name, backend in backends.items()},
    )
