"""From ready replicas to the table that proxies serve.

A route exists as long as its service does, so that a service without a ready replica is told apart from
one that nobody knows: 503 against 404. Only ready replicas are endpoints; a draining one stays in the
table, marked, until it has gone.
"""

from __future__ import annotations

from collections.abc import Iterator

from orca.model.replica import Desired, Replica
from orca.model.route import Backend, Endpoint, EndpointState, Route, RouteTable
from orca.model.service import Ingress
from orca.model.snapshot import Snapshot
from orca.plan.view import ServiceView, views


def routes(snapshot: Snapshot) -> RouteTable:
    """The complete table; equal snapshots give equal tables."""
    found: list[Route] = []
    backends: list[Backend] = []
    for view in views(snapshot).values():
        ingress = _ingress(view)
        if ingress is None:
            continue
        found += _routes(view, ingress)
        endpoints = tuple(sorted(e for r in view.replicas if (e := _endpoint(view, r))))
        backends.append(Backend(service=view.service.id, endpoints=endpoints))
    return RouteTable(routes=tuple(sorted(found)), backends=tuple(backends))


def _ingress(view: ServiceView) -> Ingress | None:
    """What the service exposes: by its newest revision that has a ready replica, else by its target."""
    if view.service.removed and not view.replicas:
        return None
    ready = [r for r in view.replicas if view.is_ready(r) and r.revision in view.revisions]
    current = any(view.is_current(r) for r in ready)
    revision = view.revision
    if ready and not current:
        revision = view.revisions[max(ready, key=lambda r: r.generation).revision]
    ingress = revision.spec.ingress
    return ingress if ingress.domains and not ingress.internal else None


def _routes(view: ServiceView, ingress: Ingress) -> Iterator[Route]:
    for domain in ingress.domains:
        for path in ingress.paths:
            yield Route(domain=domain, path=prefix_of(path), service=view.service.id)


def prefix_of(path: str) -> str:
    """The prefix a user's route stands for: `/api/*`, `/api/` and `/api` all mean `/api` and below."""
    return path.rstrip("*").rstrip("/") or "/"


def _endpoint(view: ServiceView, replica: Replica) -> Endpoint | None:
    status = view.statuses.get(replica.id)
    if status is None or not status.address or not status.port or not view.is_ready(replica):
        return None
    if replica.desired is Desired.STOP:
        return None
    draining = replica.desired is Desired.DRAIN
    return Endpoint(
        replica=replica.id,
        address=status.address,
        port=status.port,
        state=EndpointState.DRAINING if draining else EndpointState.SERVING,
    )
