"""`${secrets.NAME}`: where a configuration names secrets, and which.

This finds references and replaces them; it never holds a value itself. Text that looks like a
reference and is none (`${secrets.}`, `${secret.X}`, a missing brace) is an error here, because passed
on it would reach a container literally.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from orca import errors
from orca.spec.fault import Fault, Path, dotted

NAME_PATTERN = r"[A-Za-z_][A-Za-z0-9_-]*"

_REFERENCE = re.compile(r"\$\{secrets\.(" + NAME_PATTERN + r")\}")
_ATTEMPT = re.compile(r"\$\{\s*secrets?\s*\.[^}\s]*\}?", re.IGNORECASE)
_HINT = "write ${secrets.NAME}; a name is letters, digits, '_' and '-', and starts with a letter"


def secret_names(text: str) -> tuple[str, ...]:
    """The names that `text` refers to, in order, once each.

    Raises `errors.UserError` for something that only looks like a reference.
    """
    left_over = _ATTEMPT.search(_REFERENCE.sub("\0", text))
    if left_over:
        raise errors.UserError(f'malformed secret reference "{left_over[0]}"', hint=_HINT)
    return tuple(dict.fromkeys(_REFERENCE.findall(text)))


def refers(text: str) -> bool:
    """Whether `text` holds at least one well-formed reference."""
    return _REFERENCE.search(text) is not None


def is_reference(text: str) -> bool:
    """Whether `text` is one reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def substitute(text: str, value_of: Callable[[str], str]) -> str:
    """`text` with every reference replaced; values are not searched for references again."""
    return _REFERENCE.sub(lambda found: value_of(found[1]), text)


def secrets_in(spec: BaseModel) -> Mapping[str, tuple[str, ...]]:
    """Every place of `spec` that needs secrets, as `env.DB_PASSWORD` → names.

    Names that a service lists under `secrets` count as well. Raises `errors.UserError` for malformed
    references, which a validated spec does not have.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path, text in strings(spec.model_dump(mode="json")):
        listed = len(path) == 2 and path[0] == "secrets"
        names = (text,) if listed else secret_names(text)
        if names:
            found[dotted(path)] = names
    return MappingProxyType(found)


def malformed(data: BaseModel | Mapping[str, Any]) -> list[Fault]:
    """Everything in `data` that looks like a reference and is none."""
    plain = data.model_dump(mode="json") if isinstance(data, BaseModel) else data
    found = []
    for path, text in strings(plain):
        try:
            secret_names(text)
        except errors.UserError as error:
            found.append(Fault(path=path, message=error.message, hint=error.hint))
    return found


def strings(data: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string value in nested data, with its path."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from strings(value, (*path, str(key)))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from strings(value, (*path, index))
