"""The store on etcd v3, over grpc.aio. With its `etcd_*` helpers, the only door to etcd.

It is not the embedded etcd (`embedded.py` runs that and then uses this). Reads are repeated until the
deadline; commits too, because each carries a mark by which a copy is recognised (`etcd_marks`).
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncGenerator, Callable
from typing import Final

import grpc.aio

from orca import errors
from orca.store import batches, etcd_wire
from orca.store.base import (
    Committed,
    KeyValue,
    Listing,
    Store,
    StoreStatus,
    Transaction,
    WatchBatch,
)
from orca.store.etcd_endpoints import Diagnosis, Endpoint, Endpoints, no_diagnosis
from orca.store.etcd_errors import Compacted, LeaseUnknown
from orca.store.etcd_marks import Marks, Slot
from orca.store.etcd_methods import (
    ALARM,
    COMPACT,
    DEFRAGMENT,
    LEASE_GRANT,
    LEASE_KEEP_ALIVE,
    LEASE_REVOKE,
    RANGE,
    STATUS,
    TXN,
)
from orca.store.etcd_settings import EtcdLogin, EtcdSettings, EtcdTls
from orca.store.etcd_watch import Reflector
from orca.store.etcdpb import rpc_pb2
from orca.store.lease import Lease

__all__ = ["EtcdLogin", "EtcdSettings", "EtcdStore", "EtcdTls"]

PAGE_KEYS: Final = 500

_TRIES_MAX: Final = 3


class EtcdStore(Store):
    """A `Store` on the etcd cluster that the settings name.

    `quota_bytes` is what that etcd was started with, for servers that do not tell (before 3.6).
    `diagnosis` is asked when etcd does not answer; what it returns is raised instead.
    """

    def __init__(
        self,
        settings: EtcdSettings,
        *,
        quota_bytes: int = 0,
        diagnosis: Diagnosis = no_diagnosis,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._quota_bytes = quota_bytes
        self._jitter = jitter
        self._endpoints = Endpoints(settings, diagnosis=diagnosis, jitter=jitter)
        self._marks = Marks(self._grant_id)

    async def get(self, key: str) -> KeyValue | None:
        reply = await self._endpoints.call(RANGE, rpc_pb2.RangeRequest(key=key.encode()))
        return etcd_wire.item(reply.kvs[0]) if reply.kvs else None

    async def range(self, prefix: str, *, limit: int | None = None) -> Listing:
        for _ in (None,) * _TRIES_MAX:
            try:
                return await self._pages(prefix, limit)
            except Compacted:
                continue  # while we were turning pages: begin again at the present revision
        raise errors.StoreUnavailable(f"{prefix} changes faster than it can be read.")

    async def commit(self, transaction: Transaction) -> Committed:
        batches.check(transaction)
        try:
            if not transaction.writes:
                return await self._commit_plain(transaction)
            async with self._marks.slot() as slot:
                return await self._commit_marked(transaction, slot)
        except errors.StoreFull:
            refused = self._endpoints.known_cause() is None
            if refused and transaction.writes and batches.only_deletes(transaction):
                return await self._commit_deletes(transaction)
            raise

    async def grant(self, ttl_seconds: int) -> Lease:
        asked_at = asyncio.get_running_loop().time()
        reply = await self._endpoints.call(LEASE_GRANT, rpc_pb2.LeaseGrantRequest(TTL=ttl_seconds))
        return Lease(
            self,
            lease_id=reply.ID,
            ttl_seconds=float(reply.TTL),
            granted_at=asked_at,
            jitter=self._jitter,
        )

    async def keep_alive(self, lease_id: int) -> float:
        """See `LeaseServer`."""
        endpoint = self._endpoints.first
        try:
            async with asyncio.timeout(self._settings.attempt_timeout_seconds):
                reply = await self._keep_alive_at(endpoint, lease_id)
        except grpc.aio.AioRpcError as error:
            raise self._endpoints.judged(error, endpoint) from error
        except TimeoutError as error:
            self._endpoints.failed(endpoint)
            raise errors.StoreUnavailable(
                f"etcd at {endpoint.url} did not renew a lease within "
                f"{self._settings.attempt_timeout_seconds} s."
            ) from error
        if not isinstance(reply, rpc_pb2.LeaseKeepAliveResponse):
            raise errors.StoreUnavailable(f"etcd at {endpoint.url} ended the stream of a lease.")
        return float(reply.TTL)

    async def _keep_alive_at(self, endpoint: Endpoint, lease_id: int) -> object:
        metadata = await self._endpoints.metadata()
        call = endpoint.stream(LEASE_KEEP_ALIVE, metadata=metadata)
        try:
            await call.write(rpc_pb2.LeaseKeepAliveRequest(ID=lease_id))
            return await call.read()
        finally:
            call.cancel()

    async def revoke(self, lease_id: int) -> None:
        """See `LeaseServer`."""
        try:
            await self._endpoints.call(LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=lease_id))
        except LeaseUnknown:
            return  # it expired, or an earlier copy of this request was applied

    async def watch(self, prefix: str) -> AsyncGenerator[WatchBatch, None]:
        reflector = Reflector(
            self._endpoints, prefix, lambda: self.range(prefix), jitter=self._jitter
        )
        async for batch in reflector.batches():
            yield batch

    async def status(self) -> StoreStatus:
        alarms = await self._endpoints.call(ALARM, rpc_pb2.AlarmRequest())
        reply = await self._endpoints.call(STATUS, rpc_pb2.StatusRequest())
        return StoreStatus(
            endpoint=self._endpoints.first.url,
            version=reply.version,
            db_size_bytes=reply.dbSize,
            quota_bytes=reply.dbSizeQuota or self._quota_bytes,
            alarms=etcd_wire.alarms(alarms.alarms),
            leader=f"{reply.leader:x}" if reply.leader else "",
        )

    async def compact(self) -> None:
        """Forget all history before now; watches that lag will list again."""
        reply = await self._endpoints.call(RANGE, rpc_pb2.RangeRequest(key=b"\0"))
        request = rpc_pb2.CompactionRequest(revision=reply.header.revision, physical=True)
        try:
            await self._endpoints.call(COMPACT, request)
        except Compacted:
            return  # somebody else did it

    async def reclaim(self) -> None:
        """Give the space of deleted and old values back, and lift the alarm of a full store.

        Blocks each etcd member in turn while it rewrites its file (about 1 s per 100 MB).
        """
        await self.compact()
        for endpoint in tuple(self._endpoints.line):
            try:
                await endpoint.call(
                    DEFRAGMENT,
                    rpc_pb2.DefragmentRequest(),
                    timeout_seconds=60,
                    metadata=await self._endpoints.metadata(),
                )
            except grpc.aio.AioRpcError as error:
                raise self._endpoints.judged(error, endpoint) from error
        for raised in (await self._endpoints.call(ALARM, rpc_pb2.AlarmRequest())).alarms:
            if raised.alarm == rpc_pb2.NOSPACE:
                await self._endpoints.call(ALARM, _disarm(raised))

    async def close(self) -> None:
        await self._endpoints.close()

    async def _pages(self, prefix: str, limit: int | None) -> Listing:
        end = etcd_wire.prefix_end(prefix)
        start, revision, items = prefix.encode(), 0, list[KeyValue]()
        while True:
            room = PAGE_KEYS if limit is None else min(PAGE_KEYS, limit - len(items))
            reply = await self._endpoints.call(
                RANGE,
                rpc_pb2.RangeRequest(key=start, range_end=end, limit=room, revision=revision),
            )
            revision = revision or reply.header.revision
            items.extend(map(etcd_wire.item, reply.kvs))
            if not reply.more or len(items) == limit:
                return Listing(items=tuple(items), revision=revision)
            start = reply.kvs[-1].key + b"\0"

    async def _commit_plain(self, transaction: Transaction) -> Committed:
        """Without a mark: only reads may be repeated."""
        carry = self._endpoints.once if transaction.writes else self._endpoints.call
        reply = await carry(TXN, etcd_wire.txn(transaction, None))
        if reply.succeeded:
            return Committed(reply.header.revision)
        raise batches.refusal(transaction, etcd_wire.found(reply)) or _contradiction()

    async def _commit_deletes(self, transaction: Transaction) -> Committed:
        """To free space must be possible in a full store, which refuses the mark because it is a put."""
        try:
            return await self._commit_plain(transaction)
        except errors.StoreFull:
            # etcd before 3.5 refuses every transaction while its file is as large as the quota.
            await self.reclaim()
            return await self._commit_plain(transaction)

    async def _commit_marked(self, transaction: Transaction, slot: Slot) -> Committed:
        operation = uuid.uuid4().bytes
        for last_try in (False,) * (_TRIES_MAX - 1) + (True,):
            try:
                done = await self._try_commit(transaction, slot, operation)
            except LeaseUnknown as error:
                # The mark's own lease, or one of the transaction's; a second time it is theirs.
                self._marks.forget_lease()
                if last_try:
                    raise batches.lease_gone(transaction) from error
                continue
            if done is not None:
                return done
        raise _contradiction()

    async def _try_commit(
        self, transaction: Transaction, slot: Slot, operation: bytes
    ) -> Committed | None:
        """None if only our knowledge of the slot was out of date: nothing was written."""
        mark = await self._marks.mark(slot, operation)
        reply = await self._endpoints.call(TXN, etcd_wire.txn(transaction, mark))
        if reply.succeeded:
            slot.revision = reply.header.revision
            return Committed(slot.revision)
        found = etcd_wire.found(reply)
        marked = found.pop(slot.key, None)
        slot.revision = marked.mod_revision if marked is not None else 0
        if marked is not None and marked.value == operation:
            return Committed(slot.revision)
        refusal = batches.refusal(transaction, found)
        if refusal is not None:
            raise refusal
        return None

    async def _grant_id(self, ttl_seconds: int) -> int:
        reply = await self._endpoints.call(LEASE_GRANT, rpc_pb2.LeaseGrantRequest(TTL=ttl_seconds))
        return reply.ID


def _disarm(raised: rpc_pb2.AlarmMember) -> rpc_pb2.AlarmRequest:
    return rpc_pb2.AlarmRequest(
        action=rpc_pb2.AlarmRequest.DEACTIVATE, memberID=raised.memberID, alarm=raised.alarm
    )


def _contradiction() -> errors.StoreUnavailable:
    return errors.StoreUnavailable(
        "etcd refuses a transaction although all its conditions hold.",
        hint="Check that no other program writes below /orca-commits.",
    )
