"""What a container sees of its host: named volumes, directories and files of the host, ports."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from orca.spec.fault import refusal
from orca.spec.fields import ContainerPath, DockerName, Flag, IpAddress, Memory, Port, Spec

_PORTS = re.compile(
    r"(?:(?P<ip>\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:.]+\]):)?(?P<host>\d+):(?P<container>\d+)"
    r"(?:/(?P<protocol>[a-z]+))?"
)
_TEXT_FORM = {"type": "string", "pattern": r"^[^:]+:/[^:]*(:(ro|rw))?$"}


def _or_text(schema: dict[str, Any]) -> None:
    """In the JSON Schema: the table, or `source:target[:ro]` for short."""
    table = dict(schema)
    schema.clear()
    schema |= {"anyOf": [table, _TEXT_FORM]}


class Volume(Spec):
    """A named volume: it outlives the container and is never removed by a deploy."""

    model_config = ConfigDict(json_schema_extra=_or_text)

    source: DockerName = Field(description="Name of the volume.")
    target: ContainerPath = Field(description="Absolute path in the container.")
    read_only: Flag = Field(default=False, description="Whether the container may only read it.")
    size: Memory | None = Field(default=None, description='Largest size in bytes, or "10Gi".')

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        data = _split(data)
        source = data.get("source") if isinstance(data, dict) else None
        if isinstance(source, str) and source.startswith(("/", ".", "~")):
            raise refusal(
                f'a volume has a name, not a path: "{source}"',
                hint="write [[service.mounts]] for a directory or file of the host",
                path=("source",),
            )
        return data


class Mount(Spec):
    """A directory or file of the host, seen in the container."""

    model_config = ConfigDict(json_schema_extra=_or_text)

    source: str = Field(
        min_length=1,
        description='Path on the host. "./services/…" is under the configuration root, any other relative '
        "path is beside the service.toml.",
    )
    target: ContainerPath = Field(description="Absolute path in the container.")
    read_only: Flag = Field(default=False, description="Whether the container may only read it.")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        data = _split(data)
        source = data.get("source") if isinstance(data, dict) else None
        if isinstance(source, str) and source.startswith("~"):
            raise refusal(
                f'"~" has no meaning in a file that several people deploy: "{source}"',
                hint="write an absolute path, or one relative to the service.toml",
                path=("source",),
            )
        return data


def _split(data: Any) -> Any:
    """`source:target[:ro|rw]` as the table that it is short for."""
    if not isinstance(data, str):
        return data
    parts = data.split(":")
    if len(parts) not in (2, 3) or not all(parts) or parts[2:] not in ([], ["ro"], ["rw"]):
        raise refusal(
            f'not a mount: "{data}"', hint='write "source:/target" or "source:/target:ro"'
        )
    return {"source": parts[0], "target": parts[1], "read_only": parts[2:] == ["ro"]}


class PortMapping(Spec):
    """A port of the container that the host publishes."""

    host_ip: IpAddress = Field(
        default="0.0.0.0",  # noqa: S104  publishing to everyone is what extra_ports is for
        description="Address of the host that listens.",
    )
    host_port: Port = Field(description="Port on the host.")
    container_port: Port = Field(description="Port in the container.")
    protocol: Literal["tcp", "udp"] = Field(default="tcp", description="Transport protocol.")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        found = _PORTS.fullmatch(data)
        if not found:
            raise refusal(f'not a port mapping: "{data}"', hint=_port_hint(data))
        ip, protocol = found["ip"], found["protocol"]
        return {
            "host_port": int(found["host"]),
            "container_port": int(found["container"]),
            **({"host_ip": ip.strip("[]")} if ip else {}),
            **({"protocol": protocol} if protocol else {}),
        }

    def __str__(self) -> str:
        ip = f"[{self.host_ip}]" if ":" in self.host_ip else self.host_ip
        return f"{ip}:{self.host_port}:{self.container_port}/{self.protocol}"


def _port_hint(text: str) -> str:
    if text.isdigit():
        return f'write "{text}:{text}" (host port, container port)'
    if "-" in text:
        return "a range is written as one entry per port"
    return 'write "22222:22", "127.0.0.1:5432:5432" or "53:53/udp"'


def _not_a_number(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        raise refusal(f"not a port mapping: {value}", hint=_port_hint(str(value)))
    return value


PortEntry = Annotated[
    PortMapping,
    BeforeValidator(_not_a_number),
    WithJsonSchema({"type": "string", "pattern": r"^(\S+:)?\d+:\d+(/(tcp|udp))?$"}),
]
