"""`ClusterSpec`: `cluster.toml`, what is true for the whole cluster.

Attributes mirror the file: `[proxy] http_port` is `spec.proxy.http_port`. What `[cluster]` says is also
reachable without the repetition: `spec.name`, `spec.api_port`.
"""

from __future__ import annotations

from pydantic import model_validator

from orca.spec.cluster_rules import cluster_faults
from orca.spec.cluster_sections import ClusterKeys, Network
from orca.spec.fault import Fault, refusals
from orca.spec.references import malformed


class ClusterSpec(ClusterKeys):
    """The whole of `cluster.toml`; `ClusterSpec()` is what holds without one."""

    @model_validator(mode="after")
    def _agree(self) -> ClusterSpec:
        found = [*cluster_faults(self), *malformed(self)]
        if found:
            raise refusals(found)
        return self

    @property
    def name(self) -> str:
        """Name of the cluster."""
        return self.cluster.name

    @property
    def domain(self) -> str | None:
        """Domain the cluster is known by."""
        return self.cluster.domain

    @property
    def log_level(self) -> str:
        """Least severity that is logged."""
        return self.cluster.log_level

    @property
    def api_host(self) -> str:
        """Address the REST API listens on."""
        return self.cluster.api_host

    @property
    def api_port(self) -> int:
        """Port of the REST API."""
        return self.cluster.api_port

    @property
    def grpc_port(self) -> int:
        """Port that nodes and proxies dial."""
        return self.cluster.grpc_port

    @property
    def acme_email(self) -> str | None:
        """Contact for certificates, whichever spelling was used; `[acme]` wins."""
        return self.acme.email or self.cluster.acme_email

    @property
    def private_network(self) -> Network | None:
        """The network between the hosts, whichever spelling was used; `[network]` wins."""
        return self.network or self.cluster.network


def conflicting_spellings(spec: ClusterSpec) -> list[Fault]:
    """Where two spellings of one key disagree; the first one named is what holds."""
    pairs = (
        ("acme.email", spec.acme.email, ("cluster", "acme_email"), spec.cluster.acme_email),
        ("[network]", spec.network, ("cluster", "network"), spec.cluster.network),
    )
    return [
        Fault(
            path=path, message=f"ignored: {winner} says something else", hint="keep one of the two"
        )
        for winner, first, path, second in pairs
        if first and second and first != second
    ]
