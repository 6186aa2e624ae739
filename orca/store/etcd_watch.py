"""A watch that does not end: list, then follow; reconnect, resume, and list again when it must.

The hard part is to lose nothing and to notice what etcd does not say: a stream to a frozen server is
found by pings (see `etcd_endpoints`); a server restored from an older state would wait silently for a
revision that it has yet to reach, so a revision that went back is a reason to list again.

A watch resumes after the last revision of which it saw a change. Progress notices do not move that
point: servers before 3.4.25 may send one ahead of the changes it claims to cover.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import grpc
import grpc.aio

from orca import errors
from orca.store import etcd_wire
from orca.store.base import Listing, WatchBatch
from orca.store.etcd_endpoints import Endpoints
from orca.store.etcd_errors import Compacted
from orca.store.etcd_methods import WATCH
from orca.store.etcdpb import rpc_pb2

_CREATE_SECONDS: Final = 3.0
_PAUSE_SECONDS_MIN: Final = 0.05
_PAUSE_SECONDS_MAX: Final = 2.0
_NOT_LOGGED_IN: Final = ("invalid auth token", "permission denied")
"""Why a watch is cancelled when etcd forgot the session: the stream itself is never refused."""


class Reflector:
    """The changes of one prefix. `list_now` reads the prefix as it is, and knows the present revision."""

    def __init__(
        self,
        endpoints: Endpoints,
        prefix: str,
        list_now: Callable[[], Awaitable[Listing]],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._endpoints = endpoints
        self._prefix = prefix
        self._list_now = list_now
        self._jitter = jitter
        self._seen = 0
        self._pause_seconds = _PAUSE_SECONDS_MIN

    async def batches(self) -> AsyncGenerator[WatchBatch, None]:
        """A complete batch, then changes, for ever; see `Store.watch`."""
        while True:
            try:
                if not self._seen:
                    listing = await self._list_now()
                    self._seen = listing.revision
                    yield WatchBatch(complete=True, puts=listing.items, revision=self._seen)
                async with aclosing(self._follow()) as changes:
                    async for batch in changes:
                        yield batch
            except Compacted:
                self._seen = 0
            except (errors.Unavailable, TimeoutError):  # a full disk, too, is an outage
                await self._pause()

    async def _follow(self) -> AsyncGenerator[WatchBatch, None]:
        """What one stream brings; raises StoreUnavailable when it breaks, Compacted if too late."""
        endpoint = self._endpoints.first
        try:
            # A server cut off from its leader would keep the stream open and say nothing.
            metadata = (*await self._endpoints.metadata(), ("hasleader", "true"))
            call = endpoint.stream(WATCH, metadata=metadata)
            try:
                async with asyncio.timeout(_CREATE_SECONDS):
                    await self._begin(call)
                async for batch in self._changes(call):
                    yield batch
            finally:
                call.cancel()
        except grpc.aio.AioRpcError as error:
            raise self._endpoints.judged(error, endpoint) from error
        except TimeoutError:
            self._endpoints.failed(endpoint)
            raise

    async def _begin(self, call: grpc.aio.StreamStreamCall[Any, Any]) -> None:
        create = rpc_pb2.WatchCreateRequest(
            key=self._prefix.encode(),
            range_end=etcd_wire.prefix_end(self._prefix),
            start_revision=self._seen + 1,
            progress_notify=True,
        )
        await call.write(rpc_pb2.WatchRequest(create_request=create))
        response = self._checked(await call.read())
        # A member that lags says so too; only the cluster's own word means that it went back.
        if response.header.revision < self._seen and (
            (await self._list_now()).revision < self._seen
        ):
            raise Compacted("etcd was restored from an older state")
        self._pause_seconds = _PAUSE_SECONDS_MIN

    async def _changes(
        self, call: grpc.aio.StreamStreamCall[Any, Any]
    ) -> AsyncGenerator[WatchBatch, None]:
        while True:
            batch = etcd_wire.watch_batch(self._checked(await call.read()))
            if batch.puts or batch.deletes:
                self._seen = batch.revision
            yield batch

    async def _pause(self) -> None:
        await asyncio.sleep(self._pause_seconds * (0.5 + self._jitter()))
        self._pause_seconds = min(self._pause_seconds * 2, _PAUSE_SECONDS_MAX)

    def _checked(self, response: Any) -> rpc_pb2.WatchResponse:
        if not isinstance(response, rpc_pb2.WatchResponse):
            raise errors.StoreUnavailable("etcd ended a watch.")
        if response.compact_revision:
            raise Compacted(f"compacted at revision {response.compact_revision}")
        if response.canceled:
            if any(words in response.cancel_reason for words in _NOT_LOGGED_IN):
                self._endpoints.forget_session()
            raise errors.StoreUnavailable(f"etcd cancelled a watch: {response.cancel_reason}.")
        return response
