"""Which route answers a request: the meaning of a route table, apart from any proxy.

Hosts: the exact domain wins, then the wildcard with the longest suffix (`*.example.com` covers any
depth below `example.com`, not the name itself), then `*`. Only the routes of the domain that won are
looked at. Paths: the longest matching prefix wins.

Envoy decides the same by the order `envoy_config` gives it; the contract tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterable

from orca.model.ids import ServiceId
from orca.model.route import Route, RouteTable


def match(table: RouteTable, *, host: str, path: str) -> ServiceId | None:
    """The service that answers `host` (a port is ignored) and `path` (a query is ignored)."""
    domain = best_domain({normal_domain(r.domain) for r in table.routes}, without_port(host))
    bare = path.partition("?")[0]
    hits = [r for r in table.routes if normal_domain(r.domain) == domain and covers(r, bare)]
    best = min(hits, key=precedence, default=None)
    return None if best is None else best.service


def normal_domain(domain: str) -> str:
    """Names are compared in lower case; nothing at all stands for every host."""
    return domain.lower() or "*"


def normal_path(route: Route) -> str:
    """A prefix means the same with and without its final slash."""
    return route.path.rstrip("/") or "/"


def precedence(route: Route) -> tuple[int, str, ServiceId]:
    """Sort key within one domain: what comes first wins. Ties end in the order of services."""
    path = normal_path(route)
    return -len(path), path, route.service


def covers(route: Route, path: str) -> bool:
    """Whether a route's path matches, at a segment boundary."""
    wanted = normal_path(route)
    return wanted in ("/", path) or path.startswith(wanted + "/")


def best_domain(domains: Iterable[str], host: str) -> str | None:
    """The domain that is nearest to `host`."""
    known = set(domains)
    if host in known:
        return host
    wild = [d for d in known if d.startswith("*") and d != "*" and _under(host, d[1:])]
    return max(wild, key=len, default="*" if "*" in known else None)


def _under(host: str, suffix: str) -> bool:
    return host.endswith(suffix) and len(host) > len(suffix)


def without_port(host: str) -> str:
    """The name alone, in lower case."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()
