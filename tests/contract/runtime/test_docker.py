"""What only a real Docker Engine can show: isolation, limits, names, registries, terminals."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engines import WEB, Bench, DockerSite

from orca import errors
from orca.model.container import Probe, ProbeKind, Resources, VolumeMount
from orca.node.docker import DockerRuntime
from orca.node.probes import OK, NetworkProber
from orca.node.runtime import ExecSpec, Output
from orca.rpc.messages import Channel


def inspected(bench: Bench, container: str) -> dict[str, Any]:
    site = bench.site
    assert isinstance(site, DockerSite)
    (found,) = json.loads(site.engine.docker("inspect", container))
    return dict(found)


async def inside(bench: Bench, container: str, *command: str) -> str:
    session = await bench.runtime.exec(container, ExecSpec(command=command))
    said = b""
    while (output := await session.read()) is not None:
        said += output.data
    await session.close()
    return said.decode()


async def test_container_starts_with_safe_settings_and_its_limits(docker: Bench) -> None:
    container = await docker.run(
        resources=Resources(memory_bytes=64 << 20, cpus=0.5, pids=50, shm_bytes=8 << 20),
        read_only=True,
        cap_drop=("ALL",),
        tmpfs=("/scratch:size=1m",),
        log_max_size="5m",
        log_max_files=2,
    )
    config = inspected(docker, container)["HostConfig"]
    assert config["SecurityOpt"] == ["no-new-privileges"]
    assert config["RestartPolicy"]["Name"] == "no"
    assert config["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "5m", "max-file": "2"},
    }
    assert config["Memory"] == 64 << 20
    assert config["NanoCpus"] == 500_000_000
    assert config["PidsLimit"] == 50
    assert config["ShmSize"] == 8 << 20
    assert config["ReadonlyRootfs"]
    assert config["CapDrop"] == ["ALL"]
    assert config["Init"]
    assert "touch" in await inside(docker, container, "touch", "/nowhere")
    assert await inside(docker, container, "touch", "/scratch/here") == ""


async def test_services_reach_each_other_by_alias(docker: Bench) -> None:
    await docker.run(WEB, name="orca-web-1", aliases=("web", "shop-web"), env={"BODY": "found"})
    client = await docker.run(name="orca-client-1", aliases=("client",))
    for name in ("web", "shop-web"):
        await docker.until(lambda name=name: _fetches(docker, client, name))


async def _fetches(bench: Bench, client: str, name: str) -> bool:
    said = await inside(bench, client, "wget", "-q", "-O", "-", f"http://{name}/")
    return said == "found\n"


async def test_named_volume_survives_its_container_and_is_labelled(docker: Bench) -> None:
    volume = (VolumeMount(source="shop_data", target="/data"),)
    site = docker.site
    assert isinstance(site, DockerSite)
    request = docker.request(init=False)
    first = await docker.runtime.create(replace(request, volumes=volume))
    await docker.runtime.start(first)
    await inside(docker, first, "sh", "-c", "echo kept >/data/file")
    await docker.runtime.remove(first)
    second = await docker.runtime.create(replace(request, volumes=volume))
    await docker.runtime.start(second)
    assert await inside(docker, second, "cat", "/data/file") == "kept\n"
    labels = site.engine.docker("volume", "inspect", "-f", "{{json .Labels}}", "shop_data")
    assert json.loads(labels) == {"orca.cluster": "contract"}
    await docker.runtime.remove(second)
    site.engine.docker("volume", "rm", "shop_data")


async def test_secret_files_are_readable_inside_and_not_writable(
    docker: Bench, tmp_path: Path
) -> None:
    (tmp_path / "KEY").write_text("s3cret")
    (tmp_path / "KEY").chmod(0o444)
    tmp_path.chmod(0o755)
    container = await docker.run(secrets_directory=str(tmp_path), user="1000")
    assert await inside(docker, container, "cat", "/run/secrets/KEY") == "s3cret"
    assert "ead-only" in await inside(docker, container, "sh", "-c", "echo x >/run/secrets/KEY")


async def test_container_joins_further_networks_before_it_starts(docker: Bench) -> None:
    container = await docker.run(networks=("orca-contract", "orca-shared"), aliases=("both",))
    joined = inspected(docker, container)["NetworkSettings"]["Networks"]
    assert joined.keys() == {"orca-contract", "orca-shared"}
    assert all("both" in each["Aliases"] for each in joined.values())
    found = await docker.runtime.inspect(container)
    assert found is not None
    assert found.address == joined["orca-contract"]["IPAddress"]


async def test_terminal_has_the_size_that_was_asked_for(docker: Bench) -> None:
    container = await docker.run()
    command = ("sh", "-c", "sleep 0.2; stty size; read line; stty size")
    spec = ExecSpec(command=command, tty=True, stdin=True, columns=91, rows=33)
    session = await docker.runtime.exec(container, spec)
    said = ""
    async with asyncio.timeout(10):
        while "33 91" not in said:
            said += await _said(session)
        await session.resize(columns=100, rows=40)
        await session.write(b"\n")
        while "40 100" not in said:
            said += await _said(session)
        while await session.read() is not None:
            pass
    assert await session.exit_code() == 0
    await session.close()


async def _said(session: Any) -> str:
    output: Output | None = await session.read()
    assert output is not None
    assert output.channel is Channel.STDOUT
    return output.data.decode()


async def test_host_named_by_the_environment_is_used(
    docker: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = docker.site
    assert isinstance(site, DockerSite)
    monkeypatch.setenv("DOCKER_HOST", site.engine.host)
    runtime = DockerRuntime()
    await runtime.ping()
    await runtime.close()


async def test_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    runtime = DockerRuntime(f"unix://{tmp_path}/none.sock")
    with pytest.raises(errors.DockerUnavailable, match=r"none\.sock: .*No such file"):
        await runtime.ping()
    await runtime.close()


async def test_container_that_comes_up_is_seen_by_every_kind_of_probe(docker: Bench) -> None:
    container = await docker.run(WEB)
    found = await docker.runtime.inspect(container)
    assert found is not None
    prober = NetworkProber(docker.runtime)
    probes = (
        Probe(kind=ProbeKind.HTTP),
        Probe(kind=ProbeKind.TCP),
        Probe(kind=ProbeKind.EXEC, command=("wget", "-q", "-O", "-", "http://127.0.0.1/")),
    )
    for probe in probes:
        await docker.until(lambda probe=probe: _passes(prober, probe, container, found.address))
    missing = Probe(kind=ProbeKind.HTTP, path="/nothing")
    reason = await prober.ask(missing, container=container, address=found.address, port=80)
    assert reason == f"GET http://{found.address}:80/nothing → 404"
    failing = Probe(kind=ProbeKind.EXEC, command=("sh", "-c", "echo no; exit 4"))
    reason = await prober.ask(failing, container=container, address=found.address, port=80)
    assert reason == "`sh -c echo no; exit 4` → exit code 4: no"
    await prober.close()


async def _passes(prober: NetworkProber, probe: Probe, container: str, address: str) -> bool:
    return await prober.ask(probe, container=container, address=address, port=80) == OK
