"""The certificates of this host: made when missing, renewed before they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orca.errors import OrcaError
from orca.rpc.grpc_client import MASTER_NAME
from orca.rpc.tls import CA_LIFETIME, NODE_LIFETIME, SERVER_LIFETIME, CertificateAuthority, Identity
from orca.telemetry.logs import get_logger

log = get_logger(__name__)

CHECK_SECONDS = 600.0
NODE_URI = "orca://node/"
LOOPBACK = ("127.0.0.1", "::1")


class Identities:
    """Identities by name, always current. One authority signs them all."""

    def __init__(self, directory: Path, *, cluster: str) -> None:
        self._directory = directory
        self._authority = CertificateAuthority.load_or_create(
            directory, cluster=cluster, now=_now()
        )
        self._ensure: dict[str, Callable[[], Identity]] = {}
        self._held: dict[str, Identity] = {}

    def master(self) -> Identity:
        """What the gRPC server shows."""
        return self._get("master", uri="orca://master", lifetime=SERVER_LIFETIME)

    def etcd(self) -> Identity:
        """What the embedded etcd shows, to clients and to itself.

        As long-lived as the authority: it never leaves loopback, and both ends keep open what they have.
        """
        return self._get("etcd", uri=None, lifetime=CA_LIFETIME)

    def node(self, node: str) -> Identity:
        """What the node agent shows."""
        return self._get("node", uri=f"{NODE_URI}{node}", lifetime=NODE_LIFETIME)

    def last_node(self) -> str:
        """The node's id in the certificate it had last, run out or not; empty without one."""
        kept = Identity.load(self._directory, "node")
        return (kept.uri or "").removeprefix(NODE_URI) if kept else ""

    def proxy(self, name: str) -> Identity:
        """What the proxy shows."""
        return self._get("proxy", uri=f"orca://proxy/{name}", lifetime=NODE_LIFETIME)

    def _get(self, name: str, *, uri: str | None, lifetime: timedelta) -> Identity:
        def ensure() -> Identity:
            return self._authority.ensure(
                self._directory,
                name,
                common_name=f"orca {name}",
                uri=uri,
                dns=(MASTER_NAME, "localhost"),
                ips=LOOPBACK,
                lifetime=lifetime,
                now=_now(),
            )

        if name not in self._held:
            self._ensure[name] = ensure
            self._held[name] = ensure()
        return self._held[name]

    async def renewals(self) -> AsyncIterator[str]:
        """Renew what is due, for ever; the name of each renewed identity."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for name, ensure in self._ensure.items():
                try:
                    identity = ensure()
                except OrcaError as error:
                    # It is renewed long before it ends: there is time to try again.
                    log.error("certificate not renewed", name=name, why=error.message)
                    continue
                if identity != self._held[name]:
                    self._held[name] = identity
                    log.info("certificate renewed", name=name)
                    yield name


def _now() -> datetime:
    return datetime.now(UTC)
