"""The whole node agent on a real Docker Engine: crashes, and the daemon's restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from node_world import Master, assignment

from orca.model.replica import ReplicaState
from orca.node.app import NodeApp
from orca.node.settings import NodeSettings
from orca.testing.engine import DockerEngine

IMAGE = "orca-test/web:1"


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not _holds(condition):
            await asyncio.sleep(0.005)


def _holds(condition: Callable[[], Any]) -> bool:
    try:
        return bool(condition())
    except KeyError:
        return False


@asynccontextmanager
async def agent(engine: DockerEngine, home: Path, master: Master) -> AsyncIterator[None]:
    settings = NodeSettings(
        home=home, cluster="on-docker", name="n", docker_host=engine.host, runtime_directory=home
    )
    task = asyncio.ensure_future(NodeApp(settings, master).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def started_at(engine: DockerEngine, container: str) -> str:
    return engine.docker("inspect", "-f", "{{.State.StartedAt}}", container)


@pytest.mark.parametrize("live_restore", [False, True])
async def test_replica_survives_crash_agent_and_daemon(tmp_path: Path, live_restore: bool) -> None:
    master = Master()
    with DockerEngine(live_restore=live_restore) as engine:
        engine.image(IMAGE)
        async with agent(engine, tmp_path, master):
            await until(lambda: master.hellos)
            await master.want(
                assignment(IMAGE, port=80, settled_name=True, secret_files={"KEY": "value"})
            )
            await until(lambda: master.status().ready)
            container = master.status().container_id
            assert master.status().container_name == "orca-web"
            secret = engine.docker("exec", container, "cat", "/run/secrets/KEY")
            assert secret == "value"
            engine.docker("kill", container)
            await until(lambda: master.status().attempt == 2 and master.status().ready)
            assert master.status().exit_code == 137

        # The agent is gone and comes back: nothing is touched.
        before = started_at(engine, container)
        async with agent(engine, tmp_path, master):
            await until(lambda: len(master.hellos) == 2)
            (status,) = master.hellos[1].statuses
            assert (status.state, status.ready) == (ReplicaState.RUNNING, True)
            assert status.container_id == container
            assert started_at(engine, container) == before

            # The daemon is restarted: with live-restore nothing is touched, else all is back.
            engine.stop()
            await until(lambda: master.facts[-1].docker_error)
            await until(lambda: master.status().ready is live_restore)
            engine.start()
            await until(lambda: not master.facts[-1].docker_error)
            await until(lambda: master.status().ready and not master.status().reason)
            assert (started_at(engine, container) == before) is live_restore
            assert master.status().container_id == container
            assert master.status().restarts == 1

            await master.stop("r-000001")
            await until(lambda: master.gone)
            await until(lambda: "orca-shop" not in engine.docker("network", "ls"))
            assert engine.docker("ps", "-aq") == ""
    await master.end()
