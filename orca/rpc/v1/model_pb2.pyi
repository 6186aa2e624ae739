from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServiceId(_message.Message):
    __slots__ = ("project", "name")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    project: str
    name: str
    def __init__(self, project: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class PortMapping(_message.Message):
    __slots__ = ("host_port", "container_port", "protocol", "host_ip")
    HOST_PORT_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_PORT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    HOST_IP_FIELD_NUMBER: _ClassVar[int]
    host_port: int
    container_port: int
    protocol: str
    host_ip: str
    def __init__(self, host_port: _Optional[int] = ..., container_port: _Optional[int] = ..., protocol: _Optional[str] = ..., host_ip: _Optional[str] = ...) -> None: ...

class VolumeMount(_message.Message):
    __slots__ = ("source", "target", "read_only")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    read_only: bool
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., read_only: _Optional[bool] = ...) -> None: ...

class BindMount(_message.Message):
    __slots__ = ("source", "target", "read_only")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    source: str
    target: str
    read_only: bool
    def __init__(self, source: _Optional[str] = ..., target: _Optional[str] = ..., read_only: _Optional[bool] = ...) -> None: ...

class Resources(_message.Message):
    __slots__ = ("memory_bytes", "cpus", "pids", "shm_bytes")
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    PIDS_FIELD_NUMBER: _ClassVar[int]
    SHM_BYTES_FIELD_NUMBER: _ClassVar[int]
    memory_bytes: int
    cpus: float
    pids: int
    shm_bytes: int
    def __init__(self, memory_bytes: _Optional[int] = ..., cpus: _Optional[float] = ..., pids: _Optional[int] = ..., shm_bytes: _Optional[int] = ...) -> None: ...

class Probe(_message.Message):
    __slots__ = ("kind", "path", "port", "command", "interval_seconds", "timeout_seconds", "failure_threshold", "success_threshold", "initial_delay_seconds")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    INITIAL_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    path: str
    port: int
    command: _containers.RepeatedScalarFieldContainer[str]
    interval_seconds: float
    timeout_seconds: float
    failure_threshold: int
    success_threshold: int
    initial_delay_seconds: float
    def __init__(self, kind: _Optional[str] = ..., path: _Optional[str] = ..., port: _Optional[int] = ..., command: _Optional[_Iterable[str]] = ..., interval_seconds: _Optional[float] = ..., timeout_seconds: _Optional[float] = ..., failure_threshold: _Optional[int] = ..., success_threshold: _Optional[int] = ..., initial_delay_seconds: _Optional[float] = ...) -> None: ...

class ContainerSpec(_message.Message):
    __slots__ = ("image", "image_id", "pull", "command", "entrypoint", "user", "working_dir", "env", "secret_files", "labels", "network", "aliases", "port", "ports", "volumes", "mounts", "tmpfs", "resources", "startup", "readiness", "liveness", "stop_grace_seconds", "max_restarts", "log_max_size", "log_max_files", "read_only", "init", "privileged", "cap_add", "cap_drop")
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PULL_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ENTRYPOINT_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIR_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    SECRET_FILES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    PORTS_FIELD_NUMBER: _ClassVar[int]
    VOLUMES_FIELD_NUMBER: _ClassVar[int]
    MOUNTS_FIELD_NUMBER: _ClassVar[int]
    TMPFS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    STARTUP_FIELD_NUMBER: _ClassVar[int]
    READINESS_FIELD_NUMBER: _ClassVar[int]
    LIVENESS_FIELD_NUMBER: _ClassVar[int]
    STOP_GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_RESTARTS_FIELD_NUMBER: _ClassVar[int]
    LOG_MAX_SIZE_FIELD_NUMBER: _ClassVar[int]
    LOG_MAX_FILES_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    INIT_FIELD_NUMBER: _ClassVar[int]
    PRIVILEGED_FIELD_NUMBER: _ClassVar[int]
    CAP_ADD_FIELD_NUMBER: _ClassVar[int]
    CAP_DROP_FIELD_NUMBER: _ClassVar[int]
    image: str
    image_id: str
    pull: str
    command: _containers.RepeatedScalarFieldContainer[str]
    entrypoint: _containers.RepeatedScalarFieldContainer[str]
    user: str
    working_dir: str
    env: _containers.ScalarMap[str, str]
    secret_files: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.ScalarMap[str, str]
    network: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    port: int
    ports: _containers.RepeatedCompositeFieldContainer[PortMapping]
    volumes: _containers.RepeatedCompositeFieldContainer[VolumeMount]
    mounts: _containers.RepeatedCompositeFieldContainer[BindMount]
    tmpfs: _containers.RepeatedScalarFieldContainer[str]
    resources: Resources
    startup: Probe
    readiness: Probe
    liveness: Probe
    stop_grace_seconds: float
    max_restarts: int
    log_max_size: str
    log_max_files: int
    read_only: bool
    init: bool
    privileged: bool
    cap_add: _containers.RepeatedScalarFieldContainer[str]
    cap_drop: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image: _Optional[str] = ..., image_id: _Optional[str] = ..., pull: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., entrypoint: _Optional[_Iterable[str]] = ..., user: _Optional[str] = ..., working_dir: _Optional[str] = ..., env: _Optional[_Mapping[str, str]] = ..., secret_files: _Optional[_Iterable[str]] = ..., labels: _Optional[_Mapping[str, str]] = ..., network: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., port: _Optional[int] = ..., ports: _Optional[_Iterable[_Union[PortMapping, _Mapping]]] = ..., volumes: _Optional[_Iterable[_Union[VolumeMount, _Mapping]]] = ..., mounts: _Optional[_Iterable[_Union[BindMount, _Mapping]]] = ..., tmpfs: _Optional[_Iterable[str]] = ..., resources: _Optional[_Union[Resources, _Mapping]] = ..., startup: _Optional[_Union[Probe, _Mapping]] = ..., readiness: _Optional[_Union[Probe, _Mapping]] = ..., liveness: _Optional[_Union[Probe, _Mapping]] = ..., stop_grace_seconds: _Optional[float] = ..., max_restarts: _Optional[int] = ..., log_max_size: _Optional[str] = ..., log_max_files: _Optional[int] = ..., read_only: _Optional[bool] = ..., init: _Optional[bool] = ..., privileged: _Optional[bool] = ..., cap_add: _Optional[_Iterable[str]] = ..., cap_drop: _Optional[_Iterable[str]] = ...) -> None: ...

class NodeFacts(_message.Message):
    __slots__ = ("hostname", "version", "docker_version", "docker_error", "cpus", "memory_bytes", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCKER_VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCKER_ERROR_FIELD_NUMBER: _ClassVar[int]
    CPUS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    hostname: str
    version: str
    docker_version: str
    docker_error: str
    cpus: float
    memory_bytes: int
    labels: _containers.ScalarMap[str, str]
    def __init__(self, hostname: _Optional[str] = ..., version: _Optional[str] = ..., docker_version: _Optional[str] = ..., docker_error: _Optional[str] = ..., cpus: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Replica(_message.Message):
    __slots__ = ("id", "service", "revision", "generation", "slot", "node", "epoch", "desired", "created_at", "drain_until", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    DESIRED_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_UNTIL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    service: ServiceId
    revision: int
    generation: int
    slot: int
    node: str
    epoch: int
    desired: str
    created_at: float
    drain_until: float
    reason: str
    def __init__(self, id: _Optional[str] = ..., service: _Optional[_Union[ServiceId, _Mapping]] = ..., revision: _Optional[int] = ..., generation: _Optional[int] = ..., slot: _Optional[int] = ..., node: _Optional[str] = ..., epoch: _Optional[int] = ..., desired: _Optional[str] = ..., created_at: _Optional[float] = ..., drain_until: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class ReplicaStatus(_message.Message):
    __slots__ = ("replica", "state", "ready", "attempt", "restarts", "container_id", "container_name", "address", "port", "reason", "exit_code", "oom_killed", "last_lines", "started_at", "changed_at", "next_restart_at", "permanent", "available")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    OOM_KILLED_FIELD_NUMBER: _ClassVar[int]
    LAST_LINES_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    NEXT_RESTART_AT_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    replica: str
    state: int
    ready: bool
    attempt: int
    restarts: int
    container_id: str
    container_name: str
    address: str
    port: int
    reason: str
    exit_code: int
    oom_killed: bool
    last_lines: _containers.RepeatedScalarFieldContainer[str]
    started_at: float
    changed_at: float
    next_restart_at: float
    permanent: bool
    available: bool
    def __init__(self, replica: _Optional[str] = ..., state: _Optional[int] = ..., ready: _Optional[bool] = ..., attempt: _Optional[int] = ..., restarts: _Optional[int] = ..., container_id: _Optional[str] = ..., container_name: _Optional[str] = ..., address: _Optional[str] = ..., port: _Optional[int] = ..., reason: _Optional[str] = ..., exit_code: _Optional[int] = ..., oom_killed: _Optional[bool] = ..., last_lines: _Optional[_Iterable[str]] = ..., started_at: _Optional[float] = ..., changed_at: _Optional[float] = ..., next_restart_at: _Optional[float] = ..., permanent: _Optional[bool] = ..., available: _Optional[bool] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("replica", "address", "port", "state")
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    replica: str
    address: str
    port: int
    state: str
    def __init__(self, replica: _Optional[str] = ..., address: _Optional[str] = ..., port: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...

class Backend(_message.Message):
    __slots__ = ("service", "endpoints")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    service: ServiceId
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    def __init__(self, service: _Optional[_Union[ServiceId, _Mapping]] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("domain", "path", "service")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    domain: str
    path: str
    service: ServiceId
    def __init__(self, domain: _Optional[str] = ..., path: _Optional[str] = ..., service: _Optional[_Union[ServiceId, _Mapping]] = ...) -> None: ...
