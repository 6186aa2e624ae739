"""What is checked of a deploy before anything is resolved or written. Pure.

Each check finds all its faults; they are reported together, and a deploy with any of them changes
nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from orca.errors import InvalidConfig, MissingSecret, Unsupported
from orca.master.vault import SecretRecords, find_record
from orca.model.ids import ServiceId
from orca.model.service import Revision
from orca.plan.routes import prefix_of
from orca.spec import graph
from orca.spec.references import secrets_in
from orca.spec.service import ServiceSpec
from orca.spec.support import unsupported


def check(
    specs: Collection[ServiceSpec],
    *,
    running: Mapping[ServiceId, Revision],
    secrets: SecretRecords,
) -> None:
    """Raises `Unsupported`, `InvalidConfig` or `MissingSecret` with every fault of its kind."""
    refuse_unsupported(specs)
    problems = [*_dependencies(specs, running), *_domains(specs, running), *_ports(specs, running)]
    if problems:
        raise InvalidConfig(tuple(problems), hint="correct the files, or remove what is in the way")
    refuse_missing_secrets(specs, secrets)


def refuse_unsupported(specs: Iterable[ServiceSpec]) -> None:
    """A key whose feature comes later is refused, never ignored."""
    found = [f"{spec.ref}: {sentence}" for spec in specs for sentence in unsupported(spec)]
    if found:
        raise Unsupported("; ".join(found), hint="remove the keys named, or deploy other services")


def refuse_missing_secrets(specs: Iterable[ServiceSpec], secrets: SecretRecords) -> None:
    """Every secret that is named has to exist."""
    missing = [
        (spec, place, name)
        for spec in specs
        for place, names in secrets_in(spec).items()
        for name in names
        if find_record(secrets, spec.project, name) is None
    ]
    if not missing:
        return
    places = "; ".join(f"{name} ({spec.ref}, {place})" for spec, place, name in missing)
    commands = dict.fromkeys(
        f"orca secrets set {name} --project {spec.project}" for spec, _, name in missing
    )
    count = len({name for _, _, name in missing})
    noun = "secret has" if count == 1 else "secrets have"
    raise MissingSecret(f"{count} {noun} no value: {places}", hint="; ".join(commands))


def _others(
    specs: Collection[ServiceSpec], running: Mapping[ServiceId, Revision]
) -> dict[ServiceId, Revision]:
    """Running services that this deploy does not replace."""
    named = {spec.ref for spec in specs}
    return {id: revision for id, revision in running.items() if str(id) not in named}


def _dependencies(
    specs: Collection[ServiceSpec], running: Mapping[ServiceId, Revision]
) -> Iterator[str]:
    known = {spec.ref for spec in specs} | {str(id) for id in running}
    for spec in specs:
        for name in spec.dependencies:
            if name not in known:
                yield f"{spec.ref}: depends_on names {name}, which is neither deployed nor running"
    edges = {str(id): tuple(map(str, r.spec.depends_on)) for id, r in running.items()}
    edges |= {spec.ref: spec.dependencies for spec in specs}
    for cycle in graph.circles(edges):
        yield f"depends_on goes in a circle: {graph.drawn(cycle)}"


def _domains(
    specs: Collection[ServiceSpec], running: Mapping[ServiceId, Revision]
) -> Iterator[str]:
    taken = {
        (domain, prefix_of(path)): str(id)
        for id, revision in _others(specs, running).items()
        for domain in revision.spec.ingress.domains
        for path in revision.spec.ingress.paths
    }
    for spec in specs:
        for domain in spec.domains:
            for path in spec.routes:
                holder = taken.setdefault((domain, prefix_of(path)), spec.ref)
                if holder != spec.ref:
                    yield f"{spec.ref}: {domain}{prefix_of(path)} already belongs to {holder}"


def _ports(specs: Collection[ServiceSpec], running: Mapping[ServiceId, Revision]) -> Iterator[str]:
    taken = {
        (port.host_port, port.protocol): str(id)
        for id, revision in _others(specs, running).items()
        for port in revision.spec.container.ports
    }
    for spec in specs:
        ports = [(p.host_port, p.protocol) for p in spec.extra_ports]
        ports += [(spec.host_port, "tcp")] if spec.host_port else []
        for number, protocol in ports:
            holder = taken.setdefault((number, protocol), spec.ref)
            if holder != spec.ref:
                yield f"{spec.ref}: host port {number}/{protocol} already belongs to {holder}"
