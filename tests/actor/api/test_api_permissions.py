"""Every route against every kind of caller."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from orca.client import schema
from orca.master.api.routes import TABLE, Route, Stream
from orca.master.control import Role
from orca.testing.api_site import ADMIN, TOKENS, Site, bearer, spec

CALLERS: dict[str, str | None] = {
    "nobody": None,
    "stranger": "wrong-token",
    **{role.name.lower(): token for role, token in TOKENS.items()},
}
BODIES: dict[type[schema.Request], dict[str, object]] = {
    schema.DeployRequest: {"services": [{"name": "web", "project": "shop", "image": "nginx:1"}]},
    schema.Selection: {"services": ["shop/web"]},
    schema.ScaleRequest: {"replicas": 2},
    schema.RollbackRequest: {"to": 1},
    schema.SecretValue: {"value": "x"},
    schema.SecretImport: {"values": {"A": "x"}},
}


def _id(route: Route[Any, Any]) -> str:
    return f"{route.method} {route.path}"


def expected(route: Route[Any, Any], caller: str) -> int:
    """The status that the role table promises; 0 is any success."""
    if route.public:
        return 0
    if caller in ("nobody", "stranger"):
        return 401
    assert route.role is not None
    return 0 if Role[caller.upper()] >= route.role else 403


async def _prepare(site: Site) -> None:
    site.control.kept["", "A"] = "x"
    client = await site.client()
    for image in ("nginx:1", "nginx:2"):
        await client.deploy(schema.DeployRequest(services=(spec(image=image),)))
    site.control.calls.clear()


async def _status(site: Site, route: Route[Any, Any], path: str, token: str | None) -> int:
    url = site.server.url + path.format(service="shop%2Fweb", project="shop", name="A")
    headers = bearer(token) if token else {}
    if route.stream is Stream.SOCKET:
        headers |= {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
    async with site.raw.request(
        route.method,
        URL(url + ("?ids=r1" if route.path == "/rollouts" else ""), encoded=True),
        headers=headers,
        json=BODIES.get(route.body),
    ) as response:
        return response.status


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", TABLE, ids=_id)
async def test_route_admits_exactly_the_callers_of_its_role(
    site: Site, route: Route[Any, Any], caller: str
) -> None:
    await _prepare(site)
    for path in route.paths:
        if route.path == "/secrets/{name}" and route.method == "DELETE":
            site.control.kept["", "A"] = "x"
        status = await _status(site, route, path, CALLERS[caller])
        wanted = expected(route, caller)
        assert status == wanted if wanted else status in (200, 101)
    if expected(route, caller):
        assert site.control.calls == []


def test_roles_are_the_documented_ones() -> None:
    admin = {_id(route) for route in TABLE if route.role is Role.ADMIN}
    assert admin == {
        "DELETE /services/{service}",
        "DELETE /projects/{project}",
        "POST /services/remove",
        "POST /stop",
        "POST /start",
        "PUT /secrets/{name}",
        "POST /secrets/import",
        "DELETE /secrets/{name}",
        "POST /config/reload",
    }
    assert {_id(route) for route in TABLE if route.public} == {"GET /health"}


def test_viewer_can_call_nothing_that_changes_anything() -> None:
    assert not [_id(r) for r in TABLE if r.changes and r.role in (None, Role.VIEWER)]


async def test_token_works_whatever_the_case_of_its_scheme(site: Site) -> None:
    headers = {"Authorization": f"bearer {ADMIN}"}
    async with site.raw.get(site.url("/status"), headers=headers) as response:
        assert response.status == 200


async def test_token_in_the_query_is_no_token(site: Site) -> None:
    async with site.raw.get(site.url(f"/status?token={ADMIN}")) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_revoked_token_is_refused_at_once(site: Site) -> None:
    site.tokens.replace([])
    headers = bearer(TOKENS[Role.VIEWER])
    async with site.raw.get(site.url("/status"), headers=headers) as response:
        assert response.status == 401


async def test_guessing_is_braked_and_a_valid_token_is_not(site: Site) -> None:
    statuses = []
    for number in range(62):
        headers = bearer(f"guess-{number}")
        async with site.raw.get(site.url("/status"), headers=headers) as response:
            statuses.append(response.status)
            after = response.headers.get("Retry-After")
    assert statuses == [401] * 60 + [429] * 2
    assert after == "60"
    async with site.raw.get(site.url("/status"), headers=bearer()) as response:
        assert response.status == 200
    site.clock.now += 61
    async with site.raw.get(site.url("/status"), headers=bearer("guess")) as response:
        assert response.status == 401
