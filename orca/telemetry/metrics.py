"""What Prometheus scrapes at `/metrics`.

Every family is declared here, in one registry per server, with buckets chosen for what it measures.
What the cluster holds is not counted up and down but replaced whole (`set_inventory`): a service that
is gone leaves no series behind.

The hard part is cardinality. Labels take values from sets that are bounded by the code or by the
user's files, never from a request: routes are templates, methods are known ones, and what would exceed
a bound is counted as `other`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# They would double the series, and nobody reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

SERIES_MAX = 20_000
"""Replica series per scrape; a cluster beyond it is summed up under `other`."""
ROUTES_MAX = 200
ACTOR_KINDS_MAX = 100
OTHER = "other"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PURE_BUCKETS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)
_STORE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_REQUEST_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_DEPLOY_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class ReplicaKey(NamedTuple):
    """Replicas that are counted together."""

    project: str
    service: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What the cluster holds now."""

    services: int = 0
    replicas: Mapping[ReplicaKey, int] = field(default_factory=dict)
    nodes: Mapping[str, int] = field(default_factory=dict)
    """Number of nodes by state."""


class Family(NamedTuple):
    """One metric as the documentation lists it."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


class Metrics:
    """The metrics of one server."""

    def __init__(
        self, *, spans_dropped: Callable[[], int] = lambda: 0, series_max: int = SERIES_MAX
    ) -> None:
        """`spans_dropped` is asked at every scrape (`traces.Tracing.spans_dropped`)."""
        self.registry = CollectorRegistry(auto_describe=True)
        self._families: list[Family] = list(_COLLECTED_FAMILIES)
        self._inventory = _InventoryCollector(series_max)
        self._routes: set[str] = set()
        self._actor_kinds: set[str] = set()
        self.registry.register(self._inventory)
        self.registry.register(_SpanCollector(spans_dropped))
        ProcessCollector(registry=self.registry)
        self._declare_control_loop()
        self._declare_api()

    def _declare_control_loop(self) -> None:
        self.is_leader = self._gauge(
            "orca_is_leader", "1 on the master that leads, 0 on the others."
        )
        self.plan_seconds = self._histogram(
            "orca_plan_seconds", "Computing one plan.", buckets=_PURE_BUCKETS
        )
        self.store_commit_seconds = self._histogram(
            "orca_store_commit_seconds", "Committing one plan to etcd.", buckets=_STORE_BUCKETS
        )
        self.deploy_seconds = self._histogram(
            "orca_deploy_seconds",
            "From the acceptance of a deploy until its rollout ended.",
            buckets=_DEPLOY_BUCKETS,
        )
        self.proxy_config_rejected = self._counter(
            "orca_proxy_config_rejected_total",
            "Configurations that Envoy refused, keeping its last good one.",
        )
        self._rollouts = self._counter("orca_rollouts_total", "Rollouts that ended.", "outcome")
        self._replica_restarts = self._counter(
            "orca_replica_restarts_total",
            "Restarts in place of crashed or unhealthy replicas.",
            "project",
            "service",
        )
        self._mailbox_depth = self._gauge(
            "orca_mailbox_depth", "Messages waiting in the mailboxes of a kind of actor.", "actor"
        )

    def _declare_api(self) -> None:
        self._api_requests = self._counter(
            "orca_api_requests_total", "Answers of the REST API.", "method", "route", "status"
        )
        self._api_request_seconds = self._histogram(
            "orca_api_request_seconds",
            "Answering one request of the REST API, streams left out.",
            "method",
            "route",
            buckets=_REQUEST_BUCKETS,
        )

    def set_inventory(self, inventory: Inventory) -> None:
        """Replace what the cluster is said to hold."""
        self._inventory.current = inventory

    def count_rollout(self, outcome: str) -> None:
        """Count a rollout by the phase it ended in."""
        self._rollouts.labels(outcome=outcome).inc()

    def count_restart(self, *, project: str, service: str) -> None:
        """Count one restart in place of a replica of this service."""
        self._replica_restarts.labels(project=project, service=service).inc()

    def forget_service(self, *, project: str, service: str) -> None:
        """Drop the series of a service that was removed."""
        self._replica_restarts.remove_by_labels({"project": project, "service": service})

    def observe_request(
        self, *, method: str, route: str, status: int, seconds: float | None
    ) -> None:
        """Count one answer. `route` is the template (`/api/v1/services/{name}`), never the path.

        `seconds` is None for a stream, whose length says nothing about the server.
        """
        method = method if method in _METHODS else OTHER
        route = _bounded(route, self._routes, limit=ROUTES_MAX)
        self._api_requests.labels(method=method, route=route, status=str(status)).inc()
        if seconds is not None:
            self._api_request_seconds.labels(method=method, route=route).observe(seconds)

    def set_mailbox_depth(self, *, kind: str, depth: int) -> None:
        """Say how many messages wait; `kind` is the class of the actors, never an id."""
        kind = _bounded(kind, self._actor_kinds, limit=ACTOR_KINDS_MAX)
        self._mailbox_depth.labels(actor=kind).set(depth)

    def render(self) -> bytes:
        """The exposition, of type `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def families(self) -> list[Family]:
        """orca's own metrics by name, for the documentation."""
        return sorted(self._families)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        self._families.append(Family(name, "counter", labels, help))
        return Counter(name, help, labels, registry=self.registry)

    def _gauge(self, name: str, help: str, *labels: str) -> Gauge:
        self._families.append(Family(name, "gauge", labels, help))
        return Gauge(name, help, labels, registry=self.registry)

    def _histogram(
        self, name: str, help: str, *labels: str, buckets: tuple[float, ...]
    ) -> Histogram:
        self._families.append(Family(name, "histogram", labels, help))
        return Histogram(name, help, labels, buckets=buckets, registry=self.registry)


class _InventoryCollector(Collector):
    """Renders one inventory, under the names of orca and the older `_total` ones."""

    def __init__(self, series_max: int) -> None:
        self.current = Inventory()
        self._series_max = series_max

    def collect(self) -> Iterator[Metric]:
        inventory = self.current  # one reading: it may be replaced by another thread
        replicas = _limited(inventory.replicas, series_max=self._series_max)
        for family in _INVENTORY_FAMILIES:
            made = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            match family.labels:
                case ():
                    made.add_metric((), inventory.services)
                case ("state",):
                    for state, count in sorted(inventory.nodes.items()):
                        made.add_metric((state,), count)
                case _:
                    for key, count in replicas.items():
                        made.add_metric(_in_order(key, family.labels), count)
            yield made


class _SpanCollector(Collector):
    def __init__(self, dropped: Callable[[], int]) -> None:
        self._dropped = dropped

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(_SPANS.name, _SPANS.help, value=self._dropped())


_INVENTORY_FAMILIES = (
    Family("orca_services", "gauge", (), "Services that the cluster knows."),
    Family("orca_replicas", "gauge", ("project", "service", "state"), "Replicas by their state."),
    Family("orca_nodes", "gauge", ("state",), "Nodes by their state."),
    Family("orca_services_total", "gauge", (), "Older name of orca_services."),
    Family(
        "orca_instances_total",
        "gauge",
        ("service", "project", "status"),
        "Older name of orca_replicas.",
    ),
    Family("orca_nodes_total", "gauge", ("state",), "Older name of orca_nodes."),
)
_SPANS = Family(
    "orca_trace_spans_dropped_total",
    "counter",
    (),
    "Spans that could not be sent to the collector.",
)
_COLLECTED_FAMILIES = (*_INVENTORY_FAMILIES, _SPANS)


def _in_order(key: ReplicaKey, labels: tuple[str, ...]) -> tuple[str, ...]:
    values = {**key._asdict(), "status": key.state}
    return tuple(values[label] for label in labels)


def _limited(replicas: Mapping[ReplicaKey, int], *, series_max: int) -> dict[ReplicaKey, int]:
    """The first `series_max` series; the rest summed up by state."""
    kept: dict[ReplicaKey, int] = {}
    for key, count in sorted(replicas.items()):
        if len(kept) >= series_max:
            key = ReplicaKey(OTHER, OTHER, key.state)
        kept[key] = kept.get(key, 0) + count
    return kept


def _bounded(value: str, seen: set[str], *, limit: int) -> str:
    if value not in seen:
        if len(seen) >= limit:
            return OTHER
        seen.add(value)
    return value
