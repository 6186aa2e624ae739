"""The engines for the runtime's contract tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from engines import Bench, DockerSite, FakeSite, build_images

from orca.testing.engine import DockerEngine


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[DockerEngine]:
    """A private Docker Engine with the contract's images."""
    with DockerEngine() as engine:
        build_images(engine)
        yield engine


@pytest.fixture(params=["fake", "docker"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """Both engines, one after the other."""
    if request.param == "fake":
        yield Bench(FakeSite())
        return
    site = DockerSite(request.getfixturevalue("docker_engine"))
    try:
        yield Bench(site)
    finally:
        await site.clean()


@pytest.fixture
async def docker(docker_engine: DockerEngine) -> AsyncIterator[Bench]:
    """The real engine alone, for what only it can show."""
    site = DockerSite(docker_engine)
    try:
        yield Bench(site)
    finally:
        await site.clean()
