"""What all replicas of a node share: its doors to the engine, the disk and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orca.model.ids import NodeId
from orca.node.archive import LogArchive
from orca.node.probes import Prober
from orca.node.record import LocalRecord
from orca.node.runtime import Runtime
from orca.node.secret_files import SecretFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Handed to everything that acts on this host."""

    cluster: str
    node: NodeId
    runtime: Runtime
    prober: Prober
    record: LocalRecord
    archive: LogArchive
    secrets: SecretFiles
    now: Callable[[], float]
    """Wall clock, Unix seconds."""
