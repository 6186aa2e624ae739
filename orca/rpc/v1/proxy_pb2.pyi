from orca.rpc.v1 import model_pb2 as _model_pb2
from orca.rpc.v1 import node_pb2 as _node_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProxyEnvelope(_message.Message):
    __slots__ = ("proxy_hello", "proxy_applied", "proxy_drained", "heartbeat")
    PROXY_HELLO_FIELD_NUMBER: _ClassVar[int]
    PROXY_APPLIED_FIELD_NUMBER: _ClassVar[int]
    PROXY_DRAINED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    proxy_hello: ProxyHello
    proxy_applied: ProxyApplied
    proxy_drained: ProxyDrained
    heartbeat: _node_pb2.Heartbeat
    def __init__(self, proxy_hello: _Optional[_Union[ProxyHello, _Mapping]] = ..., proxy_applied: _Optional[_Union[ProxyApplied, _Mapping]] = ..., proxy_drained: _Optional[_Union[ProxyDrained, _Mapping]] = ..., heartbeat: _Optional[_Union[_node_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class ProxyCommandEnvelope(_message.Message):
    __slots__ = ("route_update", "heartbeat_ack")
    ROUTE_UPDATE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_ACK_FIELD_NUMBER: _ClassVar[int]
    route_update: RouteUpdate
    heartbeat_ack: _node_pb2.HeartbeatAck
    def __init__(self, route_update: _Optional[_Union[RouteUpdate, _Mapping]] = ..., heartbeat_ack: _Optional[_Union[_node_pb2.HeartbeatAck, _Mapping]] = ...) -> None: ...

class ProxyHello(_message.Message):
    __slots__ = ("proxy", "name", "epoch", "lineage")
    PROXY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    proxy: str
    name: str
    epoch: int
    lineage: str
    def __init__(self, proxy: _Optional[str] = ..., name: _Optional[str] = ..., epoch: _Optional[int] = ..., lineage: _Optional[str] = ...) -> None: ...

class ProxyApplied(_message.Message):
    __slots__ = ("version", "error")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    version: int
    error: str
    def __init__(self, version: _Optional[int] = ..., error: _Optional[str] = ...) -> None: ...

class ProxyDrained(_message.Message):
    __slots__ = ("replicas",)
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    replicas: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, replicas: _Optional[_Iterable[str]] = ...) -> None: ...

class RouteUpdate(_message.Message):
    __slots__ = ("epoch", "version", "complete", "routes_changed", "routes", "backends", "removed", "lineage")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    ROUTES_CHANGED_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    version: int
    complete: bool
    routes_changed: bool
    routes: _containers.RepeatedCompositeFieldContainer[_model_pb2.Route]
    backends: _containers.RepeatedCompositeFieldContainer[_model_pb2.Backend]
    removed: _containers.RepeatedScalarFieldContainer[str]
    lineage: str
    def __init__(self, epoch: _Optional[int] = ..., version: _Optional[int] = ..., complete: _Optional[bool] = ..., routes_changed: _Optional[bool] = ..., routes: _Optional[_Iterable[_Union[_model_pb2.Route, _Mapping]]] = ..., backends: _Optional[_Iterable[_Union[_model_pb2.Backend, _Mapping]]] = ..., removed: _Optional[_Iterable[str]] = ..., lineage: _Optional[str] = ...) -> None: ...
