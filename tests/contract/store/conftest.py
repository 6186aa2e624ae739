"""The servers and stores that the store's contract tests run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.store import etcd_server
from tests.contract.store.etcd_server import EtcdServer
from tests.contract.store.store_backends import Backend, EtcdBackend, MemoryBackend


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """One server for all tests that leave it as they found it."""
    with etcd_server.running(etcd_server.members(tmp_path_factory.mktemp("etcd"), 1)) as (server,):
        yield server


@pytest.fixture
def own_etcd(tmp_path: Path) -> Iterator[EtcdServer]:
    """A server that the test may kill, freeze and fill."""
    with etcd_server.running(etcd_server.members(tmp_path, 1)) as (server,):
        yield server


@pytest.fixture(params=["memory", "etcd"])
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "memory":
        return MemoryBackend()
    return EtcdBackend(request.getfixturevalue("etcd"))
