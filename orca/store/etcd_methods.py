"""The calls of etcd's API that orca makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from orca.store.etcdpb import rpc_pb2

RequestT = TypeVar("RequestT", bound=Message)
ReplyT = TypeVar("ReplyT", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[RequestT, ReplyT]):
    """One call of etcd's API, by its name on the wire."""

    path: str
    reply: type[ReplyT]
    request: type[RequestT]


RANGE: Final = Method("/etcdserverpb.KV/Range", rpc_pb2.RangeResponse, rpc_pb2.RangeRequest)
TXN: Final = Method("/etcdserverpb.KV/Txn", rpc_pb2.TxnResponse, rpc_pb2.TxnRequest)
COMPACT: Final = Method(
    "/etcdserverpb.KV/Compact", rpc_pb2.CompactionResponse, rpc_pb2.CompactionRequest
)
WATCH: Final = Method("/etcdserverpb.Watch/Watch", rpc_pb2.WatchResponse, rpc_pb2.WatchRequest)
LEASE_GRANT: Final = Method(
    "/etcdserverpb.Lease/LeaseGrant", rpc_pb2.LeaseGrantResponse, rpc_pb2.LeaseGrantRequest
)
LEASE_REVOKE: Final = Method(
    "/etcdserverpb.Lease/LeaseRevoke", rpc_pb2.LeaseRevokeResponse, rpc_pb2.LeaseRevokeRequest
)
LEASE_KEEP_ALIVE: Final = Method(
    "/etcdserverpb.Lease/LeaseKeepAlive",
    rpc_pb2.LeaseKeepAliveResponse,
    rpc_pb2.LeaseKeepAliveRequest,
)
ALARM: Final = Method(
    "/etcdserverpb.Maintenance/Alarm", rpc_pb2.AlarmResponse, rpc_pb2.AlarmRequest
)
STATUS: Final = Method(
    "/etcdserverpb.Maintenance/Status", rpc_pb2.StatusResponse, rpc_pb2.StatusRequest
)
DEFRAGMENT: Final = Method(
    "/etcdserverpb.Maintenance/Defragment",
    rpc_pb2.DefragmentResponse,
    rpc_pb2.DefragmentRequest,
)
AUTHENTICATE: Final = Method(
    "/etcdserverpb.Auth/Authenticate",
    rpc_pb2.AuthenticateResponse,
    rpc_pb2.AuthenticateRequest,
)
