"""Requests that are wrong, repeated, audited, traced and measured."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import Any

import pytest

from orca import errors
from orca.client.http import OrcaClient
from orca.master.api.parse import BODY_BYTES_MAX
from orca.master.control import Role
from orca.telemetry import traceparent
from orca.testing.api_site import ADMIN, TOKENS, Site, bearer, deploy_of

TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
DEPLOY = deploy_of().model_dump_json().encode()


async def problem_of(
    site: Site, method: str, path: str, *, status: int, **request: Any
) -> dict[str, Any]:
    """Send a request that must be refused; the problem that comes back."""
    headers = bearer() | request.pop("headers", {})
    async with site.raw.request(method, site.url(path), headers=headers, **request) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
        body: dict[str, Any] = await response.json(content_type=None)
    assert body["status"] == status
    assert body["error"] == body["title"]
    return body


async def test_unknown_route_is_a_problem(site: Site) -> None:
    body = await problem_of(site, "GET", "/nothing", status=404)
    assert body["type"] == "not_found"
    assert "openapi.json" in body["hint"]


async def test_wrong_method_names_the_right_ones(site: Site) -> None:
    body = await problem_of(site, "PATCH", "/services/web", status=405)
    assert "DELETE" in body["title"]


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[" * 100_000], ids=["cut", "bytes", "deep"])
async def test_body_that_is_not_json_is_refused(site: Site, data: bytes) -> None:
    body = await problem_of(site, "POST", "/deploy", status=400, data=data)
    assert "not JSON" in body["title"]
    assert site.control.calls == []


async def test_every_fault_of_a_body_is_named_at_once(site: Site) -> None:
    sent = {"services": [{"name": "web", "image": "nginx", "port": 99999, "prot": 1}], "expct": {}}
    body = await problem_of(site, "POST", "/deploy", status=422, json=sent)
    for part in ("services[0].port", "services[0].prot", "expct"):
        assert part in body["title"]
    assert 'did you mean "expect"' in body["title"]


@pytest.mark.parametrize("data", [b"null", b"[]", b"3", b'"x"'])
async def test_body_that_is_no_object_is_refused(site: Site, data: bytes) -> None:
    await problem_of(site, "POST", "/services/web/scale", status=422, data=data)


async def test_body_where_none_is_expected_is_refused(site: Site) -> None:
    sent = {"replicas": 3}
    body = await problem_of(site, "POST", "/services/web/restart", status=422, json=sent)
    assert "replicas" in body["title"]
    assert site.control.calls == []


async def test_missing_body_is_refused_where_something_is_needed(site: Site) -> None:
    body = await problem_of(site, "POST", "/services/web/scale", status=422)
    assert '"replicas" is required' in body["title"]


async def test_faulty_secret_is_not_repeated_in_the_answer(site: Site) -> None:
    sent: dict[str, Any] = {"values": {"A": 99887766}}
    body = await problem_of(site, "POST", "/secrets/import", status=422, json=sent)
    assert "99887766" not in json.dumps(body)
    sent = {"value": 99887766}
    body = await problem_of(site, "PUT", "/secrets/A", status=422, json=sent)
    assert "99887766" not in json.dumps(body)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/status?servcie=web", "servcie"),
        ("/status?service=a&service=b", "more than once"),
        ("/events?after=-1", "after"),
        ("/events?limit=1001", "limit"),
        ("/events?after=x", "after"),
        ("/services/web/logs?tail=-2", "tail"),
        ("/rollouts", "ids"),
        ("/status?watch=maybe", "watch"),
    ],
)
async def test_faulty_query_is_refused_and_named(site: Site, path: str, named: str) -> None:
    body = await problem_of(site, "GET", path, status=422)
    assert named in body["title"]


async def test_body_beyond_the_limit_is_refused(site: Site) -> None:
    data = io.BytesIO(b" " * (BODY_BYTES_MAX + 1))
    body = await problem_of(site, "POST", "/deploy", status=413, data=data)
    assert "8 MiB" in body["title"]


async def test_body_at_the_limit_is_read(site: Site) -> None:
    data = io.BytesIO(DEPLOY + b" " * (BODY_BYTES_MAX - len(DEPLOY) - 1))
    async with site.raw.post(site.url("/deploy"), data=data, headers=bearer()) as response:
        assert response.status == 200


async def test_unforeseen_error_shows_an_id_and_logs_the_rest(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.control.fail_with = RuntimeError("inner detail")
    async with site.raw.get(site.url("/status"), headers=bearer()) as response:
        text = await response.text()
        assert response.status == 500
        request_id = response.headers["X-Request-Id"]
    assert request_id in text
    assert "inner detail" not in text
    assert any(request_id in str(r.msg) and "inner detail" in str(r.msg) for r in caplog.records)


async def test_every_answer_may_not_be_stored_or_sniffed(site: Site) -> None:
    for path in ("/health", "/nothing", "/status?watch=true"):
        async with site.raw.get(site.url(path), headers=bearer()) as response:
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["X-Request-Id"]


# --- idempotency ----------------------------------------------------------------------------------


async def _post(
    site: Site, key: str, data: bytes = DEPLOY, *, path: str = "/deploy", token: str = ADMIN
) -> tuple[int, str, bool]:
    headers = bearer(token) | {"Idempotency-Key": key}
    async with site.raw.post(site.url(path), data=data, headers=headers) as response:
        replayed = response.headers.get("Idempotency-Replayed") == "true"
        return response.status, await response.text(), replayed


async def test_repeated_request_is_answered_and_not_done_again(site: Site) -> None:
    first = await _post(site, "k")
    second = await _post(site, "k")
    assert (first[0], first[2]) == (200, False)
    assert second == (200, first[1], True)
    assert site.control.calls == [("deploy", "admin")]


async def test_other_body_or_path_under_the_same_key_is_a_conflict(site: Site) -> None:
    await _post(site, "k")
    assert (await _post(site, "k", DEPLOY + b" "))[0] == 409
    await _post(site, "l", b"", path="/stop")
    assert (await _post(site, "l", b"", path="/start"))[0] == 409
    assert site.control.calls == [("deploy", "admin"), ("stop", "admin")]


async def test_key_belongs_to_one_token(site: Site) -> None:
    await _post(site, "k")
    assert (await _post(site, "k", token=TOKENS[Role.DEPLOYER]))[2] is False
    assert [who for _, who in site.control.calls] == ["admin", "deployer"]


async def test_failed_request_is_tried_again_under_its_key(site: Site) -> None:
    site.control.fail_with = errors.NoNode("No node is connected.")
    assert (await _post(site, "k"))[0] == 503
    site.control.fail_with = None
    assert (await _post(site, "k"))[::2] == (200, False)


async def test_repetition_of_a_request_under_way_waits_for_it(site: Site) -> None:
    site.control.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(_post(site, "k"))
        while not site.control.calls:
            await asyncio.sleep(0)
        second = tasks.create_task(_post(site, "k"))
        await asyncio.sleep(0.01)
        site.control.hold.set()
    assert second.result() == (*first.result()[:2], True)
    assert len(site.control.calls) == 1


async def test_receipt_expires(site: Site) -> None:
    await _post(site, "k")
    site.clock.now += 24 * 3600 + 1
    assert (await _post(site, "k"))[2] is False


async def test_key_of_any_length_is_not_kept(site: Site) -> None:
    assert (await _post(site, "k" * 201))[0] == 422


async def test_change_goes_on_when_its_client_leaves(site: Site) -> None:
    site.control.hold = asyncio.Event()
    client = await site.client(timeout_seconds=0.02)
    with pytest.raises(errors.DeadlineExceeded):
        await client.deploy(deploy_of())
    async with asyncio.timeout(5):
        while b'status="499"' not in site.metrics.render():
            await asyncio.sleep(0.005)
    site.control.hold.set()
    patient = await site.client()
    async with asyncio.timeout(5):
        while not (await patient.status()).services:
            await asyncio.sleep(0.005)


async def test_server_that_stops_waits_for_a_change(site: Site) -> None:
    site.control.hold = asyncio.Event()
    client = await site.client()
    async with asyncio.TaskGroup() as tasks:
        deploy = tasks.create_task(client.deploy(deploy_of()))
        while not site.control.calls:
            await asyncio.sleep(0.001)
        tasks.create_task(site.server.stop())
        await asyncio.sleep(0.01)
        site.control.hold.set()
    assert deploy.result().deployed[0].service == "shop/web"


# --- audit, traces, metrics -----------------------------------------------------------------------


def audited(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        dict(record.msg)
        for record in caplog.records
        if record.name == "audit" and isinstance(record.msg, dict)
    ]


async def test_change_is_audited_with_who_what_and_outcome(
    site: Site, client: OrcaClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "audit")
    await client.set_secret("DB", "hunter2")
    with pytest.raises(errors.NotFound):
        await client.scale("nope", 2)
    viewer = await site.client(token=TOKENS[Role.VIEWER])
    with pytest.raises(errors.Forbidden):
        await viewer.stop_all()
    stranger = await site.client(token="wrong")
    with pytest.raises(errors.Unauthenticated):
        await stranger.deploy(deploy_of())
    lines = audited(caplog)
    assert [(line["event"], line["who"], line["outcome"], line["status"]) for line in lines] == [
        ("PUT /secrets/{name}", "admin", "ok", 200),
        ("POST /services/{service}/scale", "admin", "not_found", 404),
        ("POST /stop", "viewer", "forbidden", 403),
        ("POST /deploy", "", "unauthenticated", 401),
    ]
    assert lines[0]["target"] == {"name": "DB"}
    assert "hunter2" not in caplog.text


async def test_reading_is_not_audited(client: OrcaClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "audit")
    await client.status()
    await client.plan(deploy_of())
    assert audited(caplog) == []


async def test_replayed_change_is_audited_as_such(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "audit")
    await _post(site, "k")
    await _post(site, "k")
    assert [line["outcome"] for line in audited(caplog)] == ["ok", "replayed"]


async def test_deploy_joins_the_trace_of_its_client(site: Site, client: OrcaClient) -> None:
    above = traceparent.parse(TRACE)
    assert above is not None
    token = traceparent.current.set(above)
    try:
        await client.deploy(deploy_of())
    finally:
        traceparent.current.reset(token)
    seen = traceparent.parse(site.control.traces[-1])
    assert seen is not None
    assert seen.trace_id == above.trace_id


async def test_malformed_traceparent_is_no_reason_to_refuse(site: Site) -> None:
    headers = bearer() | {"traceparent": "rubbish"}
    async with site.raw.post(site.url("/deploy"), data=DEPLOY, headers=headers) as response:
        assert response.status == 200


async def test_requests_are_counted_by_template_and_never_by_path(
    site: Site, client: OrcaClient
) -> None:
    with pytest.raises(errors.NotFound):
        await client.history("secret-project/name")
    async with site.raw.get(site.url("/random/path"), headers=bearer()):
        pass
    text = await client.metrics()
    assert 'route="/api/v1/services/{service}/history",status="404"' in text
    assert 'route="unmatched",status="404"' in text
    assert "secret-project" not in text
    assert "random" not in text


async def test_access_log_has_no_query(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with site.raw.get(site.url("/events?service=private-name"), headers=bearer()):
        pass
    ours = [str(r.msg) for r in caplog.records if r.name.startswith("orca")]
    assert any("/api/v1/events" in line for line in ours)
    assert not any("private-name" in line for line in ours)
