"""Requests → validated queries and bodies, with all faults of a request in one message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from orca import errors
from orca.master.api.problems import Refusal
from orca.spec import explain

BODY_BYTES_MAX = 8 * 1024 * 1024

M = TypeVar("M", bound=BaseModel)


def query(model: type[M], given: MultiMapping[str]) -> M:
    """The query parameters as `model`. Raises `UserError` naming every fault."""
    twice = sorted({name for name in given if len(given.getall(name)) > 1})
    if twice:
        raise errors.UserError(f"Query parameters given more than once: {', '.join(twice)}.")
    return _validated(model, dict(given), what="query")


def body(model: type[M], data: bytes) -> M:
    """The request body as `model`; nothing at all is `{}`.

    Raises `Refusal` (400) when it is not JSON, `UserError` naming every fault otherwise.
    """
    try:
        read = json.loads(data) if data else {}
    except (ValueError, RecursionError) as error:
        raise Refusal(
            errors.UserError(f"The request body is not JSON: {error}."), status=400
        ) from error
    return _validated(model, read, what="request body")


def last_event_id(headers: Mapping[str, str]) -> int:
    """The sequence number that a client wants to go on after. Raises `UserError` if it is none."""
    text = headers.get("Last-Event-ID", "")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise errors.UserError("Last-Event-ID is not the sequence number of an event.")
    return int(text)


async def read(request: web.Request) -> bytes:
    """The body's bytes. Raises `Refusal` (413) beyond `BODY_BYTES_MAX`."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refusal(
            errors.UserError(
                f"The request body is larger than {BODY_BYTES_MAX // 1024**2} MiB.",
                hint="Deploy in several steps.",
            ),
            status=413,
        ) from error


def _validated(model: type[M], given: object, *, what: str) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = [str(fault) for fault in explain.faults(error, model)]
        listed = faults[0] if len(faults) == 1 else "\n  " + "\n  ".join(faults)
        raise errors.UserError(f"The {what} is not valid: {listed}") from error
