"""Errors as `application/problem+json` (RFC 9457). Every error leaves the API through here.

What a client gets is what the error says of itself, and never a traceback: for what nobody foresaw it
gets the request id, under which the log has the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from aiohttp import web

from orca import errors
from orca.client import schema
from orca.telemetry import logs

CONTENT_TYPE = "application/problem+json"

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
"""Under which the log and the answer name a request."""

_log = logs.get_logger(__name__)


class Refusal(Exception):
    """An error whose HTTP status or headers say more than its kind does."""

    def __init__(
        self, error: errors.OrcaError, *, status: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.status = status
        self.headers = dict(headers or {})


def too_many_failures(wait_seconds: float) -> Refusal:
    """Somebody seems to be guessing tokens."""
    seconds = math.ceil(wait_seconds)
    error = errors.Unauthenticated(
        "Too many requests with a wrong token came from this address.",
        hint=f"Try again in {seconds} s; a valid token is accepted at any time.",
    )
    return Refusal(error, status=429, headers={"Retry-After": str(seconds)})


def problem(error: errors.OrcaError, *, status: int = 0) -> schema.Problem:
    """The body for an error; all problems of a configuration, separated by blank lines."""
    title = error.message
    if isinstance(error, errors.InvalidConfig):
        title = "\n\n".join(error.problems)
    return schema.Problem(
        type=error.kind,
        title=title,
        status=status or error.http_status,
        hint=error.hint,
        error=title,
    )


def refusal_of(error: Exception, *, request_id: str) -> Refusal:
    """Any exception as what the client is told of it; logs the ones that are nobody's intention."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, errors.Unauthenticated):
        headers = {"WWW-Authenticate": 'Bearer realm="orca"'}
        return Refusal(error, status=error.http_status, headers=headers)
    if isinstance(error, errors.OrcaError):
        return Refusal(error, status=error.http_status)
    if isinstance(error, web.HTTPException):
        return _of_http(error)
    _log.error("A request failed unexpectedly", request_id=request_id, exc_info=error)
    unexpected = errors.OrcaError(
        f"orca failed unexpectedly (request {request_id}).",
        hint=f"The reason is in orca.log of the server, at request_id {request_id}.",
    )
    return Refusal(unexpected, status=unexpected.http_status)


def _of_http(error: web.HTTPException) -> Refusal:
    """What aiohttp itself refuses."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        refused = errors.UserError(f"{error.method} is not possible here; possible: {allowed}.")
        return Refusal(refused, status=error.status, headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        missing = errors.NotFound(
            "There is no such route in this API.", hint="GET /api/v1/openapi.json lists them all."
        )
        return Refusal(missing, status=error.status)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Refusal(errors.UserError("The request body is too large."), status=error.status)
    return Refusal(errors.UserError(f"{error.reason}."), status=error.status)


def response(refusal: Refusal) -> web.Response:
    """The answer to a refused request."""
    body = problem(refusal.error, status=refusal.status).model_dump_json().encode()
    return web.Response(
        body=body, status=refusal.status, content_type=CONTENT_TYPE, headers=refusal.headers
    )
