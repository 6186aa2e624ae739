"""What fits into one transaction, and which of its conditions failed: pure functions.

Both stores use them, so that the one for tests refuses exactly what etcd would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from orca import errors
from orca.store.records import (
    Condition,
    Delete,
    DeletePrefix,
    Fence,
    KeyValue,
    Put,
    Transaction,
    Write,
)

T = TypeVar("T")

OPS_MAX: Final = 126
"""Conditions, and writes, per transaction: etcd's 128 less the fence and the commit's own mark."""

BYTES_MAX: Final = 1024 * 1024
"""Bytes of keys and values per transaction; etcd refuses requests beyond 1.5 MiB in all."""


def groups(
    items: Iterable[T], writes_of: Callable[[T], Sequence[Write]]
) -> Iterator[tuple[T, ...]]:
    """Cut the items, in order, into groups whose writes fit into one transaction together.

    One item that is too large is a group of its own, for the store to refuse.
    """
    group: list[T] = []
    ops = used = 0
    for item in items:
        writes = writes_of(item)
        size = sum(map(_size, writes))
        if group and (ops + len(writes) > OPS_MAX or used + size > BYTES_MAX):
            yield tuple(group)
            group, ops, used = [], 0, 0
        group.append(item)
        ops += len(writes)
        used += size
    if group:
        yield tuple(group)


def split(writes: Iterable[Write]) -> Iterator[tuple[Write, ...]]:
    """Cut the writes, in order, into batches that each fit into one transaction."""
    return groups(writes, lambda write: (write,))


def check(transaction: Transaction) -> None:
    """Raise UserError if the transaction is too large, ValueError if it writes a key twice."""
    for noun, count in (
        ("conditions", len(transaction.conditions)),
        ("writes", len(transaction.writes)),
    ):
        if count > OPS_MAX:
            raise errors.UserError(
                f"A transaction of {count} {noun} is too large: the store takes {OPS_MAX}."
            )
    size = sum(map(_size, transaction.writes))
    if size > BYTES_MAX:
        largest = max(transaction.writes, key=_size)
        raise errors.UserError(
            f"A transaction of {size} bytes is too large: the store takes {BYTES_MAX} bytes. "
            f"The largest value is that of {_target(largest)}."
        )
    _check_written_once(transaction.writes)


def refusal(transaction: Transaction, found: Mapping[str, KeyValue]) -> errors.Conflict | None:
    """Why the transaction cannot be applied to what was found; None if it can."""
    fence = transaction.fence
    if fence is not None and not _fence_holds(fence, found):
        return errors.Fenced(
            f"A newer leader exists: {fence.key} was not created at revision "
            f"{fence.create_revision} (any more)."
        )
    failed = [c for c in transaction.conditions if not c.holds(found.get(c.key))]
    if not failed:
        return None
    return errors.Conflict("; ".join(_explain(c, found.get(c.key)) for c in failed) + ".")


def keys_compared(transaction: Transaction) -> tuple[str, ...]:
    """Every key that a condition or the fence looks at, once each."""
    keys = [condition.key for condition in transaction.conditions]
    if transaction.fence is not None:
        keys.append(transaction.fence.key)
    return tuple(dict.fromkeys(keys))


def only_deletes(transaction: Transaction) -> bool:
    """Whether the transaction can but free space."""
    return not any(isinstance(write, Put) for write in transaction.writes)


def lease_gone(transaction: Transaction) -> errors.Conflict:
    """The refusal of a transaction whose lease the server does not know."""
    keys = [w.key for w in transaction.writes if isinstance(w, Put) and w.lease]
    return errors.Conflict(f"The lease for {', '.join(keys)} has expired.")


def _fence_holds(fence: Fence, found: Mapping[str, KeyValue]) -> bool:
    leader = found.get(fence.key)
    return leader is not None and leader.create_revision == fence.create_revision


def _explain(condition: Condition, found: KeyValue | None) -> str:
    if found is None:
        return f"{condition.key} does not exist"
    return f"{condition.key} was changed at revision {found.mod_revision}"


def _size(write: Write) -> int:
    value = len(write.value) if isinstance(write, Put) else 0
    return len(_target(write).encode()) + value


def _target(write: Write) -> str:
    return write.prefix if isinstance(write, DeletePrefix) else write.key


def _check_written_once(writes: tuple[Write, ...]) -> None:
    puts = [write.key for write in writes if isinstance(write, Put)]
    deletes = {write.key for write in writes if isinstance(write, Delete)}
    prefixes = tuple(write.prefix for write in writes if isinstance(write, DeletePrefix))
    if "" in prefixes:
        raise ValueError("an empty prefix would delete the whole store")
    seen: set[str] = set()
    for key in puts:
        if key in seen or key in deletes or key.startswith(prefixes):
            raise ValueError(f"{key} is written twice in one transaction")
        seen.add(key)
