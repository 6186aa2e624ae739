"""Messages ↔ protobuf, by field name.

A dataclass and the protobuf message of the same name have the same fields, so one pair of functions
serves them all; `tests/unit/rpc/test_convert.py` holds every pair together and round-trips each. What
is not here: any knowledge of a single message.

The hard part is absence. A protobuf scalar cannot be absent, so dataclass defaults other than zero are
always sent, and only fields typed `X | None` may be left out.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, cast

from google.protobuf.message import Message

from orca.rpc import messages
from orca.rpc.v1 import node_pb2, proxy_pb2

T = TypeVar("T")


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def to_proto(value: Any, into: Message) -> None:
    """Fill the protobuf message `into` from the dataclass `value`."""
    for item in fields(value):
        _set(into, item.name, getattr(value, item.name))


def _set(into: Message, name: str, value: Any) -> None:
    if value is None:
        return
    if is_dataclass(value):
        target = getattr(into, name)
        target.SetInParent()
        to_proto(value, target)
    elif isinstance(value, Mapping):
        getattr(into, name).update(value)
    elif isinstance(value, tuple):
        _extend(getattr(into, name), value)
    else:
        setattr(into, name, value.value if isinstance(value, Enum) else value)


def _extend(target: Any, values: tuple[Any, ...]) -> None:
    if values and is_dataclass(values[0]):
        for value in values:
            to_proto(value, target.add())
    else:
        target.extend(values)


def from_proto(message: Message, cls: type[T]) -> T:
    """Build the dataclass `cls` from a protobuf message; raises `ValueError` for an unknown enum value."""
    hints = _hints(cast("Hashable", cls))
    return cls(**{name: _get(message, name, hint) for name, hint in hints.items()})


def _get(message: Message, name: str, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        if not message.HasField(name):
            return None
        hint = next(arm for arm in typing.get_args(hint) if arm is not types.NoneType)
    value = getattr(message, name)
    origin = typing.get_origin(hint)
    if origin is tuple:
        item = _plain(typing.get_args(hint)[0])
        return tuple(_value(each, item) for each in value)
    if origin is Mapping:
        return dict(value)
    return _value(value, _plain(hint))


def _plain(hint: Any) -> Any:
    """The type under a `NewType`."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return hint


def _value(value: Any, cls: Any) -> Any:
    if is_dataclass(cls):
        return from_proto(value, cast("type[Any]", cls))
    return cls(value)


def _field_name(cls: type) -> str:
    """`NodeHello` → `node_hello`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")


def _wrap(value: Any, envelope: Message) -> Message:
    to_proto(value, target := getattr(envelope, _field_name(type(value))))
    target.SetInParent()
    return envelope


def _unwrap(envelope: Message, union: Any) -> Any:
    present = envelope.WhichOneof("message")
    for cls in typing.get_args(union):
        if _field_name(cls) == present:
            return from_proto(getattr(envelope, present), cls)
    # A newer peer may say things this version does not know: that is for the caller to skip.
    return None


def node_to_wire(message: messages.NodeMessage) -> node_pb2.NodeEnvelope:
    """Wrap what a node says."""
    return cast("node_pb2.NodeEnvelope", _wrap(message, node_pb2.NodeEnvelope()))


def node_from_wire(envelope: node_pb2.NodeEnvelope) -> messages.NodeMessage | None:
    """What a node said; None when this version does not know it."""
    return cast("messages.NodeMessage | None", _unwrap(envelope, messages.NodeMessage))


def master_to_wire(message: messages.MasterMessage) -> node_pb2.MasterEnvelope:
    """Wrap what a master says to a node."""
    return cast("node_pb2.MasterEnvelope", _wrap(message, node_pb2.MasterEnvelope()))


def master_from_wire(envelope: node_pb2.MasterEnvelope) -> messages.MasterMessage | None:
    """What a master said to a node; None when this version does not know it."""
    return cast("messages.MasterMessage | None", _unwrap(envelope, messages.MasterMessage))


def proxy_to_wire(message: messages.ProxyMessage) -> proxy_pb2.ProxyEnvelope:
    """Wrap what a proxy says."""
    return cast("proxy_pb2.ProxyEnvelope", _wrap(message, proxy_pb2.ProxyEnvelope()))


def proxy_from_wire(envelope: proxy_pb2.ProxyEnvelope) -> messages.ProxyMessage | None:
    """What a proxy said; None when this version does not know it."""
    return cast("messages.ProxyMessage | None", _unwrap(envelope, messages.ProxyMessage))


def command_to_wire(message: messages.ProxyCommand) -> proxy_pb2.ProxyCommandEnvelope:
    """Wrap what a master says to a proxy."""
    return cast("proxy_pb2.ProxyCommandEnvelope", _wrap(message, proxy_pb2.ProxyCommandEnvelope()))


def command_from_wire(envelope: proxy_pb2.ProxyCommandEnvelope) -> messages.ProxyCommand | None:
    """What a master said to a proxy; None when this version does not know it."""
    return cast("messages.ProxyCommand | None", _unwrap(envelope, messages.ProxyCommand))


def chunk_to_wire(chunk: messages.StreamChunk) -> node_pb2.StreamChunk:
    """A piece of a bulk stream in protobuf."""
    to_proto(chunk, into := node_pb2.StreamChunk())
    return into


def chunk_from_wire(chunk: node_pb2.StreamChunk) -> messages.StreamChunk:
    """A piece of a bulk stream as the programs see it."""
    return from_proto(chunk, messages.StreamChunk)
