"""The structure of what Envoy is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orca.model.ids import ReplicaId, ServiceId
from orca.model.route import Backend, Endpoint, EndpointState, Route, RouteTable
from orca.proxy import rollin
from orca.proxy.envoy_config.bootstrap import Bootstrap, bootstrap
from orca.proxy.envoy_config.build import Paths, build
from orca.proxy.envoy_config.resources import Document, EnvoyConfig, endpoints_file
from orca.proxy.settings import ProxySettings

WEB = ServiceId("shop", "web")
SETTINGS = ProxySettings(home=Path("/home/orca"), name="edge", http_port=8080, concurrency=2)
PATHS = Paths(routes="/x/rds.json", endpoints_directory="/x/eds", access_log="/x/access.log")
ENDPOINTS = (
    Endpoint(replica=ReplicaId("r1"), address="10.0.0.1", port=80),
    Endpoint(replica=ReplicaId("r2"), address="10.0.0.2", port=80, state=EndpointState.DRAINING),
)
TABLE = RouteTable(
    routes=(Route(domain="shop.test", path="/", service=WEB),),
    backends=(Backend(service=WEB, endpoints=ENDPOINTS),),
)


def built(table: RouteTable = TABLE, settings: ProxySettings = SETTINGS) -> EnvoyConfig:
    return build(table, settings, PATHS)


def resources(document: Document) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(document.text)["resources"]
    return found


def manager(config: EnvoyConfig) -> dict[str, Any]:
    (listener,) = resources(config.listeners)
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def started(settings: ProxySettings = SETTINGS, **changes: str) -> Bootstrap:
    paths = {
        "listeners_path": "/x/lds.json",
        "clusters_path": "/x/cds.json",
        "admin_path": "/x/admin-a.sock",
        "program": "envoy:1",
    }
    return bootstrap(settings, **{**paths, **changes})


def test_endpoints_are_healthy_or_draining() -> None:
    (assignment,) = resources(built().endpoints["shop/web"])
    hosts = assignment["endpoints"][0]["lb_endpoints"]
    assert [
        (host["endpoint"]["address"]["socket_address"]["address"], host["health_status"])
        for host in hosts
    ] == [("10.0.0.1", "HEALTHY"), ("10.0.0.2", "DRAINING")]


def test_change_of_endpoints_changes_nothing_else() -> None:
    before = built()
    after = built(replace(TABLE, backends=(Backend(service=WEB),)))
    assert after.endpoints != before.endpoints
    assert (after.listeners, after.routes, after.clusters) == (
        before.listeners,
        before.routes,
        before.clusters,
    )


def test_order_of_endpoints_is_no_change() -> None:
    shuffled = replace(TABLE, backends=(Backend(service=WEB, endpoints=ENDPOINTS[::-1]),))
    assert built(shuffled) == built()


def test_routed_service_without_a_backend_gets_an_empty_one() -> None:
    config = built(replace(TABLE, backends=()))
    assert resources(config.endpoints["shop/web"])[0]["endpoints"] == []


def test_draining_endpoints_are_never_used_in_a_panic() -> None:
    common = built().clusters["shop/web"]["common_lb_config"]
    assert common == {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}


def test_retries_are_safe_for_any_method() -> None:
    (config,) = resources(built().routes)
    (host,) = config["virtual_hosts"]
    assert host["retry_policy"]["retry_on"] == "connect-failure,refused-stream,reset-before-request"
    assert host["routes"][0]["route"]["timeout"] == "0s"


def test_client_is_believed_only_behind_trusted_hops() -> None:
    direct, behind = manager(built()), manager(built(settings=replace(SETTINGS, trusted_hops=2)))
    assert direct["use_remote_address"] is True
    assert direct["xff_num_trusted_hops"] == 0
    assert direct["preserve_external_request_id"] is False
    assert behind["xff_num_trusted_hops"] == 2
    assert behind["preserve_external_request_id"] is True


def test_access_log_is_there_only_when_wanted() -> None:
    assert manager(built())["access_log"][0]["typed_config"]["path"] == "/x/access.log"
    assert manager(built(settings=replace(SETTINGS, access_log=False)))["access_log"] == []


def test_listener_binds_what_the_settings_say() -> None:
    (listener,) = resources(built(settings=replace(SETTINGS, bind="127.0.0.1")).listeners)
    assert listener["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 8080}


def test_version_follows_the_content() -> None:
    one = Document.of([{"name": "a", "x": 1}], names=["a"])
    same = Document.of([{"x": 1, "name": "a"}], names=["a"])
    other = Document.of([{"name": "a", "x": 2}], names=["a"])
    assert one == same
    assert one.version != other.version
    assert json.loads(one.text)["version_info"] == one.version


@given(st.text(min_size=1), st.text(min_size=1))
def test_endpoints_files_stay_in_their_directory_and_apart(one: str, two: str) -> None:
    assert "/" not in endpoints_file(one)
    assert (endpoints_file(one) == endpoints_file(two)) == (one == two)


def test_fingerprint_covers_whatever_needs_a_new_process() -> None:
    base = started().fingerprint
    assert started(replace(SETTINGS, concurrency=3)).fingerprint != base
    assert started(replace(SETTINGS, drain_seconds=99)).fingerprint != base
    assert started(replace(SETTINGS, connections_max=9)).fingerprint != base
    assert started(program="envoy:2").fingerprint != base


def test_fingerprint_leaves_out_what_a_running_envoy_can_be_told() -> None:
    base = started().fingerprint
    assert started(admin_path="/x/admin-b.sock").fingerprint == base
    assert started(replace(SETTINGS, http_port=81, access_log=False)).fingerprint == base


def test_bootstrap_shows_its_fingerprint_and_no_admin_port() -> None:
    found = started()
    document = json.loads(found.text)
    assert document["node"]["metadata"] == {"orca_fingerprint": found.fingerprint}
    assert document["admin"]["address"] == {"pipe": {"path": "/x/admin-a.sock", "mode": 0o600}}


def test_new_clusters_come_before_routes_and_old_ones_go_after() -> None:
    old = {"shop/old": {"name": "shop/old"}}
    steps = rollin.stages(built(), present=old)
    assert steps.growth[rollin.CLUSTERS].names == {"shop/old", "shop/web"}
    assert rollin.endpoints_part("shop/web") in steps.growth
    assert set(steps.switch) == {rollin.ROUTES, rollin.LISTENERS}
    assert steps.removal[rollin.CLUSTERS].names == {"shop/web"}


def test_clusters_and_port_are_read_back_from_documents() -> None:
    config = built()
    assert rollin.clusters_in(config.clusters_document().text) == config.clusters
    assert rollin.port_in(config.listeners.text) == ("0.0.0.0", 8080)  # noqa: S104


def test_damaged_documents_read_as_nothing() -> None:
    for text in (None, "", "{}", "[]", '{"resources": 3}', '{"resources": [{}]}'):
        assert rollin.clusters_in(text) == {}
        assert rollin.port_in(text) is None
