"""The route table and what is read off it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from orca.client import schema
from orca.master.api import handlers, openapi, queries
from orca.master.api.call import NoBody
from orca.master.api.routes import TABLE, Route, Stream
from orca.master.control import Role

DOCUMENT = openapi.document(TABLE, version="1.2.3")


def route(**more: Any) -> Route[Any, Any]:
    given: dict[str, Any] = {
        "method": "GET",
        "path": "/x",
        "role": Role.VIEWER,
        "summary": "",
        "handler": handlers.info,
        "query": queries.Query,
        "body": NoBody,
        "response": schema.ClusterInfo,
    }
    return Route(**given | more)


def test_route_without_a_role_does_not_build() -> None:
    with pytest.raises(ValueError, match="GET /x"):
        route(role=None)
    with pytest.raises(TypeError, match="role"):
        Route(method="GET", path="/x")  # type: ignore[call-arg]


def test_public_route_with_a_role_does_not_build() -> None:
    with pytest.raises(ValueError, match="not both"):
        route(public=True)


def test_stream_without_items_does_not_build() -> None:
    with pytest.raises(ValueError, match="stream"):
        route(stream=Stream.LINES)


def test_no_two_routes_are_the_same() -> None:
    seen = [(each.method, path) for each in TABLE for path in each.paths]
    assert len(seen) == len(set(seen))


def test_everything_that_is_not_a_plain_read_is_audited() -> None:
    unaudited = {(r.method, r.path) for r in TABLE if not r.changes and r.method != "GET"}
    assert unaudited == {("POST", "/plan")}
    assert next(r for r in TABLE if r.stream is Stream.SOCKET).changes


# --- OpenAPI --------------------------------------------------------------------------------------


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_document_has_every_route_and_no_other() -> None:
    described = {(method, path) for method, path, _ in operations()}
    assert described == {(each.method, path) for each in TABLE for path in each.paths}


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    schemas = DOCUMENT["components"]["schemas"]
    assert len(found) > 20
    assert {ref.removeprefix("#/components/schemas/") for ref in found} <= set(schemas)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in schemas)


def test_operation_ids_are_unique_and_path_parameters_declared() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    for _, path, operation in operations():
        declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path))


def test_document_says_who_may_and_what_goes_wrong() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["security"] == [{"bearer": []}]
    for method, path, operation in operations():
        public = path == "/api/v1/health"
        assert ("security" in operation) is public
        assert ("x-orca-role" in operation) is not public
        problem = operation["responses"]["default"]["content"]
        assert list(problem) == ["application/problem+json"], (method, path)


def test_streams_and_bodies_are_described() -> None:
    paths = DOCUMENT["paths"]
    status = paths["/api/v1/status"]["get"]
    assert set(status["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert {p["name"] for p in status["parameters"]} == {"project", "service", "watch"}
    logs = paths["/api/v1/services/{service}/logs"]["get"]
    assert set(logs["responses"]["200"]["content"]) == {"application/x-ndjson"}
    assert "101" in paths["/api/v1/services/{service}/exec"]["get"]["responses"]
    rollback = paths["/api/v1/services/{service}/rollback"]["post"]["requestBody"]
    assert rollback["required"] is False
    assert paths["/api/v1/deploy"]["post"]["requestBody"]["required"] is True
    ids = paths["/api/v1/rollouts"]["get"]["parameters"][0]
    assert (ids["name"], ids["required"]) == ("ids", True)


def test_every_schema_is_a_valid_json_schema() -> None:
    for described in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(described)


def test_page_of_the_documentation_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "scripts")
    import gen_api_docs

    monkeypatch.delitem(sys.modules, "gen_api_docs")
    assert gen_api_docs.PAGE.read_text(encoding="utf-8") == gen_api_docs.page()


def test_every_request_of_the_api_refuses_unknown_keys() -> None:
    for each in TABLE:
        model: type[BaseModel]
        for model in (each.body, each.query):
            assert model.model_config.get("extra") == "forbid", model
