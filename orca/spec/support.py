"""What can be written but not done yet: one table, used by `load`, by the server and by the docs.

A rule goes away when its feature comes. Nothing that is written and not done may be missing here: an
ignored key is a promise broken in silence.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from orca.spec import units
from orca.spec.cluster import ClusterSpec
from orca.spec.cluster_sections import Acme, Store
from orca.spec.fault import Fault, Path
from orca.spec.service import ServiceSpec

S = TypeVar("S", ServiceSpec, ClusterSpec)


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """`applies` to a spec that needs the feature; `key` is where it is written.

    `only` names the values that are not supported, when others are; `where` finds the key in a list.
    """

    key: str
    applies: Callable[[S], bool]
    only: tuple[str, ...] = ()
    where: Callable[[S], Path] | None = None

    def sentence(self, spec: S) -> str:
        """`deploy.strategy = "canary": not supported yet`."""
        value: object = spec
        for part in self.key.split(".") if self.only else ():
            value = getattr(value, part)
        shown = f" = {units.toml(value)}" if self.only else ""
        return f"{self.key}{shown}: not supported yet"


SERVICE_RULES: tuple[Rule[ServiceSpec], ...] = (
    Rule("runtime", lambda s: s.runtime == "wasm", ("wasm",)),
    Rule("module", lambda s: s.module is not None),
    Rule("triggers", lambda s: bool(s.triggers)),
    Rule("assets", lambda s: s.assets is not None),
    Rule("replicas", lambda s: s.replicas == "auto", ("auto",)),
    Rule("resources.gpu", lambda s: s.resources.gpu is not None),
    Rule("deploy.strategy", lambda s: s.deploy.strategy != "rolling", ("canary", "blue-green")),
    Rule("placement.requires_gpu", lambda s: s.placement.requires_gpu),
    Rule(
        "volumes.size",
        lambda s: _sized(s) is not None,
        where=lambda s: ("volumes", _sized(s) or 0, "size"),
    ),
    Rule("build", lambda s: s.build is not None),
    Rule("backup", lambda s: s.backup is not None),
    Rule("tls_cert", lambda s: s.tls_cert is not None),
    Rule("tls_key", lambda s: s.tls_key is not None),
)

CLUSTER_RULES: tuple[Rule[ClusterSpec], ...] = (
    Rule("cluster.acme_email", lambda c: c.cluster.acme_email is not None),
    Rule(
        "cluster.api_host",
        lambda c: not _is_loopback(c.cluster.api_host),
        ("an address off loopback",),
    ),
    Rule("cluster.network", lambda c: c.cluster.network is not None),
    Rule("acme", lambda c: c.acme != Acme()),
    Rule("backup.enabled", lambda c: c.backup.enabled, ("true",)),
    Rule("store.prefix", lambda c: c.store.prefix != Store().prefix, ("another one",)),
    Rule("node", lambda c: bool(c.node)),
    Rule("observability.alerts", lambda c: c.observability.alerts is not None),
    Rule("network", lambda c: c.network is not None),
    Rule("ai", lambda c: c.ai is not None),
)


def unsupported(spec: ServiceSpec | ClusterSpec) -> tuple[str, ...]:
    """One sentence for every feature that `spec` needs and this version does not have."""
    return tuple(fault.message for fault in faults(spec))


def faults(spec: ServiceSpec | ClusterSpec) -> tuple[Fault, ...]:
    """The same as faults, each at the key that asks for the feature."""
    if isinstance(spec, ServiceSpec):
        return tuple(_applied(SERVICE_RULES, spec))
    return tuple(_applied(CLUSTER_RULES, spec))


def _applied(rules: Iterable[Rule[S]], spec: S) -> list[Fault]:
    return [
        Fault(
            path=rule.where(spec) if rule.where else tuple(rule.key.split(".")),
            message=rule.sentence(spec),
            at_key=True,
        )
        for rule in rules
        if rule.applies(spec)
    ]


def _sized(spec: ServiceSpec) -> int | None:
    """The first volume with a size."""
    return next((i for i, volume in enumerate(spec.volumes) if volume.size is not None), None)


def _is_loopback(host: str) -> bool:
    """The API speaks plain HTTP, which must not leave the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
