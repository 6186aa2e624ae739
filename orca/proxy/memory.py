"""What a proxy remembers across restarts: the highest epoch it has seen and its last table.

With it an orca that comes back without a master changes nothing that serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import structlog

from orca import processes
from orca.model.ids import Epoch
from orca.model.route import RouteTable
from orca.proxy.files import translated

_log = structlog.get_logger(__name__)

NO_EPOCH = Epoch(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A proxy's knowledge."""

    epoch: Epoch = NO_EPOCH
    lineage: str = ""
    """The state in etcd whose leaders those epochs count."""
    table: RouteTable | None = None
    """None until a master has sent the first one."""


class Memory(Protocol):
    """Where it is kept."""

    def load(self) -> Remembered:
        """What was saved last. Raises `Unavailable` if the disk cannot be read."""
        ...

    def save(self, remembered: Remembered) -> None:
        """Keep it. Raises `Unavailable` if the disk does not let us."""
        ...


class FileMemory:
    """One JSON file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Remembered:
        with translated(self._path):
            try:
                raw = self._path.read_bytes()
            except FileNotFoundError:
                return Remembered()
        try:
            return msgspec.json.decode(raw, type=Remembered)
        except msgspec.DecodeError as error:
            # Envoy goes on with its own files, and the master sends everything anew.
            _log.warning("proxy_memory_unreadable", path=str(self._path), reason=str(error))
            return Remembered()

    def save(self, remembered: Remembered) -> None:
        with translated(self._path):
            processes.write_private(self._path, msgspec.json.encode(remembered))
