"""The route table as an OpenAPI 3.1 document, and nothing that is not in the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from orca.client import schema
from orca.master.api import problems
from orca.master.api.routes import Route, Stream

REF_TEMPLATE = "#/components/schemas/{model}"

Json = dict[str, Any]
_Models = Mapping[tuple[Any, JsonSchemaMode], Json]

_SOCKET_FRAMES: tuple[type[BaseModel], ...] = (
    schema.ExecOpen,
    schema.ExecResize,
    schema.ExecEof,
    schema.ExecOpened,
    schema.ExecExit,
    schema.ExecError,
)
_STREAM_TYPES = {Stream.EVENTS: "text/event-stream", Stream.LINES: "application/x-ndjson"}


def document(table: Iterable[Route[Any, Any]], *, version: str) -> Json:
    """The whole API; `version` is orca's."""
    routes = tuple(table)
    models, definitions = _models(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        for path in route.paths:
            alias = path != route.paths[0]
            operation = _operation(route, models) | {"operationId": _operation_id(route, alias)}
            paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "orca", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    }


def _models(routes: tuple[Route[Any, Any], ...]) -> tuple[_Models, Json]:
    """Every model that a body is made of, as a reference, and what the references point to."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    received: Literal["validation"] = "validation"
    sent: Literal["serialization"] = "serialization"
    for route in routes:
        if route.takes_body:
            wanted[route.body, received] = None
        for model in (route.response, route.item):
            if model is not None:
                wanted[model, sent] = None
    for frame in _SOCKET_FRAMES:
        wanted[frame, received if issubclass(frame, schema.Request) else sent] = None
    wanted[schema.Problem, sent] = None
    made, definitions = models_json_schema(list(wanted), ref_template=REF_TEMPLATE)
    return made, definitions["$defs"]


def _operation_id(route: Route[Any, Any], alias: bool) -> str:
    name = route.handler.__name__
    return f"{name}_unprefixed" if alias else name


def _operation(route: Route[Any, Any], models: _Models) -> Json:
    operation: Json = {
        "summary": route.summary,
        "parameters": list(_parameters(route)),
        "responses": {**_responses(route, models), "default": _problem(models)},
    }
    if route.role is None:
        operation["security"] = []
    else:
        operation["x-orca-role"] = route.role.name.lower()
    if route.takes_body:
        required = any(field.is_required() for field in route.body.model_fields.values())
        content = {"application/json": {"schema": models[route.body, "validation"]}}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _parameters(route: Route[Any, Any]) -> Iterator[Json]:
    for name in route.parameters:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    described = route.query.model_json_schema()
    for name, told in described.get("properties", {}).items():
        told = dict(told)
        told.pop("title", None)
        yield {
            "name": name,
            "in": "query",
            "required": name in described.get("required", ()),
            "description": told.pop("description", ""),
            "schema": told,
        }
    yield from _headers(route)


def _headers(route: Route[Any, Any]) -> Iterator[Json]:
    text = {"type": "string"}
    if route.method == "POST" and route.changes:
        told = "The same request again under the same key is answered, not done again"
        yield {"name": "Idempotency-Key", "in": "header", "description": told, "schema": text}
    if route.item is schema.EventView:
        told = "Go on after this sequence number"
        yield {"name": "Last-Event-ID", "in": "header", "description": told, "schema": text}


def _responses(route: Route[Any, Any], models: _Models) -> Json:
    if route.stream is Stream.SOCKET:
        frames = [
            models[frame, "validation" if issubclass(frame, schema.Request) else "serialization"]
            for frame in _SOCKET_FRAMES
        ]
        told = "A WebSocket; its text frames are `x-orca-frames`, binary ones channel and bytes"
        return {"101": {"description": told, "x-orca-frames": frames}}
    content: Json = {}
    if route.response is not None:
        content["application/json"] = {"schema": models[route.response, "serialization"]}
    if route.item is not None:
        content[_STREAM_TYPES[route.stream]] = {"schema": models[route.item, "serialization"]}
    answers: Json = {"200": {"description": "Done", "content": content}}
    if route.public and route.response is not None:
        answers["503"] = {"description": "Not ready", "content": content}
    return answers if content else {"200": {"description": "Text"}}


def _problem(models: _Models) -> Json:
    body = {"schema": models[schema.Problem, "serialization"]}
    return {"description": "What went wrong", "content": {problems.CONTENT_TYPE: body}}
