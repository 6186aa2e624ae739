"""A fault: one thing wrong with a configuration, by its path inside the data.

A fault does not know about files. `problem.Problem` is a fault that has been given a place in a text.
Models raise faults through pydantic, whose own message templates would trip over the braces of
`${secrets.X}`; hence the one generic template here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from pydantic_core import PydanticCustomError

Path: TypeAlias = tuple[str | int, ...]

CUSTOM = "orca"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`message` says what is wrong at `path`; `at_key` points at the key instead of its value."""

    path: Path = ()
    message: str
    hint: str = ""
    at_key: bool = False

    def under(self, prefix: Path) -> Fault:
        """The same fault seen from the data that holds this data at `prefix`."""
        return replace(self, path=prefix + self.path)

    def __str__(self) -> str:
        where = dotted(self.path)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({self.hint})" if self.hint else text


def refusal(
    message: str, *, hint: str = "", path: Path = (), at_key: bool = False
) -> PydanticCustomError:
    """An error that a pydantic validator raises; `path` is relative to what is validated."""
    return refusals([Fault(path=path, message=message, hint=hint, at_key=at_key)])


def refusals(faults: Iterable[Fault]) -> PydanticCustomError:
    """Several faults as one error, so that a person sees all of them at once."""
    found = tuple(faults)
    text = "; ".join(str(fault) for fault in found)
    return PydanticCustomError(CUSTOM, "{message}", {"message": text, "faults": found})


def dotted(path: Path) -> str:
    """`("env", "A", 0)` as `env.A[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
