from orca.rpc.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NodeEnvelope(_message.Message):
    __slots__ = ("node_hello", "status_report", "heartbeat", "command_done")
    NODE_HELLO_FIELD_NUMBER: _ClassVar[int]
    STATUS_REPORT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_DONE_FIELD_NUMBER: _ClassVar[int]
    node_hello: NodeHello
    status_report: StatusReport
    heartbeat: Heartbeat
    command_done: CommandDone
    def __init__(self, node_hello: _Optional[_Union[NodeHello, _Mapping]] = ..., status_report: _Optional[_Union[StatusReport, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., command_done: _Optional[_Union[CommandDone, _Mapping]] = ...) -> None: ...

class MasterEnvelope(_message.Message):
    __slots__ = ("welcome", "assignments", "resolve_image", "open_stream", "heartbeat_ack")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_IMAGE_FIELD_NUMBER: _ClassVar[int]
    OPEN_STREAM_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_ACK_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    assignments: Assignments
    resolve_image: ResolveImage
    open_stream: OpenStream
    heartbeat_ack: HeartbeatAck
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., assignments: _Optional[_Union[Assignments, _Mapping]] = ..., resolve_image: _Optional[_Union[ResolveImage, _Mapping]] = ..., open_stream: _Optional[_Union[OpenStream, _Mapping]] = ..., heartbeat_ack: _Optional[_Union[HeartbeatAck, _Mapping]] = ...) -> None: ...

class NodeHello(_message.Message):
    __slots__ = ("node", "name", "epoch", "facts", "statuses", "lineage")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    node: str
    name: str
    epoch: int
    facts: _model_pb2.NodeFacts
    statuses: _containers.RepeatedCompositeFieldContainer[_model_pb2.ReplicaStatus]
    lineage: str
    def __init__(self, node: _Optional[str] = ..., name: _Optional[str] = ..., epoch: _Optional[int] = ..., facts: _Optional[_Union[_model_pb2.NodeFacts, _Mapping]] = ..., statuses: _Optional[_Iterable[_Union[_model_pb2.ReplicaStatus, _Mapping]]] = ..., lineage: _Optional[str] = ...) -> None: ...

class StatusReport(_message.Message):
    __slots__ = ("statuses", "gone")
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedCompositeFieldContainer[_model_pb2.ReplicaStatus]
    gone: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, statuses: _Optional[_Iterable[_Union[_model_pb2.ReplicaStatus, _Mapping]]] = ..., gone: _Optional[_Iterable[str]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("sequence", "facts")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    facts: _model_pb2.NodeFacts
    def __init__(self, sequence: _Optional[int] = ..., facts: _Optional[_Union[_model_pb2.NodeFacts, _Mapping]] = ...) -> None: ...

class CommandDone(_message.Message):
    __slots__ = ("command", "error_kind", "error", "hint", "image_id")
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ERROR_KIND_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    command: str
    error_kind: str
    error: str
    hint: str
    image_id: str
    def __init__(self, command: _Optional[str] = ..., error_kind: _Optional[str] = ..., error: _Optional[str] = ..., hint: _Optional[str] = ..., image_id: _Optional[str] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("epoch", "cluster", "heartbeat_seconds", "lineage")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    cluster: str
    heartbeat_seconds: float
    lineage: str
    def __init__(self, epoch: _Optional[int] = ..., cluster: _Optional[str] = ..., heartbeat_seconds: _Optional[float] = ..., lineage: _Optional[str] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("replica", "container", "spec_hash", "secret_files", "settled_name", "trace", "blocked", "min_ready_seconds")
    class SecretFilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    SPEC_HASH_FIELD_NUMBER: _ClassVar[int]
    SECRET_FILES_FIELD_NUMBER: _ClassVar[int]
    SETTLED_NAME_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    MIN_READY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    replica: _model_pb2.Replica
    container: _model_pb2.ContainerSpec
    spec_hash: str
    secret_files: _containers.ScalarMap[str, str]
    settled_name: bool
    trace: str
    blocked: str
    min_ready_seconds: float
    def __init__(self, replica: _Optional[_Union[_model_pb2.Replica, _Mapping]] = ..., container: _Optional[_Union[_model_pb2.ContainerSpec, _Mapping]] = ..., spec_hash: _Optional[str] = ..., secret_files: _Optional[_Mapping[str, str]] = ..., settled_name: _Optional[bool] = ..., trace: _Optional[str] = ..., blocked: _Optional[str] = ..., min_ready_seconds: _Optional[float] = ...) -> None: ...

class Assignments(_message.Message):
    __slots__ = ("epoch", "complete", "assignments", "forgotten")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    complete: bool
    assignments: _containers.RepeatedCompositeFieldContainer[Assignment]
    forgotten: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, epoch: _Optional[int] = ..., complete: _Optional[bool] = ..., assignments: _Optional[_Iterable[_Union[Assignment, _Mapping]]] = ..., forgotten: _Optional[_Iterable[str]] = ...) -> None: ...

class ResolveImage(_message.Message):
    __slots__ = ("command", "epoch", "image", "pull", "trace")
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PULL_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    command: str
    epoch: int
    image: str
    pull: str
    trace: str
    def __init__(self, command: _Optional[str] = ..., epoch: _Optional[int] = ..., image: _Optional[str] = ..., pull: _Optional[str] = ..., trace: _Optional[str] = ...) -> None: ...

class LogsRequest(_message.Message):
    __slots__ = ("replica", "follow", "tail", "since", "previous", "timestamps")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    replica: str
    follow: bool
    tail: int
    since: float
    previous: bool
    timestamps: bool
    def __init__(self, replica: _Optional[str] = ..., follow: _Optional[bool] = ..., tail: _Optional[int] = ..., since: _Optional[float] = ..., previous: _Optional[bool] = ..., timestamps: _Optional[bool] = ...) -> None: ...

class ExecRequest(_message.Message):
    __slots__ = ("replica", "command", "tty", "stdin", "env", "user", "columns", "rows")
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    TTY_FIELD_NUMBER: _ClassVar[int]
    STDIN_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    replica: str
    command: _containers.RepeatedScalarFieldContainer[str]
    tty: bool
    stdin: bool
    env: _containers.ScalarMap[str, str]
    user: str
    columns: int
    rows: int
    def __init__(self, replica: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., tty: _Optional[bool] = ..., stdin: _Optional[bool] = ..., env: _Optional[_Mapping[str, str]] = ..., user: _Optional[str] = ..., columns: _Optional[int] = ..., rows: _Optional[int] = ...) -> None: ...

class OpenStream(_message.Message):
    __slots__ = ("stream", "epoch", "logs", "exec")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    EXEC_FIELD_NUMBER: _ClassVar[int]
    stream: str
    epoch: int
    logs: LogsRequest
    exec: ExecRequest
    def __init__(self, stream: _Optional[str] = ..., epoch: _Optional[int] = ..., logs: _Optional[_Union[LogsRequest, _Mapping]] = ..., exec: _Optional[_Union[ExecRequest, _Mapping]] = ...) -> None: ...

class HeartbeatAck(_message.Message):
    __slots__ = ("sequence", "epoch")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    epoch: int
    def __init__(self, sequence: _Optional[int] = ..., epoch: _Optional[int] = ...) -> None: ...

class StreamChunk(_message.Message):
    __slots__ = ("stream", "channel", "data", "closed", "exit_code", "columns", "rows", "error_kind", "error")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ERROR_KIND_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    stream: str
    channel: str
    data: bytes
    closed: bool
    exit_code: int
    columns: int
    rows: int
    error_kind: str
    error: str
    def __init__(self, stream: _Optional[str] = ..., channel: _Optional[str] = ..., data: _Optional[bytes] = ..., closed: _Optional[bool] = ..., exit_code: _Optional[int] = ..., columns: _Optional[int] = ..., rows: _Optional[int] = ..., error_kind: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...
