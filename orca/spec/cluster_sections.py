"""The tables of `cluster.toml`: types, defaults and descriptions, and nothing that relates them."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from orca import errors
from orca.spec import checks, cron, references
from orca.spec.fault import refusal
from orca.spec.fields import Domain, Flag, Name, Port, Positive, Seconds, Spec, Url

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_ENDPOINT = re.compile(r"(?:https?://)?(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}")


def _token_value(value: str) -> str:
    if references.is_reference(value) or _HASH.fullmatch(value):
        return value
    raise refusal(
        "a token must not stand in a file in clear text",
        hint='write "${secrets.NAME}", or "sha256:<64 hex digits>" of the token',
    )


def _schedule(value: str) -> str:
    try:
        return value if references.refers(value) else cron.check(value)
    except errors.UserError as error:
        raise refusal(error.message, hint=error.hint) from error


def _email(value: str) -> str:
    if references.refers(value) or _EMAIL.fullmatch(value):
        return value
    raise refusal(f'not an e-mail address: "{value}"')


def _endpoint(value: str) -> str:
    if references.refers(value) or _ENDPOINT.fullmatch(value):
        return value
    raise refusal(f'not an address: "{value}"', hint='write "host:2379" or "https://host:2379"')


TokenValue = Annotated[
    str,
    AfterValidator(_token_value),
    Field(json_schema_extra={"pattern": r"^(\$\{secrets\..+\}|sha256:[0-9a-f]{64})$"}),
]
Email = Annotated[str, AfterValidator(_email)]
Schedule = Annotated[str, AfterValidator(_schedule)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Prefix = Annotated[
    str, checks.text(re.compile(r"/(\S*/)?"), "a prefix", hint='begin and end with "/"')
]


class Network(Spec):
    """A private network between the hosts."""

    provider: Literal["netbird"] = Field(default="netbird", description="What builds the network.")
    setup_key: str | None = Field(default=None, description="Key that lets a host join.")
    management_url: Url | None = Field(
        default=None, description="Address of its management server."
    )


class Cluster(Spec):
    """Identity of the cluster and where its API listens."""

    name: Name = Field(default="orca", description="Name of the cluster.")
    domain: Domain | None = Field(
        default=None, description="Domain the cluster is known by. No route follows from it."
    )
    acme_email: Email | None = Field(default=None, description="Another spelling of `acme.email`.")
    log_level: Literal["trace", "debug", "info", "warn", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    api_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address the REST API listens on."
    )
    api_port: Port = Field(default=6880, description="Port of the REST API.")
    grpc_port: Port = Field(default=6881, description="Port that nodes and proxies dial.")
    network: Network | None = Field(default=None, description="Another spelling of `[network]`.")


class Acme(Spec):
    """Certificates from an ACME authority such as Let's Encrypt."""

    email: Email | None = Field(default=None, description="Contact address of the account.")
    directory: Url = Field(
        default="https://acme-v02.api.letsencrypt.org/directory",
        description="Address of the authority.",
    )


class Proxy(Spec):
    """The ingress, on every host that runs one."""

    http_port: Port = Field(default=80, description="Port for HTTP.")
    https_port: Port = Field(default=443, description="Port for HTTPS.")
    access_log: Flag = Field(default=True, description="Whether requests are logged.")


class Store(Spec):
    """Where the cluster's state is kept."""

    endpoints: tuple[Endpoint, ...] = Field(
        default=(),
        description='Addresses of an etcd of your own, "host:2379". Without any, orca runs its own etcd.',
    )
    ca_file: str | None = Field(
        default=None, description="CA certificate (PEM) that signed etcd's."
    )
    cert_file: str | None = Field(default=None, description="Client certificate (PEM) for etcd.")
    key_file: str | None = Field(default=None, description="Client key (PEM) for etcd.")
    prefix: Prefix = Field(
        default="/orca/",
        description="Prefix of every key, for an etcd that is shared.",
    )


class BackupTarget(Spec):
    """One place that backups go to."""

    type: Literal["local", "s3"] = Field(description="A directory, or a bucket.")
    path: str | None = Field(default=None, description="Directory (local).")
    endpoint: Url | None = Field(default=None, description="Address of the object store (s3).")
    bucket: str | None = Field(default=None, min_length=3, description="Bucket (s3).")
    region: str | None = Field(default=None, description="Region (s3).")
    prefix: str | None = Field(default=None, description="Prefix of every object (s3).")
    access_key: str | None = Field(default=None, description="Access key (s3), as ${secrets.NAME}.")
    secret_key: str | None = Field(default=None, description="Secret key (s3), as ${secrets.NAME}.")


class Backup(Spec):
    """Backups of the cluster's state and of volumes."""

    enabled: Flag = Field(default=False, description="Whether backups run on schedule.")
    schedule: Schedule = Field(
        default="0 0 3 * * *",
        description="Cron schedule: 6 fields with seconds first, or 5 fields.",
    )
    retention_days: Positive = Field(default=14, description="Days that a backup is kept.")
    targets: tuple[BackupTarget, ...] = Field(
        default=(), description="Where backups go, all of them."
    )


class NodeGpus(Spec):
    """GPUs of a host."""

    vendor: Literal["nvidia", "amd", "intel"] = Field(
        default="nvidia", description="Maker of the GPUs."
    )
    count: Positive = Field(default=1, description="Number of GPUs.")
    model: str | None = Field(default=None, description="Model of the GPUs.")


class Node(Spec):
    """What is known about one host in advance."""

    address: str = Field(min_length=1, description="Host name or address of the node.")
    labels: dict[str, str] = Field(
        default_factory=dict, description="Labels that placement can ask for."
    )
    gpus: tuple[NodeGpus, ...] = Field(default=(), description="GPUs of the host.")


class Token(Spec):
    """A credential for the API."""

    name: Name = Field(description="Name of the token, as the audit log shows it.")
    value: TokenValue = Field(
        description='"${secrets.NAME}", or "sha256:<hex>" of the token; never the token itself.'
    )
    role: Literal["viewer", "deployer", "admin"] = Field(description="What the token may do.")


class Alerts(Spec):
    """Where alerts go."""

    webhook: Url | None = Field(default=None, description="Address that alerts are posted to.")
    email: Email | None = Field(default=None, description="Address that alerts are mailed to.")


class Observability(Spec):
    """Traces, metrics and alerts."""

    otlp_endpoint: Url | None = Field(
        default=None, description='OTLP/gRPC collector for traces, "http://host:4317".'
    )
    alerts: Alerts | None = Field(default=None, description="Where alerts go.")


class AiChannels(Spec):
    """Where the assistant reports."""

    slack: Url | None = Field(default=None, description="Slack webhook.")
    webhook: Url | None = Field(default=None, description="Address that reports are posted to.")
    email: Email | None = Field(default=None, description="Address that reports are mailed to.")


class AiAlerts(Spec):
    """Watching by the assistant."""

    enabled: Flag = Field(default=False, description="Whether it watches.")
    analysis_interval_secs: Seconds = Field(
        default=60.0, description="Seconds from one look to the next."
    )
    channels: AiChannels = Field(default_factory=AiChannels, description="Where it reports.")


class AiRemediation(Spec):
    """What the assistant may do by itself."""

    restart_crashed: Flag = Field(default=True, description="Restart what crashed.")
    scale_on_pressure: Flag = Field(default=False, description="Add replicas under load.")
    rollback_on_failure: Flag = Field(default=False, description="Roll back what fails.")


class Ai(Spec):
    """The assistant."""

    provider: Literal["litellm", "ollama", "openai", "anthropic"] = Field(
        description="Which kind of model server it is."
    )
    endpoint: Url | None = Field(default=None, description="Address of the model server.")
    model: str | None = Field(default=None, description="Name of the model.")
    api_key: str | None = Field(default=None, description="Key for it, as ${secrets.NAME}.")
    alerts: AiAlerts = Field(default_factory=AiAlerts, description="Watching.")
    auto_remediate: AiRemediation = Field(
        default_factory=AiRemediation, description="What it may do by itself."
    )


class ClusterKeys(Spec):
    """Every table of `cluster.toml`, each checked for itself."""

    cluster: Cluster = Field(
        default_factory=Cluster, description="Identity and API of the cluster."
    )
    acme: Acme = Field(default_factory=Acme, description="Certificates from an ACME authority.")
    proxy: Proxy = Field(default_factory=Proxy, description="The ingress.")
    store: Store = Field(default_factory=Store, description="The etcd that holds the state.")
    backup: Backup = Field(default_factory=Backup, description="Backups.")
    node: tuple[Node, ...] = Field(default=(), description="What is known about hosts in advance.")
    token: tuple[Token, ...] = Field(default=(), description="Credentials for the API.")
    observability: Observability = Field(
        default_factory=Observability, description="What is reported, and where."
    )
    network: Network | None = Field(
        default=None, description="A private network between the hosts."
    )
    ai: Ai | None = Field(default=None, description="The assistant.")
