"""What the leader last knew, for everyone who only reads: the API, its streams, metrics.

One frozen value replaces the other; readers never see a half-made change, and wait for the next one
without polling.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from orca.errors import StoreUnavailable
from orca.master.observed import ProxyView
from orca.master.records import SecretRecord, StoredDeployment
from orca.model.ids import Epoch, ProxyId, ServiceId
from orca.model.route import RouteTable
from orca.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The cluster at one moment."""

    number: int
    revision: int
    """The store's revision that it includes."""
    at: float
    """Unix seconds."""
    settled: bool
    snapshot: Snapshot
    versions: Mapping[ServiceId, int] = field(default_factory=dict)
    """Store revision of each service's record."""
    waiting: Mapping[ServiceId, str] = field(default_factory=dict)
    secrets: Mapping[tuple[str, str], SecretRecord] = field(default_factory=dict)
    """By (project, name); an empty project is the cluster."""
    secret_versions: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Store revision of each secret's record."""
    deployments: Mapping[ServiceId, tuple[StoredDeployment, ...]] = field(default_factory=dict)
    proxies: Mapping[ProxyId, ProxyView] = field(default_factory=dict)
    routes: RouteTable = field(default_factory=RouteTable)
    problem: str = ""
    """Why the leader cannot act; empty while it can."""


_NOTHING_YET = Edition(
    number=0,
    revision=0,
    at=0.0,
    settled=False,
    snapshot=Snapshot(epoch=Epoch(0)),
    problem="this master does not lead yet",
)


class Publication:
    """The latest edition, and a bell that rings when there is a newer one."""

    def __init__(self) -> None:
        self.latest = _NOTHING_YET
        self._bell = asyncio.Event()

    def publish(self, edition: Edition) -> None:
        """Replace the latest edition and wake everyone who waits."""
        self.latest = edition
        self._bell.set()
        self._bell = asyncio.Event()

    async def next(self) -> Edition:
        """The first edition after the present one."""
        await self._bell.wait()
        return self.latest

    async def including(self, revision: int, *, timeout_seconds: float = 5.0) -> Edition:
        """The first edition that includes a commit. Raises `StoreUnavailable` when it does not come."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while self.latest.revision < revision:
                    await self.next()
        except TimeoutError as error:
            raise StoreUnavailable(
                "the change is stored, but the leader has not seen it yet",
                hint="look at `orca status` before trying again",
            ) from error
        return self.latest

    async def editions(self) -> AsyncIterator[Edition]:
        """The latest edition, then each newer one; slow readers skip those in between."""
        edition = self.latest
        yield edition
        while True:
            edition = self.latest if self.latest.number > edition.number else await self.next()
            yield edition
