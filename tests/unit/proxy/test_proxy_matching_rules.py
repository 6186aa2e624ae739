"""The meaning of a route table, and that the order Envoy is given has the same meaning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca.model.ids import ServiceId
from orca.model.route import Route, RouteTable
from orca.proxy.envoy_config.routes import ordered, route_document
from orca.proxy.matching import best_domain, covers, match, normal_path, without_port

_segments = st.sampled_from(["a", "ab", "b"])
_paths = st.builds(
    lambda parts, slash: "/" + "/".join(parts) + ("/" if slash and parts else ""),
    st.lists(_segments, max_size=3),
    st.booleans(),
)
_routes = st.builds(
    lambda path, number: Route(domain="a.test", path=path, service=ServiceId("p", f"s{number}")),
    _paths,
    st.integers(0, 99),
)


def route(path: str, *, domain: str = "a.test", to: str = "s") -> Route:
    return Route(domain=domain, path=path, service=ServiceId("p", to))


def chosen(table: RouteTable, host: str, path: str) -> str | None:
    service = match(table, host=host, path=path)
    return None if service is None else service.name


@pytest.mark.parametrize(
    ("path", "asked", "covered"),
    [
        ("/api", "/api", True),
        ("/api", "/api/", True),
        ("/api", "/api/x", True),
        ("/api", "/apix", False),
        ("/api", "/API", False),
        ("/api/", "/api", True),
        ("/", "/anything", True),
        ("", "/anything", True),
    ],
)
def test_prefix_covers_whole_segments(path: str, asked: str, covered: bool) -> None:
    assert covers(route(path), asked) is covered


def test_query_takes_no_part() -> None:
    table = RouteTable(routes=(route("/a", to="a"), route("/", to="root")))
    assert chosen(table, "a.test", "/a?x=/b") == "a"
    assert chosen(table, "a.test", "/?x=/a") == "root"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.test", "a.test"),
        ("b.a.test", "*.a.test"),
        ("c.b.a.test", "*.b.a.test"),
        ("other.test", "*"),
    ],
)
def test_nearest_domain_wins(host: str, domain: str) -> None:
    assert best_domain(["*", "*.a.test", "*.b.a.test", "a.test"], host) == domain


def test_wildcard_does_not_cover_the_name_itself() -> None:
    assert best_domain(["*.a.test"], "a.test") is None


@pytest.mark.parametrize(
    ("host", "name"),
    [("A.test:80", "a.test"), ("a.test", "a.test"), ("[::1]:80", "[::1]"), ("a:b", "a:b")],
)
def test_port_and_case_of_a_host_are_ignored(host: str, name: str) -> None:
    assert without_port(host) == name


@given(st.lists(_routes, max_size=12), _paths)
def test_first_match_in_envoys_order_is_the_reference_choice(
    routes: list[Route], path: str
) -> None:
    first = next((r.service for r in ordered(routes) if covers(r, path)), None)
    assert first == match(RouteTable(routes=tuple(routes)), host="a.test", path=path)


@given(st.lists(_routes, max_size=12), st.randoms())
def test_order_of_input_does_not_matter(routes: list[Route], rng: Any) -> None:
    shuffled = list(routes)
    rng.shuffle(shuffled)
    one = route_document(RouteTable(routes=tuple(routes)), trusted_hops=0)
    two = route_document(RouteTable(routes=tuple(shuffled)), trusted_hops=0)
    assert one == two


@given(st.lists(_routes, max_size=12))
def test_longer_paths_come_first_and_no_match_comes_twice(routes: list[Route]) -> None:
    result = ordered(routes)
    lengths = [len(normal_path(r)) for r in result]
    assert lengths == sorted(lengths, reverse=True)
    matches = [normal_path(r) for r in result]
    assert len(matches) == len(set(matches))
    assert set(matches) == {normal_path(r) for r in routes}


def test_each_domain_appears_once_whatever_its_case() -> None:
    table = RouteTable(
        routes=(
            route("/", domain="A.test"),
            route("/x", domain="a.test"),
            route("/", domain="b.test"),
            route("/", domain=""),
        )
    )
    (config,) = json.loads(route_document(table, trusted_hops=0).text)["resources"]
    domains = [host["domains"] for host in config["virtual_hosts"]]
    assert domains == [["*"], ["a.test"], ["b.test"]]
