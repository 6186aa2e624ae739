"""Containers: what Docker is asked to make, and what it says of what it made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orca import errors
from orca.model.container import ContainerSpec, PortMapping
from orca.node.docker import failures, networks
from orca.node.docker.api import Api, Refused, not_found
from orca.node.runtime import Container, ContainerRequest, ContainerState, ContainerSummary

HOST_NETWORK = "host"
SECRETS_TARGET = "/run/secrets"
STOP_MARGIN_SECONDS = 30.0
"""How much longer than the grace a stop may take before Docker counts as not answering."""

_RUNNING = frozenset({"running", "paused", "restarting"})
_PRIMARY = "orca.network"
"""Label with the network whose address counts."""


async def create(api: Api, request: ContainerRequest, *, init: bool) -> str:
    """Make a container; the networks it needs are there."""
    try:
        made = await api.call(
            "POST",
            "containers/create",
            params={"name": request.name},
            body=create_body(request, init=init),
        )
    except Refused as refused:
        raise _creation_error(request, refused) from refused
    container = str(made["Id"])
    try:
        for name in request.networks[1:]:
            await _connect(api, container, name, request)
    except BaseException:
        # Half a container is nobody's: the next attempt begins from nothing.
        await remove(api, container)
        raise
    return container


async def _connect(api: Api, container: str, network: str, request: ContainerRequest) -> None:
    body = {"Container": container, "EndpointConfig": {"Aliases": list(request.aliases)}}
    try:
        await api.call("POST", f"networks/{network}/connect", body=body)
    except Refused as refused:
        raise failures.container_error(request.name, refused.text) from refused


def _creation_error(request: ContainerRequest, refused: Refused) -> errors.OrcaError:
    low = refused.text.lower()
    if refused.status == 409 and "name" in low:
        return errors.Conflict(f"the container name {request.name} is taken")
    if refused.status == 404 and "no such image" in low:
        return failures.missing_image(request.image, "it was there a moment ago")
    return failures.container_error(request.name, refused.text)


def create_body(request: ContainerRequest, *, init: bool) -> dict[str, Any]:
    """The body of `POST /containers/create`."""
    spec = request.spec
    body: dict[str, Any] = {
        "Image": request.image,
        "Labels": {**request.labels, _PRIMARY: next(iter(request.networks), "")},
        "Env": [f"{key}={value}" for key, value in spec.env.items()],
        "User": spec.user,
        "WorkingDir": spec.working_dir,
        "ExposedPorts": {_port_key(port): {} for port in spec.ports},
        "StopTimeout": max(1, round(spec.stop_grace_seconds)),
        "HostConfig": _host_config(request, init=init),
    }
    if spec.command:
        body["Cmd"] = list(spec.command)
    if spec.entrypoint:
        body["Entrypoint"] = list(spec.entrypoint)
    if request.networks and request.networks[0] != HOST_NETWORK:
        endpoint = {"Aliases": list(request.aliases)}
        body["NetworkingConfig"] = {"EndpointsConfig": {request.networks[0]: endpoint}}
    return body


def _host_config(request: ContainerRequest, *, init: bool) -> dict[str, Any]:
    spec = request.spec
    config: dict[str, Any] = {
        # The agent alone restarts: two masters of one container would fight.
        "RestartPolicy": {"Name": "no"},
        "Init": spec.init and init,
        "Mounts": _mounts(request),
        "Tmpfs": dict(_tmpfs(entry) for entry in spec.tmpfs),
        "PortBindings": _port_bindings(spec.ports),
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)},
        },
        "ReadonlyRootfs": spec.read_only,
        "Privileged": spec.privileged,
        "CapAdd": list(spec.cap_add),
        "CapDrop": list(spec.cap_drop),
        "SecurityOpt": [] if spec.privileged else ["no-new-privileges"],
    }
    if request.networks:
        config["NetworkMode"] = request.networks[0]
    return config | _limits(spec)


def _limits(spec: ContainerSpec) -> dict[str, Any]:
    wanted = {
        "Memory": spec.resources.memory_bytes,
        "NanoCpus": round(spec.resources.cpus * 1e9),
        "PidsLimit": spec.resources.pids,
        "ShmSize": spec.resources.shm_bytes,
    }
    return {key: value for key, value in wanted.items() if value}


def _mounts(request: ContainerRequest) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {
            "Type": "volume",
            "Source": volume.source,
            "Target": volume.target,
            "ReadOnly": volume.read_only,
            "VolumeOptions": {"Labels": dict(request.owner)},
        }
        for volume in request.volumes
    ]
    mounts += [
        {"Type": "bind", "Source": m.source, "Target": m.target, "ReadOnly": m.read_only}
        for m in request.spec.mounts
    ]
    if request.secrets_directory:
        source = request.secrets_directory
        mounts.append(
            {"Type": "bind", "Source": source, "Target": SECRETS_TARGET, "ReadOnly": True}
        )
    return mounts


def _tmpfs(entry: str) -> tuple[str, str]:
    path, _, options = entry.partition(":")
    return path, options


def _port_key(port: PortMapping) -> str:
    return f"{port.container_port}/{port.protocol}"


def _port_bindings(ports: tuple[PortMapping, ...]) -> dict[str, list[dict[str, str]]]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        binding = {"HostIp": port.host_ip, "HostPort": str(port.host_port)}
        bindings.setdefault(_port_key(port), []).append(binding)
    return bindings


async def start(api: Api, container: str) -> None:
    """Start it, or say why not."""
    try:
        await api.call("POST", f"containers/{container}/start")
    except Refused as refused:
        # A missing command is a 404 too, with a longer text.
        if refused.status == 404 and "no such container" in refused.text.lower():
            raise not_found(container) from refused
        raise failures.container_error(container[:12], refused.text) from refused


async def stop(api: Api, container: str, *, grace_seconds: float) -> None:
    """SIGTERM, grace, SIGKILL."""
    await _ending(
        api,
        "POST",
        f"containers/{container}/stop",
        params={"t": max(0, round(grace_seconds))},
        seconds=grace_seconds + STOP_MARGIN_SECONDS,
    )


async def kill(api: Api, container: str) -> None:
    """SIGKILL."""
    await _ending(api, "POST", f"containers/{container}/kill")


async def remove(api: Api, container: str) -> None:
    """Remove, with anonymous volumes."""
    await _ending(api, "DELETE", f"containers/{container}", params={"force": 1, "v": 1})


async def _ending(
    api: Api,
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    seconds: float = 60.0,
) -> None:
    """A call whose purpose is fulfilled when the container is gone, ended or on its way out."""
    try:
        await api.call(method, path, params=params, seconds=seconds)
    except Refused as refused:
        done = (
            "is not running",
            "no such container",
            "is already in progress",
            "is already stopped",
        )
        if not any(text in refused.text.lower() for text in done):
            raise failures.container_error(path.split("/")[1][:12], refused.text) from refused


async def rename(api: Api, container: str, name: str) -> None:
    """Give it another name."""
    try:
        await api.call("POST", f"containers/{container}/rename", params={"name": name})
    except Refused as refused:
        if refused.status == 409:
            raise errors.Conflict(f"the container name {name} is taken") from refused
        if refused.status == 404:
            raise not_found(container) from refused
        raise failures.container_error(name, refused.text) from refused


async def inspect(api: Api, container: str) -> Container | None:
    """Look at it."""
    try:
        return read(await api.call("GET", f"containers/{container}/json"))
    except Refused as refused:
        if refused.status == 404:
            return None
        raise failures.container_error(container[:12], refused.text) from refused


def read(found: Mapping[str, Any]) -> Container:
    """What `GET /containers/<id>/json` answered."""
    state = found["State"]
    labels = found["Config"]["Labels"] or {}
    return Container(
        id=found["Id"],
        name=found["Name"].removeprefix("/"),
        labels=labels,
        state=_state(state["Status"]),
        exit_code=state["ExitCode"] if state["Status"] in ("exited", "dead") else -1,
        oom_killed=bool(state["OOMKilled"]),
        error=state["Error"],
        started_at=unix_seconds(state["StartedAt"]),
        finished_at=unix_seconds(state["FinishedAt"]),
        address=_address(found, labels.get(_PRIMARY, "")),
    )


def _state(status: str) -> ContainerState:
    if status in _RUNNING:
        return ContainerState.RUNNING
    return ContainerState.CREATED if status == "created" else ContainerState.EXITED


def _address(found: Mapping[str, Any], primary: str) -> str:
    if found["State"]["Status"] not in _RUNNING:
        return ""
    if found["HostConfig"]["NetworkMode"] == HOST_NETWORK:
        return "127.0.0.1"
    joined: Mapping[str, Any] = found["NetworkSettings"]["Networks"] or {}
    endpoint: Mapping[str, Any] = joined.get(primary) or next(iter(joined.values()), {})
    return str(endpoint.get("IPAddress", ""))


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def unix_seconds(text: str) -> float:
    """Docker's nanosecond timestamps; its zero time is 0."""
    matched = _TIME.fullmatch(text)
    if matched is None or text.startswith("0001-"):
        return 0.0
    zone = "+00:00" if matched[3] == "Z" else matched[3]
    whole = datetime.fromisoformat(matched[1] + zone).timestamp()
    return whole + float(matched[2] or 0)


async def list_labelled(api: Api, labels: Mapping[str, str]) -> tuple[ContainerSummary, ...]:
    """Every container with these labels."""
    found = await api.call(
        "GET", "containers/json", params={"all": 1, "filters": networks.label_filter(labels)}
    )
    return tuple(
        ContainerSummary(
            id=each["Id"],
            name=next((name.removeprefix("/") for name in each["Names"]), ""),
            labels=each["Labels"] or {},
            running=each["State"] in _RUNNING,
        )
        for each in found
    )
