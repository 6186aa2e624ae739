"""Which host and path goes to which cluster: Envoy's route configuration (RDS).

Envoy takes the first route that matches, so the order made here *is* the longest-path rule. The
routes never mention an endpoint: a service without any keeps its routes and answers 503.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from orca.model.route import Route, RouteTable
from orca.proxy.envoy_config.resources import Document, Json, typed
from orca.proxy.matching import normal_domain, normal_path, precedence

ROUTE_CONFIG: Final = "ingress"

_PREVIOUS_HOSTS: Final = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
}

_RETRIES: Final[Json] = {
    # Only where the upstream cannot have seen the request: safe for a POST as well.
    "retry_on": "connect-failure,refused-stream,reset-before-request",
    "num_retries": 3,
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    "retry_host_predicate": [_PREVIOUS_HOSTS],
    "host_selection_retry_max_attempts": "3",
}


def route_document(table: RouteTable, *, trusted_hops: int) -> Document:
    """The whole routing table as one document."""
    by_domain: dict[str, list[Route]] = {}
    for route in table.routes:
        by_domain.setdefault(normal_domain(route.domain), []).append(route)
    config = typed(
        "envoy.config.route.v3.RouteConfiguration",
        name=ROUTE_CONFIG,
        ignore_port_in_host_matching=True,
        request_headers_to_add=[_forwarded_host(trusted_hops)],
        virtual_hosts=[_virtual_host(d, routes) for d, routes in sorted(by_domain.items())],
    )
    return Document.of([config], names=[ROUTE_CONFIG])


def ordered(routes: Iterable[Route]) -> list[Route]:
    """The routes of one domain, winners first; of two with the same match the second is dropped."""
    first: dict[str, Route] = {}
    for route in sorted(routes, key=precedence):
        first.setdefault(normal_path(route), route)
    return list(first.values())


def _virtual_host(domain: str, routes: Iterable[Route]) -> Json:
    return {
        "name": domain,
        "domains": [domain],
        "routes": [_route(route) for route in ordered(routes)],
        "retry_policy": _RETRIES,
    }


def _route(route: Route) -> Json:
    # No timeout: an upload, a download or an event stream may take as long as it moves.
    return {"match": _match(route), "route": {"cluster": str(route.service), "timeout": "0s"}}


def _match(route: Route) -> Json:
    path = normal_path(route)
    return {"prefix": "/"} if path == "/" else {"path_separated_prefix": path}


def _forwarded_host(trusted_hops: int) -> Json:
    # Behind a proxy of ours the header names what the client asked for, and is kept.
    action = "ADD_IF_ABSENT" if trusted_hops else "OVERWRITE_IF_EXISTS_OR_ADD"
    header = {"key": "x-forwarded-host", "value": "%REQ(:AUTHORITY)%"}
    return {"header": header, "append_action": action}
