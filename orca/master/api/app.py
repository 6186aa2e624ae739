"""The route table as an aiohttp application, with what happens around every request.

Around every request: an id and a trace, the translation of errors, the access log, one measurement.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.trace import SpanKind

from orca import __version__
from orca.master.api import openapi, parse, problems
from orca.master.api.auth import TokenBook
from orca.master.api.endpoint import Endpoint, Site
from orca.master.api.receipts import Receipts
from orca.master.api.routes import TABLE
from orca.master.api.streams import HEARTBEAT_SECONDS, Streamer
from orca.master.control import ControlPlane
from orca.telemetry import logs, traces

SITE: web.AppKey[Site] = web.AppKey("site", Site)
UNMATCHED = "unmatched"
CLIENT_LEFT = 499
"""Status in log and metrics of a request whose client did not wait for the answer."""
DRAIN_SECONDS = 10.0

_log = logs.get_logger(__name__)
_ALWAYS = {"Server": "orca", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class ObserveRequest(Protocol):
    """Counts one answer; `orca.telemetry.metrics.Metrics.observe_request` is one."""

    def __call__(self, *, method: str, route: str, status: int, seconds: float | None) -> None:
        """`route` is a template; `seconds` is None for a stream."""
        ...


def not_observed(*, method: str, route: str, status: int, seconds: float | None) -> None:
    """Counts nothing."""


def build_app(
    *,
    control: ControlPlane,
    tokens: TokenBook,
    render_metrics: Callable[[], bytes],
    observe: ObserveRequest = not_observed,
    now: Callable[[], float] = time.monotonic,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> web.Application:
    """The API in front of `control`. `now` is a monotonic clock in seconds."""
    site = Site(
        control=control,
        tokens=tokens,
        render_metrics=render_metrics,
        openapi=_document,
        now=now,
        receipts=Receipts(now=now),
        streamer=Streamer(heartbeat_seconds=heartbeat_seconds),
    )
    app = web.Application(
        client_max_size=parse.BODY_BYTES_MAX, middlewares=[_observing(observe), _as_problems]
    )
    app[SITE] = site
    app.on_response_prepare.append(_sign)
    app.on_shutdown.append(_close_streams)
    app.on_cleanup.append(_drain)
    for route in TABLE:
        endpoint = Endpoint(route, site)
        for path in route.paths:
            app.router.add_route(route.method, path, endpoint.__call__)
    return app


@cache
def _document() -> bytes:
    return json.dumps(openapi.document(TABLE, version=__version__), indent=1).encode()


def _observing(observe: ObserveRequest) -> Middleware:
    @web.middleware
    async def observing(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[problems.REQUEST_ID] = request_id = secrets.token_hex(8)
        label = _label(request)
        clock = asyncio.get_running_loop().time
        begun, status, streamed = clock(), CLIENT_LEFT, False
        with structlog.contextvars.bound_contextvars(request_id=request_id), _span(request, label):
            try:
                response = await handler(request)
                status, streamed = response.status, not isinstance(response, web.Response)
                return response
            finally:
                took = clock() - begun
                seconds = None if streamed else took
                observe(method=request.method, route=label, status=status, seconds=seconds)
                # Without the query: clients may put there what does not belong into a log.
                _log.debug(
                    "Request", method=request.method, path=request.path, status=status, seconds=took
                )

    return observing


@web.middleware
async def _as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - the one place where errors become answers
        refusal = problems.refusal_of(error, request_id=request[problems.REQUEST_ID])
        return problems.response(refusal)


def _label(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else UNMATCHED


def _span(request: web.Request, label: str) -> AbstractContextManager[object]:
    """A span for what changes something or belongs to a trace already; polling makes none."""
    parent = request.headers.get("traceparent", "")
    if not parent and request.method == "GET":
        return nullcontext()
    return traces.span(f"{request.method} {label}", parent=parent, kind=SpanKind.SERVER)


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_ALWAYS)
    response.headers["X-Request-Id"] = request[problems.REQUEST_ID]


async def _close_streams(app: web.Application) -> None:
    app[SITE].streamer.closing.set()


async def _drain(app: web.Application) -> None:
    await app[SITE].shelter.drain(DRAIN_SECONDS)
