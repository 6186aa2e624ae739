"""The exposition: what it contains, and that nothing from outside can make it grow."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orca.telemetry import metrics
from orca.telemetry.metrics import Inventory, Metrics, ReplicaKey

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(made: Metrics) -> Samples:
    families = text_string_to_metric_families(made.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(made: Metrics, name: str, **labels: str) -> float | None:
    return scraped(made).get((name, tuple(sorted(labels.items()))))


def names(made: Metrics) -> set[str]:
    return {name for name, _ in scraped(made)}


@pytest.fixture
def made() -> Metrics:
    return Metrics()


def test_inventory_appears_under_both_names(made: Metrics) -> None:
    made.set_inventory(
        Inventory(
            services=1,
            replicas={ReplicaKey("web", "app", "running"): 2},
            nodes={"ready": 3},
        )
    )
    assert value(made, "orca_services") == value(made, "orca_services_total") == 1
    assert value(made, "orca_replicas", project="web", service="app", state="running") == 2
    assert value(made, "orca_instances_total", service="app", project="web", status="running") == 2
    assert value(made, "orca_nodes", state="ready") == value(
        made, "orca_nodes_total", state="ready"
    )


def test_service_that_is_gone_leaves_no_series(made: Metrics) -> None:
    made.set_inventory(Inventory(services=1, replicas={ReplicaKey("web", "app", "running"): 1}))
    made.count_restart(project="web", service="app")
    made.set_inventory(Inventory())
    made.forget_service(project="web", service="app")
    made.forget_service(project="web", service="never-restarted")
    assert b"app" not in made.render()


def test_label_values_are_escaped(made: Metrics) -> None:
    odd = 'a"b\\c\nd'
    made.set_inventory(Inventory(replicas={ReplicaKey(odd, "app", "running"): 1}))
    assert value(made, "orca_replicas", project=odd, service="app", state="running") == 1


def test_cluster_beyond_the_bound_is_summed_up() -> None:
    made = Metrics(series_max=2)
    replicas = {ReplicaKey("web", f"s{number}", "running"): 1 for number in range(5)}
    made.set_inventory(Inventory(replicas=replicas))
    assert value(made, "orca_replicas", project="web", service="s1", state="running") == 1
    assert value(made, "orca_replicas", project="other", service="other", state="running") == 3


def test_requests_are_counted_by_template(made: Metrics) -> None:
    for _ in range(2):
        made.observe_request(method="GET", route="/services/{name}", status=200, seconds=0.02)
    labels = {"method": "GET", "route": "/services/{name}"}
    assert value(made, "orca_api_requests_total", status="200", **labels) == 2
    assert value(made, "orca_api_request_seconds_count", **labels) == 2
    assert value(made, "orca_api_request_seconds_bucket", le="0.025", **labels) == 2
    assert value(made, "orca_api_request_seconds_bucket", le="0.01", **labels) == 0


def test_stream_is_counted_but_not_timed(made: Metrics) -> None:
    made.observe_request(method="GET", route="/events", status=200, seconds=None)
    labels = {"method": "GET", "route": "/events"}
    assert value(made, "orca_api_requests_total", status="200", **labels) == 1
    assert value(made, "orca_api_request_seconds_count", **labels) is None


def test_callers_cannot_make_series(made: Metrics) -> None:
    for number in range(metrics.ROUTES_MAX + 50):
        made.observe_request(method=f"M{number}", route=f"/{number}", status=404, seconds=0.1)
    found = [labels for name, labels in scraped(made) if name == "orca_api_requests_total"]
    assert len(found) == metrics.ROUTES_MAX + 1
    assert {dict(labels)["method"] for labels in found} == {"other"}
    labels = {"method": "other", "route": "other", "status": "404"}
    assert value(made, "orca_api_requests_total", **labels) == 50


def test_actors_are_counted_by_kind(made: Metrics) -> None:
    for number in range(metrics.ACTOR_KINDS_MAX + 5):
        made.set_mailbox_depth(kind=f"Kind{number}", depth=number)
    assert value(made, "orca_mailbox_depth", actor="Kind7") == 7
    found = [labels for name, labels in scraped(made) if name == "orca_mailbox_depth"]
    assert len(found) == metrics.ACTOR_KINDS_MAX + 1


def test_control_loop_is_measured(made: Metrics) -> None:
    made.is_leader.set(1)
    made.count_rollout("failed")
    made.count_restart(project="web", service="app")
    made.proxy_config_rejected.inc()
    for histogram in (made.plan_seconds, made.store_commit_seconds, made.deploy_seconds):
        histogram.observe(0.2)
    assert value(made, "orca_is_leader") == 1
    assert value(made, "orca_rollouts_total", outcome="failed") == 1
    assert value(made, "orca_replica_restarts_total", project="web", service="app") == 1
    assert value(made, "orca_proxy_config_rejected_total") == 1
    assert value(made, "orca_plan_seconds_bucket", le="0.5") == 1
    assert value(made, "orca_store_commit_seconds_sum") == 0.2
    assert value(made, "orca_deploy_seconds_count") == 1


def test_dropped_spans_are_asked_for_at_each_scrape() -> None:
    dropped = [3]
    made = Metrics(spans_dropped=lambda: dropped[0])
    assert value(made, "orca_trace_spans_dropped_total") == 3
    dropped[0] = 5
    assert value(made, "orca_trace_spans_dropped_total") == 5


def test_servers_in_one_process_do_not_share_series(made: Metrics) -> None:
    made.is_leader.set(1)
    assert value(Metrics(), "orca_is_leader") == 0


def test_process_is_measured_and_creation_times_are_not_exported(made: Metrics) -> None:
    made.count_rollout("complete")
    assert "process_resident_memory_bytes" in names(made)
    assert not [name for name in names(made) if name.endswith("_created")]


def test_documentation_lists_every_family_with_its_labels(made: Metrics) -> None:
    page = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text()
    for family in made.families():
        labels = ", ".join(f"`{label}`" for label in family.labels) or "–"
        assert f"| `{family.name}` | {family.type} | {labels} | {family.help} |" in page


def test_families_are_all_that_is_exported(made: Metrics) -> None:
    described = {family.name.removesuffix("_total") for family in made.families()}
    exported = {
        metric.name.removesuffix("_total")
        for metric in made.registry.collect()
        if metric.name.startswith("orca_")
    }
    assert exported == described
