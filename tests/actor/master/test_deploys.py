"""Users and the leader on the same service: who wins, and who is told to look again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orca.client import schema
from orca.errors import Conflict, ImageError
from orca.model.service import RolloutPhase
from orca.spec.service import ServiceSpec
from orca.testing.fake_docker import Behaviour
from orca.testing.sim import processes, users
from orca.testing.sim.cluster import USER, Shape, SimCluster

WEB: dict[str, Any] = {"port": 80, "domains": ["web.sim"], "deploy": {"min_ready_secs": 1}}


class World:
    """One host of everything."""

    def __init__(self, cluster: SimCluster) -> None:
        self.cluster = cluster

    def publish(self, image: str, *, pull_seconds: float = 0.0, **behaviour: Any) -> None:
        for node in self.cluster.nodes:
            node.engine.publish(image, Behaviour(**behaviour), pull_seconds=pull_seconds)

    async def deploy(
        self, image: str, *, expect: dict[str, int] | None = None, **keys: Any
    ) -> schema.DeployResponse:
        spec = users.spec("web", {**WEB, **keys}, image)
        request = schema.DeployRequest(services=(spec,), expect=expect or {})
        return await self.cluster.ask(lambda control: control.deploy(request, by=USER))

    async def scale(self, replicas: int) -> schema.Accepted:
        return await self.cluster.ask(lambda control: control.scale("web", replicas, by=USER))

    async def status(self) -> schema.ServiceStatus:
        async def ask(control: Any) -> schema.StatusResponse:
            found: schema.StatusResponse = control.status()
            return found

        return (await self.cluster.ask(ask)).services[0]

    async def until_complete(self) -> schema.ServiceStatus:
        while True:
            await asyncio.sleep(0.5)
            found = await self.status()
            if found.rollout is not None and found.rollout.phase == RolloutPhase.COMPLETE:
                return found


def play(script: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with SimCluster(1, Shape()) as cluster:
            await asyncio.sleep(1)
            async with asyncio.timeout(300):
                await script(World(cluster))
            cluster.check()

    processes.run(main())


def test_deploy_whose_image_takes_long_is_not_refused_because_a_rollout_goes_on_meanwhile() -> None:
    async def script(world: World) -> None:
        world.publish("web:1")
        world.publish("web:2", pull_seconds=10)
        await world.deploy("web:1", replicas=2)
        planned = (await world.status()).version
        done = await world.deploy("web:2", replicas=2, expect={"shop/web": planned})
        assert done.deployed[0].revision == 2
        assert (await world.until_complete()).image == "web:2"

    play(script)


def test_deploy_is_refused_when_another_user_was_quicker() -> None:
    async def script(world: World) -> None:
        world.publish("web:1")
        world.publish("web:2", pull_seconds=10)
        await world.deploy("web:1")
        planned = (await world.status()).version
        deploying = asyncio.ensure_future(world.deploy("web:2", expect={"shop/web": planned}))
        await asyncio.sleep(3)
        await world.scale(2)
        with pytest.raises(Conflict, match="changed since the plan was made"):
            await deploying

    play(script)


def test_version_counts_what_users_change_and_nothing_else() -> None:
    async def script(world: World) -> None:
        world.publish("web:1")
        await world.deploy("web:1")
        assert (await world.until_complete()).version == 1
        await world.scale(2)
        assert (await world.until_complete()).version == 2

    play(script)


def test_redeploy_of_the_same_changes_nothing() -> None:
    async def script(world: World) -> None:
        world.publish("web:1")
        await world.deploy("web:1")
        before = await world.until_complete()
        done = await world.deploy("web:1")
        assert done.unchanged == ("shop/web",)
        assert await world.status() == before.model_copy(
            update={"instances": (await world.status()).instances}
        )

    play(script)


def many(image: str) -> tuple[ServiceSpec, ...]:
    """More than fit into one transaction."""
    return tuple(
        ServiceSpec.model_validate({"name": f"s{n}", "project": "shop", "image": image})
        for n in range(70)
    )


def test_deploy_of_more_than_fits_into_one_transaction_is_complete() -> None:
    async def script(world: World) -> None:
        world.publish("worker:1")
        request = schema.DeployRequest(services=many("worker:1"))
        done = await world.cluster.ask(lambda control: control.deploy(request, by=USER))
        assert [each.service for each in done.deployed] == [f"shop/s{n}" for n in range(70)]
        again = await world.cluster.ask(lambda control: control.deploy(request, by=USER))
        assert (len(again.deployed), len(again.unchanged)) == (0, 70)
        stopped = await world.cluster.ask(lambda control: control.stop((), by=USER))
        assert len(stopped.deployed) == 70
        removed = await world.cluster.ask(lambda c: c.remove_project("shop", by=USER))
        assert len(removed.deployed) == 70

    play(script)


def test_image_that_cannot_be_had_changes_nothing() -> None:
    async def script(world: World) -> None:
        world.publish("web:1")
        await world.deploy("web:1")
        before = await world.until_complete()
        with pytest.raises(ImageError):
            await world.deploy("web:nowhere")
        assert (await world.status()).version == before.version

    play(script)
