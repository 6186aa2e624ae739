"""What the store's contract runs on: memory on virtual time, and a real etcd."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from orca.store.base import Store
from orca.store.etcd import EtcdSettings, EtcdStore
from orca.store.memory import MemoryStore
from orca.testing import virtual_time
from tests.contract.store.etcd_server import EtcdServer

Scenario: TypeAlias = Callable[[Any, str], Awaitable[None]]
"""Takes a store, and a prefix that nobody else uses."""


class Backend(Protocol):
    """A kind of store, and what a test must be able to do behind its back."""

    def run(self, scenario: Scenario) -> None: ...

    async def compact(self, store: Store) -> None: ...


class MemoryBackend:
    def run(self, scenario: Scenario) -> None:
        async def main() -> None:
            async with MemoryStore() as store:
                await scenario(store, prefix())

        virtual_time.run(main())

    async def compact(self, store: Store) -> None:
        assert isinstance(store, MemoryStore)
        store.server.compact()


class EtcdBackend:
    def __init__(self, server: EtcdServer) -> None:
        self.server = server

    def run(self, scenario: Scenario) -> None:
        async def main() -> None:
            async with EtcdStore(EtcdSettings(endpoints=(self.server.endpoint,))) as store:
                await scenario(store, prefix())

        asyncio.run(main())

    async def compact(self, store: Store) -> None:
        assert isinstance(store, EtcdStore)
        await store.compact()


def prefix() -> str:
    return f"/test/{uuid.uuid4().hex}/"
