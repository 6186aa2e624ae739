"""Real hosts for the integration tests: one engine for all, one server per module."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from service_files import build_images

from orca.testing.engine import DockerEngine
from orca.testing.host import Host, sweep

TEST_SECONDS = 150


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that hangs fails, so that what it started is ended: the thread method would just exit."""
    for item in items:
        if item.path.is_relative_to(__file__.rpartition("/")[0]):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, method="signal"))


@pytest.fixture(scope="session", autouse=True)
def ends_in_order() -> Iterator[None]:
    """`kill` of the test run ends it like Ctrl-C: fixtures clean up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    sweep()
    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerEngine]:
    """A private Docker Engine with the images of the tests."""
    with DockerEngine() as found:
        build_images(found)
        yield found


@pytest.fixture(scope="module")
def host(engine: DockerEngine) -> Iterator[Host]:
    """A host of this module's own, on which nothing runs yet."""
    with Host(engine) as found:
        yield found


@pytest.fixture(scope="module")
def server(host: Host) -> Host:
    """The host with `orca server -d` started."""
    host.start()
    return host


@pytest.fixture
def project(host: Host, request: pytest.FixtureRequest) -> Iterator[str]:
    """A project of the test's own, so that tests of one server do not meet."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    yield name
    shutil.rmtree(host.config / "services", ignore_errors=True)


@pytest.fixture
def domain(project: str) -> str:
    """A domain of the test's own."""
    return f"{project}.example"
