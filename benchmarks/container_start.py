"""P3: one container, from API accept to "running" seen by a watcher, beside a raw `docker run -d`.

All take the same image on the same engine and alternate. A `docker run` with the options that orca gives
every container (a network of its own, an init, no new privileges, log limits) is measured too: what it
costs above the plain one is Docker's, not the orchestrator's. A watcher follows the status stream; the clock
starts when the deploy request is sent and stops when the stream shows the container running.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import time

from figures import keep, line, machine, percentile

from orca.client import schema
from orca.client.http import OrcaClient
from orca.client.settings import ClientSettings
from orca.spec.service import ServiceSpec
from orca.testing.engine import DockerEngine
from orca.testing.host import Host

FIRST_MS, GOAL_MS = 150.0, 80.0
ROUNDS_MAX = 200
IMAGE = "orca-bench/sleep"
NETWORK = "bench-raw"
ALIKE = (
    *("--network", NETWORK, "--init", "--security-opt", "no-new-privileges"),
    *("--log-opt", "max-size=10m", "--log-opt", "max-file=3"),
)


def main() -> int:
    """Measure and print; exit code 1 when "first" is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help=f"at most {ROUNDS_MAX}")
    rounds = min(parser.parse_args().rounds, ROUNDS_MAX)
    with DockerEngine() as engine:
        image = engine.image(IMAGE, ("/bin/sleep", "3600"))
        with Host(engine) as host:
            host.configure()
            host.start()
            engine.docker("network", "create", NETWORK)
            raw, alike, orca = asyncio.run(_measure(engine, host, image, rounds))
    return _report(raw, alike, orca)


async def _measure(
    engine: DockerEngine, host: Host, image: str, rounds: int
) -> tuple[list[float], list[float], list[float]]:
    raw: list[float] = []
    alike: list[float] = []
    orca: list[float] = []
    settings = ClientSettings.discover({}, host.home)
    async with OrcaClient(settings) as client:
        # A project's network lives as long as it has a container: making it is not what is measured.
        await _deploy(client, "resident", keep=True)
        for number in range(-2, rounds):
            raw_ms = await asyncio.to_thread(_raw, engine, image)
            alike_ms = await asyncio.to_thread(_raw, engine, image, *ALIKE)
            orca_ms = await _deploy(client, f"b{number + 2}")
            if number >= 0:
                raw.append(raw_ms)
                alike.append(alike_ms)
                orca.append(orca_ms)
    return raw, alike, orca


def _raw(engine: DockerEngine, image: str, *options: str) -> float:
    began = time.perf_counter()
    command = ["docker", "-H", engine.host, "run", "-d", *options, image]
    container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    elapsed = time.perf_counter() - began
    engine.docker("rm", "-f", container)
    return elapsed * 1000


async def _deploy(client: OrcaClient, name: str, *, keep: bool = False) -> float:
    spec = ServiceSpec(name=name, project="bench", image=IMAGE, pull="if-missing")
    watching = asyncio.Event()
    seen = asyncio.create_task(_until_running(client, name, watching))
    await watching.wait()
    began = time.perf_counter()
    await client.deploy(schema.DeployRequest(services=(spec,)))
    elapsed = await asyncio.wait_for(seen, 30) - began
    if keep:
        return elapsed * 1000
    await client.remove(f"bench/{name}")
    await _until_gone(client, name)
    return elapsed * 1000


async def _until_running(client: OrcaClient, name: str, watching: asyncio.Event) -> float:
    async with contextlib.aclosing(client.watch_status()) as stream:
        async for status in stream:
            watching.set()
            for service in status.services:
                if service.name == name and service.running_replicas:
                    return time.perf_counter()
    raise RuntimeError("the status stream ended")


async def _until_gone(client: OrcaClient, name: str) -> None:
    async with contextlib.aclosing(client.watch_status()) as stream:
        async for status in stream:
            if all(service.name != name for service in status.services):
                return


def _report(raw: list[float], alike: list[float], orca: list[float]) -> int:
    base = statistics.median(raw)
    overhead = [sample - base for sample in orca]
    print(machine())
    print(line("docker run -d", raw))
    print(line("docker run -d, with orca's options", alike))
    print(line("orca: accept → running seen", orca))
    print(line("orca minus the median docker run", overhead))
    p99 = percentile(overhead, 99)
    print(f"P3: p99 {p99:.0f} ms above raw (first ≤ {FIRST_MS:g} ms, goal ≤ {GOAL_MS:g} ms)")
    keep("container-start", {"raw_ms": raw, "alike_ms": alike, "orca_ms": orca})
    return 0 if p99 <= FIRST_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
