from __future__ import annotations

from typing import Any

import pytest

from orca.spec import check
from orca.spec.cluster import ClusterSpec
from orca.spec.service import ServiceSpec


def service(name: str, **keys: Any) -> ServiceSpec:
    return ServiceSpec.model_validate({"name": name, "project": "p", "image": "x"} | keys)


def conflicts(*services: ServiceSpec) -> list[tuple[int, tuple[str | int, ...], str]]:
    found = check.conflicts(services, ClusterSpec())
    return [(one.index, one.fault.path, one.fault.message) for one in found]


def test_services_that_agree_have_no_conflicts() -> None:
    assert not conflicts(
        service("a", domain="a.b", port=80, extra_ports=["53:53/udp"], aliases=["one"]),
        service("b", domain="a.b", port=80, routes=["/api/*"], extra_ports=["53:53/tcp"]),
        service("c", project="q", aliases=["one"], extra_ports=["127.0.0.1:54:1"]),
        service("d", project="q", extra_ports=["127.0.0.2:54:1"]),
    )


@pytest.mark.parametrize("route", ["/api/*", "/api/", "/api"])
def test_same_domain_and_route_twice_is_a_conflict(route: str) -> None:
    found = conflicts(
        service("a", domain="a.b", port=80, routes=["/api/*"]),
        service("b", domain=["x.y", "A.b"], port=80, routes=[route], project="q"),
    )
    assert found == [(1, ("domains", 1), f'"a.b{route}" already leads to the service "p/a"')]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"extra_ports": ["8000:1"]}, {"extra_ports": ["8000:2"]}),
        ({"extra_ports": ["127.0.0.1:8000:1"]}, {"extra_ports": ["8000:2"]}),
        ({"host_port": 8000, "port": 1}, {"extra_ports": ["8000:2"]}),
    ],
)
def test_host_port_twice_is_a_conflict(first: dict[str, Any], second: dict[str, Any]) -> None:
    found = conflicts(service("a", **first), service("b", **second))
    assert found == [
        (1, ("extra_ports", 0), 'port 8000/tcp of the host is already the service "p/a"')
    ]


def test_port_of_orca_itself_is_a_conflict() -> None:
    found = conflicts(service("a", port=1, host_port=6881), service("b", extra_ports=["443:1"]))
    assert [(index, path) for index, path, _ in found] == [
        (0, ("host_port",)),
        (1, ("extra_ports", 0)),
    ]
    assert found[0][2] == "port 6881/tcp of the host is already orca's own cluster.grpc_port"


def test_ports_of_orca_are_not_guessed_without_a_cluster() -> None:
    assert not check.conflicts([service("a", port=1, host_port=6881)], None)


def test_one_service_cannot_publish_a_port_twice() -> None:
    found = conflicts(service("a", extra_ports=["8000:1", "8000:2"]))
    assert found[0][:2] == (0, ("extra_ports", 1))


def test_alias_of_another_service_on_the_network_is_a_conflict() -> None:
    found = conflicts(service("a", aliases=["DB", "x"]), service("db"), service("c", aliases=["x"]))
    assert [(index, path) for index, path, _ in found] == [(0, ("aliases", 0)), (2, ("aliases", 0))]


def test_shared_network_joins_the_names_of_projects() -> None:
    found = conflicts(
        service("a", network="shared", aliases=["x"]),
        service("b", project="q", network="shared", aliases=["x"]),
    )
    assert [index for index, _, _ in found] == [1]


def test_relative_mount_has_no_meaning_without_a_file() -> None:
    found = conflicts(service("a", mounts=["./x:/x", "/abs:/y"]))
    assert found[0][:2] == (0, ("mounts", 0, "source"))
    assert len(found) == 1


def test_dependency_of_another_project_is_suggested() -> None:
    found = check.dependencies(
        [service("a", depends_on=["db", "cach"]), service("cache")], {"q/db"}
    )
    assert [one.fault.hint for one in found] == ['did you mean "q/db"?', 'did you mean "cache"?']
