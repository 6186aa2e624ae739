"""The store of this host: an etcd of orca's own, or the one that cluster.toml names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from orca.errors import OrcaError, StoreFull, UserError
from orca.host.identities import Identities
from orca.host.options import Home
from orca.spec.cluster import ClusterSpec
from orca.store.base import Store
from orca.store.embedded import EmbeddedEtcd, EmbeddedSettings
from orca.store.etcd import EtcdStore
from orca.store.etcd_settings import EtcdSettings, EtcdTls

HOME_FREE_BYTES_MIN = 1024 * 1024


def check_room(home: Home) -> None:
    """Raise `StoreFull` when the home could not even hold what a server writes while it starts."""
    free = shutil.disk_usage(home.path).free
    if free < HOME_FREE_BYTES_MIN:
        raise StoreFull(
            f"The disk of {home.path} is full: {free // 1024} KiB are free.",
            hint="Free some space there, then start again.",
        )


def embedded(
    home: Home, *, report: Callable[[OrcaError | None], None] = lambda _: None
) -> EmbeddedEtcd:
    """The etcd below a home, running or not."""
    tls = EtcdTls(
        ca_file=home.certificates / "ca.crt",
        cert_file=home.certificates / "etcd.crt",
        key_file=home.certificates / "etcd.key",
    )
    settings = EmbeddedSettings(directory=home.etcd, server_tls=tls, client_tls=tls)
    return EmbeddedEtcd(settings, report=report)


def external(cluster: ClusterSpec, root: Path) -> Store | None:
    """The etcd that `[store]` names; None when it names none. Raises `UserError` for half a TLS."""
    keys = cluster.store
    if not keys.endpoints:
        return None
    files = (keys.ca_file, keys.cert_file, keys.key_file)
    if any(files) and not all(files):
        raise UserError(
            "[store] names some of ca_file, cert_file and key_file, but not all",
            hint="mutual TLS needs all three; leave all out for none",
        )
    ca, cert, key = ((root / file) if file else None for file in files)
    tls = EtcdTls(ca_file=ca, cert_file=cert, key_file=key) if ca and cert and key else None
    return EtcdStore(EtcdSettings(endpoints=keys.endpoints, tls=tls))


async def ready(
    home: Home,
    cluster: ClusterSpec,
    root: Path,
    identities: Identities,
    *,
    report: Callable[[OrcaError | None], None],
) -> tuple[Store, EmbeddedEtcd | None]:
    """A store that answers, and the etcd to watch over when it is orca's own."""
    if store := external(cluster, root):
        await store.status()
        return store, None
    identities.etcd()
    etcd = embedded(home, report=report)
    await etcd.start()
    return etcd.open_store(), etcd
