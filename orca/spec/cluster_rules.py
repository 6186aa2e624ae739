"""What the tables of `cluster.toml` have to agree on."""

from __future__ import annotations

from collections.abc import Iterator

from orca.spec.cluster_sections import BackupTarget, ClusterKeys
from orca.spec.fault import Fault, Path


def cluster_faults(spec: ClusterKeys) -> list[Fault]:
    """Everything about `spec` that no single key could see."""
    return [fault for rule in (_ports, _store, _backup, _unique) for fault in rule(spec)]


def own_ports(spec: ClusterKeys) -> tuple[tuple[Path, int], ...]:
    """The TCP ports that orca itself listens on, with the keys that set them."""
    return (
        (("cluster", "api_port"), spec.cluster.api_port),
        (("cluster", "grpc_port"), spec.cluster.grpc_port),
        (("proxy", "http_port"), spec.proxy.http_port),
        (("proxy", "https_port"), spec.proxy.https_port),
    )


def _ports(spec: ClusterKeys) -> Iterator[Fault]:
    taken: dict[int, Path] = {}
    for path, port in own_ports(spec):
        if port in taken:
            other = ".".join(str(part) for part in taken[port])
            yield Fault(path=path, message=f"port {port} is already {other}")
        taken.setdefault(port, path)


def _store(spec: ClusterKeys) -> Iterator[Fault]:
    store = spec.store
    if (store.cert_file is None) != (store.key_file is None):
        there = "cert_file" if store.cert_file else "key_file"
        yield Fault(
            path=("store", there), message="cert_file and key_file need each other", at_key=True
        )
    if not store.endpoints:
        for key in ("ca_file", "cert_file", "key_file"):
            if getattr(store, key):
                yield Fault(path=("store", key), message=f"{key} needs endpoints", at_key=True)


def _backup(spec: ClusterKeys) -> Iterator[Fault]:
    if spec.backup.enabled and not spec.backup.targets:
        yield Fault(
            path=("backup",), message="backups need at least one [[backup.targets]]", at_key=True
        )
    for index, target in enumerate(spec.backup.targets):
        yield from (fault.under(("backup", "targets", index)) for fault in _target(target))


def _target(target: BackupTarget) -> Iterator[Fault]:
    required = {"local": ("path",), "s3": ("bucket",)}[target.type]
    foreign = {
        "local": ("endpoint", "bucket", "region", "prefix", "access_key", "secret_key"),
        "s3": ("path",),
    }[target.type]
    for key in required:
        if getattr(target, key) is None:
            yield Fault(message=f'type = "{target.type}" needs the key "{key}"')
    for key in foreign:
        if getattr(target, key) is not None:
            yield Fault(
                path=(key,), message=f'has no meaning with type = "{target.type}"', at_key=True
            )


def _unique(spec: ClusterKeys) -> Iterator[Fault]:
    for table, key in (("node", "address"), ("token", "name")):
        seen: set[str] = set()
        for index, item in enumerate(getattr(spec, table)):
            value = getattr(item, key)
            if value in seen:
                yield Fault(
                    path=(table, index, key), message=f'the {table} "{value}" is there twice'
                )
            seen.add(value)
