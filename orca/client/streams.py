"""Lines of a stream → bodies: server-sent events and NDJSON, each with its way to end in a problem."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from orca import errors
from orca.client import schema

M = TypeVar("M", bound=BaseModel)
ErrorOf = Callable[[schema.Problem], errors.OrcaError]

PROBLEM_EVENT = "problem"


async def events(
    lines: AsyncIterator[bytes], model: type[M], *, error_of: ErrorOf
) -> AsyncGenerator[M, None]:
    """The bodies of server-sent events. Raises what a `problem` event says."""
    name, data = "", b""
    async for raw in lines:
        line = raw.removesuffix(b"\r")
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode(errors="replace")
        elif field == b"data":
            data += value
        elif not line and data:
            yield _body(model, data, problem=name == PROBLEM_EVENT, error_of=error_of)
            name, data = "", b""


async def ndjson(
    lines: AsyncIterator[bytes], model: type[M], *, error_of: ErrorOf
) -> AsyncGenerator[M, None]:
    """The bodies of NDJSON lines; empty ones are heartbeats. Raises what a problem line says."""
    async for line in lines:
        if line:
            yield _body(model, line, problem=_is_problem(line), error_of=error_of)


def _is_problem(line: bytes) -> bool:
    # Problems begin with their type; no item of a line stream has that field.
    return line.startswith(b'{"type":')


def _body(model: type[M], data: bytes, *, problem: bool, error_of: ErrorOf) -> M:
    try:
        if problem:
            raise error_of(schema.Problem.model_validate_json(data))
        return model.model_validate_json(data)
    except ValidationError as error:
        raise errors.Unavailable(
            "The server sent something that this version cannot read.",
            hint="Use the same version of orca on both sides.",
        ) from error
