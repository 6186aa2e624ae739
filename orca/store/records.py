"""The values that go into a store and come out of it: frozen data, no behaviour but `holds`.

Their meaning is part of the contract in `base.py`, which exports them all; import them from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """One key as of one revision; `lease` is 0 for a key that lives until it is deleted."""

    key: str
    value: bytes
    mod_revision: int
    create_revision: int
    lease: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All keys of a prefix in key order, as they were together at `revision`."""

    items: tuple[KeyValue, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class KeyAbsent:
    """Holds if the key does not exist."""

    key: str

    def holds(self, found: KeyValue | None) -> bool:
        return found is None


@dataclass(frozen=True, slots=True)
class KeyExists:
    """Holds if the key exists, with whatever value."""

    key: str

    def holds(self, found: KeyValue | None) -> bool:
        return found is not None


@dataclass(frozen=True, slots=True)
class ModRevisionIs:
    """Holds if the key was last written at exactly this revision (the usual compare-and-set)."""

    key: str
    revision: int

    def holds(self, found: KeyValue | None) -> bool:
        return found is not None and found.mod_revision == self.revision


@dataclass(frozen=True, slots=True)
class CreateRevisionIs:
    """Holds if the key was created at this revision and not deleted since."""

    key: str
    revision: int

    def holds(self, found: KeyValue | None) -> bool:
        return found is not None and found.create_revision == self.revision


Condition: TypeAlias = KeyAbsent | KeyExists | ModRevisionIs | CreateRevisionIs


@dataclass(frozen=True, slots=True)
class Put:
    """Create the key or replace its value. A lease of 0 detaches the key from any lease."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the key; nothing happens if it does not exist."""

    key: str


@dataclass(frozen=True, slots=True)
class DeletePrefix:
    """Remove every key that starts with the prefix."""

    prefix: str


Write: TypeAlias = Put | Delete | DeletePrefix


@dataclass(frozen=True, slots=True)
class Fence:
    """Proof of leadership: the leader key was created at this revision (the epoch)."""

    key: str
    create_revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Writes that happen all together, if the fence and all conditions hold, or not at all.

    At most `batches.OPS_MAX` conditions and as many writes, `batches.BYTES_MAX` bytes in all; a key
    is written at most once. Order among the writes has no meaning.
    """

    conditions: tuple[Condition, ...] = ()
    writes: tuple[Write, ...] = ()
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The store's revision right after the transaction: the mod revision of what it put."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchBatch:
    """What changed up to `revision`, each key at most once, with its last state.

    `complete` means: `puts` is everything there is, forget the rest. A batch that is neither
    complete nor holds a change says only that all is known up to `revision`.
    """

    complete: bool
    puts: tuple[KeyValue, ...] = ()
    deletes: tuple[str, ...] = ()
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """One server's word about itself. `quota_bytes` is 0 if unknown, `leader` empty if none."""

    endpoint: str
    version: str
    db_size_bytes: int
    quota_bytes: int
    alarms: tuple[str, ...]
    leader: str
