"""What services have to agree on among themselves and with the cluster.

Used on files (`load` adds the positions) and on the body of a deploy request, where the other
services are those that the cluster already has. Dependencies are in `graph`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from orca.spec import explain, graph
from orca.spec.cluster import ClusterSpec
from orca.spec.cluster_rules import own_ports
from orca.spec.fault import Fault, Path
from orca.spec.service import ServiceSpec

_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """`fault` is inside `services[index]`, the later one of those that disagree."""

    index: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class _HostPort:
    ip: str
    port: int
    protocol: str
    path: Path

    def clashes(self, other: _HostPort) -> bool:
        if (self.port, self.protocol) != (other.port, other.protocol):
            return False
        return self.ip == other.ip or not _ANY_ADDRESS.isdisjoint((self.ip, other.ip))


def conflicts(services: Sequence[ServiceSpec], cluster: ClusterSpec | None) -> tuple[Conflict, ...]:
    """Every contradiction between `services`, and between them and the cluster's own ports.

    Without a `cluster`, orca's own ports are not looked at.
    """
    found: list[Conflict] = []
    for rule in (_domains, _aliases, _mounts):
        found += rule(services)
    return (*found, *_host_ports(services, cluster))


def dependencies(
    services: Sequence[ServiceSpec], known: Collection[str] = ()
) -> tuple[Conflict, ...]:
    """Every name given twice, dependency that is neither here nor in `known`, and circle."""
    return (*_names(services), *_missing(services, known), *_cycles(services))


def _names(services: Sequence[ServiceSpec]) -> Iterator[Conflict]:
    seen: set[str] = set()
    for index, service in enumerate(services):
        if service.ref in seen:
            message = f'the project "{service.project}" already has a service "{service.name}"'
            yield Conflict(index=index, fault=Fault(path=("name",), message=message))
        seen.add(service.ref)


def _domains(services: Sequence[ServiceSpec]) -> Iterator[Conflict]:
    taken: dict[tuple[str, str], tuple[int, str]] = {}
    for index, service in enumerate(services):
        for place, domain in enumerate(service.domains):
            for route in service.routes:
                key = (domain, route.rstrip("*").rstrip("/"))
                holder, name = taken.setdefault(key, (index, service.ref))
                if holder != index:
                    message = f'"{domain}{route}" already leads to the service "{name}"'
                    yield Conflict(
                        index=index, fault=Fault(path=("domains", place), message=message)
                    )


def _aliases(services: Sequence[ServiceSpec]) -> Iterator[Conflict]:
    owners: dict[tuple[str, str], str] = {}
    for service in services:
        owners.setdefault((_network(service), service.name), service.ref)
    for index, service in enumerate(services):
        for place, alias in enumerate(service.aliases):
            owner = owners.setdefault((_network(service), alias.lower()), service.ref)
            if owner != service.ref:
                message = f'on this network, "{alias}" already means the service "{owner}"'
                yield Conflict(index=index, fault=Fault(path=("aliases", place), message=message))


def _network(service: ServiceSpec) -> str:
    return service.network or f"orca-{service.project}"


def _mounts(services: Sequence[ServiceSpec]) -> Iterator[Conflict]:
    for index, service in enumerate(services):
        for place, mount in enumerate(service.mounts):
            if not mount.source.startswith(("/", "${")):
                message = f'must be an absolute path on the host: "{mount.source}"'
                hint = "relative paths only have a meaning in a service.toml"
                fault = Fault(path=("mounts", place, "source"), message=message, hint=hint)
                yield Conflict(index=index, fault=fault)


def _host_ports(services: Sequence[ServiceSpec], cluster: ClusterSpec | None) -> Iterator[Conflict]:
    taken = [
        (_HostPort("0.0.0.0", port, "tcp", path), f"orca's own {path[0]}.{path[1]}")  # noqa: S104
        for path, port in (own_ports(cluster) if cluster else ())
    ]
    for index, service in enumerate(services):
        for wanted in _published(service):
            holder = next((name for port, name in taken if port.clashes(wanted)), "")
            if holder:
                message = f"port {wanted.port}/{wanted.protocol} of the host is already {holder}"
                yield Conflict(index=index, fault=Fault(path=wanted.path, message=message))
            taken.append((wanted, f'the service "{service.ref}"'))


def _published(service: ServiceSpec) -> Iterator[_HostPort]:
    if service.host_port is not None:
        yield _HostPort("0.0.0.0", service.host_port, "tcp", ("host_port",))  # noqa: S104
    for index, port in enumerate(service.extra_ports):
        yield _HostPort(port.host_ip, port.host_port, port.protocol, ("extra_ports", index))


def _missing(services: Sequence[ServiceSpec], known: Collection[str]) -> Iterator[Conflict]:
    there = {service.ref for service in services} | set(known)
    absent = {(service.ref, name) for service, name in graph.missing(services, known)}
    for index, service in enumerate(services):
        for place, name in enumerate(service.depends_on):
            if (service.ref, name) in absent:
                message = f'depends on "{name}", which does not exist'
                fault = Fault(
                    path=("depends_on", place),
                    message=message,
                    hint=_elsewhere(service, name, there),
                )
                yield Conflict(index=index, fault=fault)


def _elsewhere(service: ServiceSpec, name: str, there: set[str]) -> str:
    """Where a service of that name is after all, or what is called nearly like it."""
    bare = name.split("/")[-1]
    same = sorted(ref for ref in there if ref.split("/")[-1] == bare)
    if same:
        return f'did you mean "{same[0]}"?'
    from_project = [ref.split("/")[1] for ref in there if ref.startswith(f"{service.project}/")]
    near = explain.nearest(bare, from_project)
    return f'did you mean "{near}"?' if near else ""


def _cycles(services: Sequence[ServiceSpec]) -> Iterator[Conflict]:
    places = {service.ref: index for index, service in reversed(list(enumerate(services)))}
    for cycle in graph.cycles(services):
        index = places[cycle[0]]
        following = cycle[1 % len(cycle)]
        place = services[index].dependencies.index(following)
        message = f"services depend on each other in a circle: {graph.drawn(cycle)}"
        yield Conflict(index=index, fault=Fault(path=("depends_on", place), message=message))
