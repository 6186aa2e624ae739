"""From what the user wrote to what the cluster holds. Pure; every default has been applied before."""

from __future__ import annotations

from collections.abc import Mapping

from orca.model.container import (
    BindMount,
    ContainerSpec,
    PortMapping,
    Probe,
    ProbeKind,
    PullPolicy,
    Resources,
    VolumeMount,
)
from orca.model.ids import ServiceId
from orca.model.service import Ingress, Placement, RevisionSpec, UpdateOrder, UpdatePolicy
from orca.spec.probes import Probe as ProbeKeys
from orca.spec.service import ServiceSpec


def revision_spec(
    spec: ServiceSpec, *, image_id: str, secret_versions: Mapping[str, int]
) -> RevisionSpec:
    """The resolved spec of a service."""
    return RevisionSpec(
        container=container_spec(spec, image_id=image_id),
        ingress=Ingress(domains=spec.domains, paths=spec.routes, internal=spec.internal),
        update=_update(spec),
        placement=Placement(node=spec.placement.node or "", labels=dict(spec.placement.labels)),
        depends_on=tuple(ServiceId.parse(name) for name in spec.dependencies),
        secret_versions=dict(secret_versions),
    )


def container_spec(spec: ServiceSpec, *, image_id: str) -> ContainerSpec:
    """The part a node acts on."""
    return ContainerSpec(
        image=spec.image or "",
        image_id=image_id,
        pull=PullPolicy(spec.pull),
        command=spec.command,
        entrypoint=spec.entrypoint,
        user=spec.user or "",
        working_dir=spec.working_dir or "",
        env=dict(spec.env),
        secret_files=tuple(spec.secrets),
        labels=dict(spec.labels),
        network=spec.network or "",
        aliases=spec.aliases,
        port=spec.port or 0,
        ports=_ports(spec),
        volumes=tuple(
            VolumeMount(source=v.source, target=v.target, read_only=v.read_only)
            for v in spec.volumes
        ),
        mounts=tuple(
            BindMount(source=m.source, target=m.target, read_only=m.read_only) for m in spec.mounts
        ),
        tmpfs=spec.tmpfs,
        resources=Resources(
            memory_bytes=spec.resources.memory or 0,
            cpus=spec.resources.cpu or 0.0,
            shm_bytes=spec.shm_size or 0,
        ),
        startup=_probe(spec.startup),
        readiness=_probe(spec.readiness),
        liveness=_probe(spec.liveness),
        stop_grace_seconds=spec.stop_grace_secs,
        max_restarts=-1 if spec.max_restarts is None else spec.max_restarts,
        log_max_size=spec.log_max_size,
        log_max_files=spec.log_max_files,
        read_only=spec.read_only,
        init=spec.init,
        privileged=spec.privileged,
        cap_add=spec.cap_add,
        cap_drop=spec.cap_drop,
    )


def _ports(spec: ServiceSpec) -> tuple[PortMapping, ...]:
    ports = [
        PortMapping(
            host_ip=p.host_ip,
            host_port=p.host_port,
            container_port=p.container_port,
            protocol=p.protocol,
        )
        for p in spec.extra_ports
    ]
    if spec.host_port and spec.port:
        ports.append(PortMapping(host_port=spec.host_port, container_port=spec.port))
    return tuple(ports)


def _probe(keys: ProbeKeys | None) -> Probe | None:
    if keys is None:
        return None
    return Probe(
        kind=ProbeKind(keys.kind),
        path=keys.path or "/",
        port=keys.port or 0,
        command=keys.command or (),
        interval_seconds=keys.interval_secs,
        timeout_seconds=keys.timeout_secs,
        failure_threshold=keys.failure_threshold,
        success_threshold=keys.success_threshold,
        initial_delay_seconds=keys.initial_delay_secs,
    )


def _update(spec: ServiceSpec) -> UpdatePolicy:
    deploy = spec.deploy
    return UpdatePolicy(
        order=UpdateOrder(deploy.order),
        max_unavailable=max(1, deploy.max_unavailable),
        max_surge=max(1, deploy.max_surge),
        progress_deadline_seconds=deploy.progress_deadline_secs,
        min_ready_seconds=deploy.min_ready_secs,
        drain_seconds=deploy.drain_secs,
    )
