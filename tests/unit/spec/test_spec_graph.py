from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orca import errors
from orca.spec import graph
from orca.spec.service import ServiceSpec


def service(name: str, *depends_on: str, project: str = "p") -> ServiceSpec:
    return ServiceSpec(name=name, project=project, image="x", depends_on=depends_on)


def names(services: tuple[ServiceSpec, ...]) -> list[str]:
    return [spec.name for spec in services]


def test_order_puts_dependencies_first_and_else_keeps_the_given_order() -> None:
    given_order = [
        service("web", "api"),
        service("z"),
        service("api", "db", "cache"),
        service("db"),
        service("cache"),
    ]
    assert names(graph.order(given_order)) == ["db", "cache", "api", "web", "z"]


def test_order_reaches_into_other_projects() -> None:
    assert names(graph.order([service("a", "q/b"), service("b", project="q")])) == ["b", "a"]


def test_order_accepts_dependencies_that_exist_elsewhere() -> None:
    assert names(graph.order([service("a", "db")], known={"p/db"})) == ["a"]


def test_order_refuses_a_missing_dependency() -> None:
    with pytest.raises(errors.UserError, match='"p/a" depends on "db", which does not exist'):
        graph.order([service("a", "db")], known={"other/db"})


def test_order_refuses_a_circle_and_names_it() -> None:
    with pytest.raises(errors.UserError, match="b → c → b"):
        graph.order([service("a", "b"), service("b", "c"), service("c", "b")])


def test_circle_across_projects_is_drawn_with_projects() -> None:
    found = graph.cycles([service("a", "q/a"), service("a", "p/a", project="q")])
    assert [graph.drawn(cycle) for cycle in found] == ["p/a → q/a → p/a"]


def test_service_that_depends_on_itself_is_a_circle() -> None:
    assert graph.cycles([service("a", "a")]) == (("p/a",),)


def test_separate_circles_are_all_found() -> None:
    found = graph.cycles(
        [service("a", "b"), service("b", "a"), service("c", "d"), service("d", "c")]
    )
    assert found == (("p/a", "p/b"), ("p/c", "p/d"))


def test_dependents_are_found_through_others() -> None:
    services = [service("web", "api"), service("api", "db"), service("db"), service("x")]
    assert names(graph.dependents(services, ["p/db"])) == ["web", "api"]


def test_long_chain_does_not_exhaust_the_stack() -> None:
    chain = [service(f"s{n}", f"s{n + 1}") for n in range(3000)] + [service("s3000")]
    assert graph.order(chain)[0].name == "s3000"


EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


def drawn(edges: list[tuple[int, int]]) -> list[ServiceSpec]:
    targets = {n: sorted({b for a, b in edges if a == n}) for n in range(8)}
    return [service(f"s{n}", *(f"s{b}" for b in found)) for n, found in targets.items()]


@given(EDGES)
def test_either_there_is_a_circle_or_an_order(edges: list[tuple[int, int]]) -> None:
    services = drawn(edges)
    circles = graph.cycles(services)
    for circle in circles:
        follow = dict(zip(circle, (*circle[1:], circle[0]), strict=True))
        by_ref = {spec.ref: spec for spec in services}
        assert all(after in by_ref[ref].dependencies for ref, after in follow.items())
    if circles:
        with pytest.raises(errors.UserError):
            graph.order(services)
        return
    placed = [spec.ref for spec in graph.order(services)]
    assert sorted(placed) == sorted(spec.ref for spec in services)
    for spec in services:
        assert all(placed.index(ref) < placed.index(spec.ref) for ref in spec.dependencies)
