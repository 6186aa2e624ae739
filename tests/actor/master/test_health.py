"""When a master says that it is ready."""

from __future__ import annotations

import asyncio

from orca.client import schema
from orca.testing.sim import processes
from orca.testing.sim.cluster import Shape, SimCluster


def health(cluster: SimCluster) -> schema.Health:
    app = cluster.masters[0].app
    assert app is not None
    return app.control.health()


def test_master_is_not_ready_before_a_node_has_ever_spoken() -> None:
    async def main() -> None:
        async with SimCluster(1, Shape()) as cluster:
            (node,) = cluster.nodes
            node.kill()
            await asyncio.sleep(20)
            assert health(cluster).reasons == ("no node has connected yet",)
            assert not health(cluster).ready
            node.start()
            await asyncio.sleep(5)
            assert health(cluster).ready
            node.kill()
            await asyncio.sleep(20)
            assert health(cluster).ready, "it is known, and said to be away"

    processes.run(main())
