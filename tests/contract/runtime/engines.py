"""The two engines the runtime contract is held against: the fake one and Debian's Docker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from orca.model.container import ContainerSpec
from orca.node.docker import DockerRuntime
from orca.node.runtime import ContainerRequest, Runtime
from orca.testing.engine import HTTPD, DockerEngine
from orca.testing.fake_docker import Behaviour, FakeRuntime

LABELS = {"orca.cluster": "contract", "orca.node": "here"}

SLEEPER = "orca-test/sleeper:1"
WRITER = "orca-test/writer:1"
CRASHER = "orca-test/crasher:1"
STUBBORN = "orca-test/stubborn:1"
HUNGRY = "orca-test/hungry:1"
WEB = "orca-test/web:1"

_SH = "/bin/sh"
_SCRIPTS = {
    SLEEPER: (_SH, "-c", "exec sleep 1000"),
    WRITER: (
        _SH,
        "-c",
        "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three; exec sleep 1000",
    ),
    CRASHER: (_SH, "-c", "echo dying; exit 3"),
    STUBBORN: (_SH, "-c", "trap '' TERM; while true; do sleep 0.1; done"),
    # Docker misses the cause of a death that comes before it watches.
    HUNGRY: (_SH, "-c", "sleep 0.5; exec dd if=/dev/zero of=/dev/null bs=64M"),
    WEB: HTTPD,
}
_BEHAVIOURS = {
    SLEEPER: Behaviour(),
    WRITER: Behaviour(lines=("one", "err:two", "three")),
    CRASHER: Behaviour(lines=("dying",), crash_after=0.05, exit_code=3),
    STUBBORN: Behaviour(ignores_sigterm=True),
    HUNGRY: Behaviour(crash_after=0.05, oom=True),
    WEB: Behaviour(),
}


class Site(Protocol):
    """An engine under test, and what only its kind of engine can do to it."""

    runtime: Runtime

    def stop_daemon(self) -> None: ...

    def start_daemon(self) -> None: ...


class FakeSite:
    """The fake: every test has one of its own."""

    def __init__(self) -> None:
        self.fake = FakeRuntime(latency_seconds={})
        self.runtime: Runtime = self.fake
        for name, behaviour in _BEHAVIOURS.items():
            self.fake.add_image(name, behaviour)

    def stop_daemon(self) -> None:
        self.fake.stop_daemon()

    def start_daemon(self) -> None:
        self.fake.start_daemon()


class DockerSite:
    """The real one; its engine is shared, its containers are removed after each test."""

    def __init__(self, engine: DockerEngine) -> None:
        self.engine = engine
        self.runtime: Runtime = DockerRuntime(engine.host)

    def stop_daemon(self) -> None:
        self.engine.stop()

    def start_daemon(self) -> None:
        self.engine.start()

    async def clean(self) -> None:
        for each in await self.runtime.list({"orca.cluster": LABELS["orca.cluster"]}):
            await self.runtime.remove(each.id)
        await self.runtime.close()


def build_images(engine: DockerEngine) -> None:
    """Put the images of the contract onto a real engine."""
    for name, command in _SCRIPTS.items():
        engine.image(name, command)


class Bench:
    """What the tests work with."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.runtime = site.runtime

    def request(
        self,
        image: str = SLEEPER,
        *,
        name: str = "orca-contract",
        replica: str = "r-1",
        networks: tuple[str, ...] = ("orca-contract",),
        secrets_directory: str = "",
        aliases: tuple[str, ...] = (),
        **spec: Any,
    ) -> ContainerRequest:
        spec.setdefault("stop_grace_seconds", 1.0)
        return ContainerRequest(
            name=name,
            image=image,
            spec=ContainerSpec(image=image, **spec),
            labels={**LABELS, "orca.replica": replica},
            networks=networks,
            owner={"orca.cluster": LABELS["orca.cluster"]},
            aliases=aliases,
            secrets_directory=secrets_directory,
        )

    async def run(self, image: str = SLEEPER, **request: Any) -> str:
        """A started container's id."""
        container = await self.runtime.create(self.request(image, **request))
        await self.runtime.start(container)
        return container

    async def until(self, condition: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait for an awaitable condition."""
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.02)

    async def until_ended(self, container: str) -> Any:
        """The container, once its process is over."""

        async def ended() -> bool:
            found = await self.runtime.inspect(container)
            return found is not None and not found.running

        await self.until(ended)
        return await self.runtime.inspect(container)
