"""Between our records and etcd's messages: pure, no connection, no waiting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orca.store import batches
from orca.store.base import (
    Condition,
    CreateRevisionIs,
    Delete,
    DeletePrefix,
    Fence,
    KeyAbsent,
    KeyExists,
    KeyValue,
    ModRevisionIs,
    Put,
    Transaction,
    WatchBatch,
    Write,
)
from orca.store.etcdpb import kv_pb2, rpc_pb2


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a commit from every other: its id, in a key only one commit uses at a time.

    `revision` is the key's last known mod revision (0: absent). Comparing with it makes two copies
    of one request exclude each other; reading the id back tells which of them was applied.
    """

    key: str
    operation: bytes
    revision: int
    lease: int


def item(kv: kv_pb2.KeyValue) -> KeyValue:
    return KeyValue(
        key=kv.key.decode(),
        value=kv.value,
        mod_revision=kv.mod_revision,
        create_revision=kv.create_revision,
        lease=kv.lease,
    )


def prefix_end(prefix: str) -> bytes:
    """The first key after all those with the prefix (etcd's `range_end`)."""
    raw = bytearray(prefix.encode())
    while raw and raw[-1] == 0xFF:
        raw.pop()
    if not raw:
        return b"\0"
    raw[-1] += 1
    return bytes(raw)


def txn(transaction: Transaction, mark: Mark | None) -> rpc_pb2.TxnRequest:
    """The transaction as etcd's; when refused, it reads every key that was compared."""
    compares = [_compare(condition) for condition in transaction.conditions]
    if transaction.fence is not None:
        compares.append(_fence(transaction.fence))
    writes = [_write(write) for write in transaction.writes]
    looked_at = list(batches.keys_compared(transaction))
    if mark is not None:
        compares.append(_mod_revision(mark.key, mark.revision))
        writes.append(_write(Put(mark.key, mark.operation, mark.lease)))
        looked_at.append(mark.key)
    return rpc_pb2.TxnRequest(
        compare=compares, success=writes, failure=[_read(key) for key in looked_at]
    )


def found(reply: rpc_pb2.TxnResponse) -> dict[str, KeyValue]:
    """What a refused transaction saw."""
    items = (item(kv) for op in reply.responses for kv in op.response_range.kvs)
    return {kv.key: kv for kv in items}


def watch_batch(response: rpc_pb2.WatchResponse) -> WatchBatch:
    """One response as a batch, each key with its last state only."""
    last = {event.kv.key: event for event in response.events}
    deleted = kv_pb2.Event.DELETE
    return WatchBatch(
        complete=False,
        puts=tuple(item(event.kv) for event in last.values() if event.type != deleted),
        deletes=tuple(key.decode() for key, event in last.items() if event.type == deleted),
        revision=response.header.revision,
    )


def alarms(members: Iterable[rpc_pb2.AlarmMember]) -> tuple[str, ...]:
    """The names of the alarms raised on any member."""
    return tuple(sorted({rpc_pb2.AlarmType.Name(member.alarm) for member in members}))


def _compare(condition: Condition) -> rpc_pb2.Compare:
    match condition:
        case KeyAbsent(key):
            return _create_revision(key, 0)
        case KeyExists(key):
            return _create_revision(key, 0, result=rpc_pb2.Compare.GREATER)
        case ModRevisionIs(key, revision):
            return _mod_revision(key, revision)
        case CreateRevisionIs(key, revision):
            return _create_revision(key, revision)


def _fence(fence: Fence) -> rpc_pb2.Compare:
    return _create_revision(fence.key, fence.create_revision)


def _mod_revision(key: str, revision: int) -> rpc_pb2.Compare:
    return rpc_pb2.Compare(
        result=rpc_pb2.Compare.EQUAL,
        target=rpc_pb2.Compare.MOD,
        key=key.encode(),
        mod_revision=revision,
    )


def _create_revision(
    key: str,
    revision: int,
    *,
    result: rpc_pb2.Compare.CompareResult = rpc_pb2.Compare.EQUAL,
) -> rpc_pb2.Compare:
    return rpc_pb2.Compare(
        result=result,
        target=rpc_pb2.Compare.CREATE,
        key=key.encode(),
        create_revision=revision,
    )


def _write(write: Write) -> rpc_pb2.RequestOp:
    match write:
        case Put(key, value, lease):
            put = rpc_pb2.PutRequest(key=key.encode(), value=value, lease=lease)
            return rpc_pb2.RequestOp(request_put=put)
        case Delete(key):
            delete = rpc_pb2.DeleteRangeRequest(key=key.encode())
            return rpc_pb2.RequestOp(request_delete_range=delete)
        case DeletePrefix(prefix):
            delete = rpc_pb2.DeleteRangeRequest(key=prefix.encode(), range_end=prefix_end(prefix))
            return rpc_pb2.RequestOp(request_delete_range=delete)


def _read(key: str) -> rpc_pb2.RequestOp:
    return rpc_pb2.RequestOp(request_range=rpc_pb2.RangeRequest(key=key.encode()))
