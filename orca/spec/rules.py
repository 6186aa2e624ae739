"""What the keys of one service have to agree on.

Every rule is a small generator of faults, so that all of them speak at once. Rules between services
are in `check`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from orca.spec.fault import Fault, Path
from orca.spec.service_keys import ServiceKeys

_DEPENDENCY = re.compile(r"[a-z0-9-]+(?:/[a-z0-9-]+)?")
_TRIGGER = re.compile(r"http:/\S*|cron:\S.*|queue:\S+|event:\S+")
_DOCKER_MEMORY_BYTES_MIN = 6 * 2**20


def service_faults(spec: ServiceKeys) -> list[Fault]:
    """Everything about `spec` that no single key could see."""
    return [fault for rule in _RULES for fault in rule(spec)]


def _source(spec: ServiceKeys) -> Iterator[Fault]:
    if spec.runtime == "docker":
        if spec.image is None and spec.build is None:
            yield Fault(message='the key "image" is required')
        for key in ("module", "triggers", "assets"):
            if getattr(spec, key):
                yield Fault(path=(key,), message='needs runtime = "wasm"', at_key=True)
    elif spec.module is None:
        yield Fault(message='runtime = "wasm" needs the key "module"')
    for index, trigger in enumerate(spec.triggers):
        if not _TRIGGER.fullmatch(trigger):
            hint = "write http:/path, cron:schedule, queue:topic or event:pattern"
            yield Fault(path=("triggers", index), message=f'not a trigger: "{trigger}"', hint=hint)


def _ingress(spec: ServiceKeys) -> Iterator[Fault]:
    key = "domains"
    if spec.domains and spec.port is None:
        hint = "add port = <the port the program listens on in its container>"
        yield Fault(path=(key,), message="a domain needs a port", hint=hint)
    if spec.domains and spec.internal:
        yield Fault(
            path=(key,), message="an internal service has no domain", hint="drop one of them"
        )
    if not spec.domains and spec.routes != ("/",) and spec.runtime == "docker":
        yield Fault(path=("routes",), message="routes need a domain", at_key=True)
    yield from _repeated(spec.domains, (key,), "domain")
    yield from _repeated(spec.routes, ("routes",), "route")
    if (spec.tls_cert is None) != (spec.tls_key is None):
        there = "tls_cert" if spec.tls_cert else "tls_key"
        yield Fault(path=(there,), message="tls_cert and tls_key need each other", at_key=True)


def _host_ports(spec: ServiceKeys) -> Iterator[Fault]:
    if spec.host_port is not None and spec.port is None:
        yield Fault(path=("host_port",), message="host_port needs port", at_key=True)
    holder = (
        "host_port" if spec.host_port is not None else "extra_ports" if spec.extra_ports else ""
    )
    if not holder:
        return
    port = spec.host_port or spec.extra_ports[0].host_port
    if spec.replicas == "auto" or spec.replicas > 1:
        yield Fault(
            path=("replicas",),
            message=f"only one copy can have the host's port {port} ({holder})",
            hint=f"use replicas = 1, or drop {holder} and let the proxy share the traffic",
        )
    if spec.deploy.order == "start-first":
        yield Fault(
            path=("deploy", "order"),
            message=f"two copies cannot have the host's port {port} ({holder}) at the same time",
            hint='use order = "stop-first", or leave it out',
        )


def _probes(spec: ServiceKeys) -> Iterator[Fault]:
    for key in ("startup", "readiness", "liveness"):
        probe = getattr(spec, key)
        if probe is not None and probe.kind != "exec" and spec.probe_port(probe) is None:
            yield Fault(
                path=(key,),
                message="the probe has no port to ask",
                hint="give the probe or the service a port",
                at_key=True,
            )


def _storage(spec: ServiceKeys) -> Iterator[Fault]:
    targets: dict[str, str] = {}
    places: list[tuple[Path, str]] = []
    places += [(("volumes", i, "target"), item.target) for i, item in enumerate(spec.volumes)]
    places += [(("mounts", i, "target"), item.target) for i, item in enumerate(spec.mounts)]
    places += [(("tmpfs", i), item.split(":")[0]) for i, item in enumerate(spec.tmpfs)]
    for path, target in places:
        plain = target.rstrip("/") or "/"
        if plain == "/":
            yield Fault(path=path, message="the container's root cannot be replaced")
        elif plain in targets:
            yield Fault(path=path, message=f'"{plain}" is already taken by {targets[plain]}')
        targets.setdefault(plain, str(path[0]))


def _limits(spec: ServiceKeys) -> Iterator[Fault]:
    memory = spec.resources.memory
    if memory is not None and memory < _DOCKER_MEMORY_BYTES_MIN:
        yield Fault(path=("resources", "memory"), message="Docker needs a limit of at least 6Mi")
    if spec.deploy.max_unavailable == 0 and spec.deploy.max_surge == 0:
        hint = "one of max_unavailable and max_surge must be at least 1"
        yield Fault(
            path=("deploy",), message="such a rollout could never move", hint=hint, at_key=True
        )
    for label in spec.labels:
        if label == "orca" or label.startswith("orca."):
            message = 'labels that begin with "orca." belong to orca'
            yield Fault(path=("labels", label), message=message, at_key=True)


def _names(spec: ServiceKeys) -> Iterator[Fault]:
    for index, name in enumerate(spec.depends_on):
        if not _DEPENDENCY.fullmatch(name):
            hint = 'write "db", or "project/db" for another project'
            yield Fault(path=("depends_on", index), message=f'not a service: "{name}"', hint=hint)
    yield from _repeated(spec.depends_on, ("depends_on",), "dependency")
    yield from _repeated(spec.aliases, ("aliases",), "alias")
    yield from _repeated(spec.secrets, ("secrets",), "secret")


def _repeated(values: tuple[str, ...], path: Path, noun: str) -> Iterator[Fault]:
    counts = Counter(values)
    for index, value in enumerate(values):
        if counts[value] > 1 and index > values.index(value):
            yield Fault(path=(*path, index), message=f'the {noun} "{value}" is there twice')


_RULES = (_source, _ingress, _host_ports, _probes, _storage, _limits, _names)
