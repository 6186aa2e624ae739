"""`depends_on` as a graph: what is missing, what goes round in circles, what comes first.

Services are named by their `ref`, `project/name`. All orders are stable: where the graph leaves a
choice, the order in which services were given decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from orca import errors
from orca.spec.service import ServiceSpec


def order(services: Sequence[ServiceSpec], known: Collection[str] = ()) -> tuple[ServiceSpec, ...]:
    """`services` with dependencies first; `known` are refs that exist beyond these.

    Raises `errors.UserError` for a dependency that is in neither, and for a cycle.
    """
    by_ref = {service.ref: service for service in services}
    for service, name in missing(services, known):
        raise errors.UserError(
            f'service "{service.ref}" depends on "{name}", which does not exist',
            hint="deploy it first, or correct depends_on",
        )
    for cycle in cycles(services):
        raise errors.UserError(f"services depend on each other in a circle: {drawn(cycle)}")
    placed: dict[str, ServiceSpec] = {}
    for service in services:
        _place(service, by_ref, placed)
    return tuple(placed.values())


def _place(
    service: ServiceSpec, by_ref: Mapping[str, ServiceSpec], placed: dict[str, ServiceSpec]
) -> None:
    """Put a service after what it depends on. An explicit stack: chains may be long."""
    stack = [service]
    while stack:
        top = stack[-1]
        waiting = [by_ref[ref] for ref in top.dependencies if ref in by_ref and ref not in placed]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        placed.setdefault(stack.pop().ref, top)


def missing(
    services: Iterable[ServiceSpec], known: Collection[str] = ()
) -> tuple[tuple[ServiceSpec, str], ...]:
    """Each service with each dependency, as it wrote it, that nothing has the name of."""
    listed = tuple(services)
    there = {service.ref for service in listed} | set(known)
    return tuple(
        (service, written)
        for service in listed
        for written, ref in zip(service.depends_on, service.dependencies, strict=True)
        if ref not in there
    )


def cycles(services: Iterable[ServiceSpec]) -> tuple[tuple[str, ...], ...]:
    """Circles in `depends_on` as refs, each once, none of them sharing a service with another."""
    return circles({service.ref: service.dependencies for service in services})


def circles(edges: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Circles among refs and what each depends on, each once, sharing no ref."""
    done: set[str] = set()
    found: list[tuple[str, ...]] = []
    for start in edges:
        cycle = _cycle_from(start, edges, done)
        if cycle:
            found.append(cycle)
    return tuple(found)


def _cycle_from(
    start: str, edges: Mapping[str, tuple[str, ...]], done: set[str]
) -> tuple[str, ...]:
    """The first circle met on a depth-first walk; everything walked is `done` afterwards."""
    path: list[str] = []
    pending = [iter((start,))]
    while pending:
        ref = next(pending[-1], None)
        if ref is None:
            pending.pop()
            if path:
                done.add(path.pop())
        elif ref in path:
            done.update(path)
            return tuple(path[path.index(ref) :])
        elif ref in edges and ref not in done:
            path.append(ref)
            pending.append(iter(edges[ref]))
    return ()


def drawn(cycle: Sequence[str]) -> str:
    """`a → b → a`; the project is left out when all are in the same one."""
    projects = {ref.split("/")[0] for ref in cycle}
    names = [ref.split("/")[-1] for ref in cycle] if len(projects) == 1 else list(cycle)
    return " → ".join([*names, names[0]])


def dependents(services: Iterable[ServiceSpec], refs: Collection[str]) -> tuple[ServiceSpec, ...]:
    """The services that need any of `refs`, directly or through others, in the order given."""
    listed = tuple(services)
    reached = set(refs)
    growing = True
    while growing:
        more = {s.ref for s in listed if not reached.isdisjoint(s.dependencies)} - reached
        growing = bool(more)
        reached |= more
    return tuple(service for service in listed if service.ref in reached - set(refs))
