"""Every text in a record, by its path, and the record with texts replaced. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every string in nested dataclasses, mappings and tuples."""
    if isinstance(value, str) and not isinstance(value, Enum):
        yield path, value
    for name, item in _items(value):
        yield from texts(item, f"{path}.{name}" if path else name)


def with_texts(value: T, change: Callable[[str], str], path: str = "") -> T:
    """The same value with `change(path)` in the place of every string."""
    changed: Any = value
    if isinstance(value, str) and not isinstance(value, Enum):
        changed = change(path)
    elif items := list(_items(value)):
        parts = {
            name: with_texts(item, change, f"{path}.{name}" if path else name)
            for name, item in items
        }
        changed = _rebuilt(value, parts)
    return changed  # type: ignore[no-any-return]


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, tuple):
        yield from ((str(index), item) for index, item in enumerate(value))


def _rebuilt(value: Any, parts: dict[str, Any]) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **parts)
    return parts if isinstance(value, Mapping) else tuple(parts.values())
