"""A route at work: admit, parse, audit, answer.

The order is the safety of it. Nothing of a request is looked at before its token and role were; nothing
changes before the whole request was found valid; and every change leaves a line in the audit log, also
when it was refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from orca import errors
from orca.client import schema
from orca.master.api import audit, auth, parse, problems, sockets
from orca.master.api.call import Call, Events, Json, Lines, Socket, Text
from orca.master.api.receipts import Kept, Receipts, fingerprint
from orca.master.api.routes import Route, Stream
from orca.master.api.shelter import Shelter
from orca.master.api.streams import Streamer
from orca.master.control import ControlPlane, Principal
from orca.telemetry import traceparent


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all endpoints share."""

    control: ControlPlane
    tokens: auth.TokenBook
    render_metrics: Callable[[], bytes]
    openapi: Callable[[], bytes]
    now: Callable[[], float]
    receipts: Receipts
    streamer: Streamer
    brake: auth.FailureBrake = field(default_factory=auth.FailureBrake)
    shelter: Shelter = field(default_factory=Shelter)


class Endpoint:
    """Answers the requests of one route."""

    def __init__(self, route: Route[Any, Any], site: Site) -> None:
        self.route = route
        self._site = site

    def __repr__(self) -> str:
        return f"Endpoint({self.route.method} {self.route.path})"

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer a request. Raises `OrcaError` and `Refusal`, which the app turns into problems."""
        record = audit.Record(self.route, request)
        try:
            record.caller = self._admit(request, record)
            data = await parse.read(request) if request.can_read_body else b""
            call = self._parse(request, data, record.caller)
        except Exception as error:
            record.failed(error)
            raise
        if self.route.changes and self.route.stream is Stream.NONE:
            change = self._change(request, call, data)
            return await self._site.shelter.run(record.kept_of(change))
        return await record.kept_of(self._answer(request, call))

    def _admit(self, request: web.Request, record: audit.Record) -> Principal | None:
        """Who calls. Raises `Unauthenticated`, `Forbidden`, or a `Refusal` for guessing."""
        if self.route.role is None:
            return None
        token = auth.bearer(request.headers.get("Authorization", ""))
        caller = self._site.tokens.principal_of(token) if token else None
        if caller is None:
            self._brake(request.remote or "")
            raise _unauthenticated(token)
        record.caller = caller
        if caller.role < self.route.role:
            raise errors.Forbidden(
                f"The token {caller.name!r} is for a {caller.role.name.lower()}; this needs a"
                f" {self.route.role.name.lower()}.",
                hint="Use a token with that role.",
            )
        return caller

    def _brake(self, address: str) -> None:
        wait_seconds = self._site.brake.record(address, self._site.now())
        if wait_seconds:
            raise problems.too_many_failures(wait_seconds)

    def _parse(self, request: web.Request, data: bytes, caller: Principal | None) -> Call[Any, Any]:
        accept = request.headers.get("Accept", "")
        return Call(
            control=self._site.control,
            caller=caller,
            path=request.match_info,
            query=parse.query(self.route.query, request.query),
            body=_traced(parse.body(self.route.body, data)),
            streaming=self.route.stream is Stream.EVENTS and "text/event-stream" in accept,
            resume_after=parse.last_event_id(request.headers),
            render_metrics=self._site.render_metrics,
            openapi=self._site.openapi,
        )

    async def _answer(self, request: web.Request, call: Call[Any, Any]) -> web.StreamResponse:
        answer = await self.route.handler(call)
        match answer:
            case Events() | Lines():
                return await self._site.streamer.send(request, answer)
            case Socket():
                closing = self._site.streamer.closing
                return await sockets.serve(request, answer, closing=closing)
            case Text():
                headers = {"Content-Type": answer.content_type}
                return web.Response(body=answer.data, headers=headers)
            case Json():
                return _response_of(_kept(answer.body, answer.status))
        return _response_of(_kept(answer))

    async def _change(
        self, request: web.Request, call: Call[Any, Any], data: bytes
    ) -> web.StreamResponse:
        """Do a change, but not again for a request that is repeated under its key."""
        key = request.headers.get("Idempotency-Key", "")
        if not key or request.method != "POST":
            return _response_of(await self._done(call))
        mark = fingerprint(request.method.encode(), request.raw_path.encode(), data)
        scope = (call.by.name, key)
        kept, repeated = await self._site.receipts.once(scope, mark, lambda: self._done(call))
        response = _response_of(kept)
        if repeated:
            response.headers[audit.REPLAYED] = "true"
        return response

    async def _done(self, call: Call[Any, Any]) -> Kept:
        answer = await self.route.handler(call)
        if not isinstance(answer, BaseModel):
            raise TypeError(f"{self!r} is a change and must answer with one body")
        return _kept(answer)


def _kept(body: BaseModel, status: int = 200) -> Kept:
    return Kept(
        status=status, body=body.model_dump_json().encode(), content_type="application/json"
    )


def _response_of(kept: Kept) -> web.Response:
    return web.Response(body=kept.body, status=kept.status, content_type=kept.content_type)


def _unauthenticated(token: str) -> errors.Unauthenticated:
    what = "This token is not valid." if token else "This needs a token."
    return errors.Unauthenticated(
        what,
        hint="Send `Authorization: Bearer <token>`; the admin token is in cluster.token of the"
        " server's home.",
    )


def _traced(body: BaseModel) -> BaseModel:
    """A deploy that names no trace of its own joins the one of the request."""
    here = traceparent.current.get()
    if here is None or not isinstance(body, schema.DeployRequest) or body.trace:
        return body
    return body.model_copy(update={"trace": str(here)})
