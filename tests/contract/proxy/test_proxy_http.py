"""What clients and applications see of HTTP through the proxy, on a real Envoy."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from dataclasses import replace

import aiohttp
import pytest
from proxy_upstreams import API, WEB, Upstream, World
from yarl import URL

from orca.model.ids import ReplicaId
from orca.model.route import Backend, Endpoint, Route, RouteTable


async def test_login_keeps_every_cookie_and_the_redirect(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/login", method="POST", data={"user": "ada"}) as answer:
        cookies = answer.headers.getall("Set-Cookie")
        assert answer.status == 302
        assert answer.headers["Location"] == "/account?next=%2Fhome"
    assert [c.split("=")[0] for c in cookies] == ["AUTH_SESSION_ID", "KC_RESTART", "KC_STATE"]


async def test_request_carries_who_asked_for_what(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/a%2Fb?q=1&q=2", host="shop.test:8080") as answer:
        seen = await answer.json()
    headers = seen["headers"]
    assert seen["path"] == "/a%2Fb?q=1&q=2"
    assert headers["host"] == "shop.test:8080"
    # Envoy names a client on the loopback by the host's own address.
    assert str(ipaddress.ip_address(headers["x-forwarded-for"])) == headers["x-forwarded-for"]
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == "shop.test:8080"
    assert headers["x-forwarded-port"] == str(world.settings.http_port)
    assert len(headers["x-request-id"]) == 36


FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "public.test",
    "X-Request-Id": "chosen-by-client",
    "X-Envoy-Retry-On": "5xx",
    "X-Envoy-Upstream-Rq-Timeout-Ms": "1",
}


async def test_forged_headers_are_overwritten_without_a_trusted_hop(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    async with world.get(headers=FORGED) as answer:
        headers = (await answer.json())["headers"]
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == "shop.test"
    assert headers["x-forwarded-for"].rpartition(",")[2] not in ("", "203.0.113.9")
    assert headers["x-request-id"] != "chosen-by-client"
    assert not {"x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms"} & headers.keys()


async def test_forwarded_headers_are_kept_behind_a_trusted_hop(
    world: World, upstream: Upstream
) -> None:
    world.envoy.configure(replace(world.settings, trusted_hops=1))
    await world.serve(upstream.endpoint())
    async with world.get(headers=FORGED) as answer:
        headers = (await answer.json())["headers"]
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-host"] == "public.test"
    assert headers["x-forwarded-for"].startswith("203.0.113.9,")
    assert headers["x-request-id"] == "chosen-by-client"


async def test_hop_by_hop_headers_end_at_the_proxy(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    hop = {"Connection": "keep-alive", "Keep-Alive": "timeout=9", "Proxy-Connection": "keep-alive"}
    hop["Connection"] += ", x-private"
    async with world.get(headers=hop | {"TE": "gzip", "X-Private": "1"}) as answer:
        headers = (await answer.json())["headers"]
        assert "keep-alive" not in answer.headers
    assert not {"keep-alive", "proxy-connection", "te", "x-private"} & headers.keys()


@pytest.mark.parametrize(
    ("sent", "seen"), [("/a//b", "/a//b"), ("/a%2Fb", "/a%2Fb"), ("/a/../b/./c", "/b/c")]
)
async def test_path_reaches_the_application_as_sent_but_for_dot_segments(
    world: World, upstream: Upstream, sent: str, seen: str
) -> None:
    await world.serve(upstream.endpoint())
    url = URL(world.url + sent, encoded=True)
    async with world.client.get(url, headers={"Host": "shop.test"}) as answer:
        assert (await answer.json())["path"] == seen


async def test_dot_segments_do_not_lead_around_a_route(world: World, upstream: Upstream) -> None:
    routes = (
        Route(domain="shop.test", path="/public", service=WEB),
        Route(domain="shop.test", path="/admin", service=API),
    )
    await world.envoy.apply(
        RouteTable(
            routes=routes, backends=(Backend(service=WEB, endpoints=(upstream.endpoint(),)),)
        )
    )
    url = URL(world.url + "/public/../admin", encoded=True)
    async with world.client.get(url, headers={"Host": "shop.test"}) as answer:
        assert "no ready replica of shop/api" in await answer.text()


async def test_headers_beyond_the_limit_are_refused(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    many = {f"X-Filler-{n}": "x" * 1000 for n in range(100)}
    async with world.get(headers=many) as answer:
        assert answer.status == 431
    async with world.get(headers=dict(list(many.items())[:60])) as answer:
        assert answer.status == 200


async def test_websocket_is_carried_both_ways(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.client.ws_connect(
        world.url + "/ws",
        headers={"Host": "shop.test"},
        timeout=aiohttp.ClientWSTimeout(ws_close=2),
    ) as socket:
        for word in ("hello", "again"):
            await socket.send_str(word)
            assert (await socket.receive()).data == f"one: {word}"


async def test_body_streams_both_ways_before_the_request_ends(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    heard = asyncio.Event()

    async def body() -> object:  # type: ignore[misc]
        yield b"first"
        await heard.wait()
        yield b"second"

    async with world.get("/echo", method="POST", data=body()) as answer:
        assert await answer.content.readany() == b"first"
        heard.set()
        assert await answer.content.read() == b"second"


async def test_event_stream_arrives_as_it_is_sent(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/events") as answer:
        assert await answer.content.readline() == b"data: first\n"
        upstream.release.set()
        assert b"data: second" in await answer.content.read()


async def test_large_body_passes_whole(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/sink", method="PUT", data=b"x" * 900_000) as answer:
        assert (await answer.json())["body_bytes"] == 900_000


async def test_unknown_host_is_404_naming_it(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/x", host="nobody.test") as answer:
        assert answer.status == 404
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await answer.text() == "orca: nothing is routed at nobody.test/x\n"


async def test_service_without_replicas_is_503_naming_it(world: World) -> None:
    await world.serve()
    async with world.get() as answer:
        assert answer.status == 503
        assert await answer.text() == "orca: no ready replica of shop/web\n"


async def test_routed_service_the_master_sent_no_backend_for_is_503(world: World) -> None:
    await world.envoy.apply(RouteTable(routes=(Route(domain="a.test", path="/", service=API),)))
    assert await world.text(host="a.test") == "orca: no ready replica of shop/api\n"


async def test_own_error_answers_of_the_application_pass_unchanged(
    world: World, upstream: Upstream
) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/echo") as answer:  # the application only takes POST here
        assert answer.status == 200
        assert answer.headers["X-Replica"] == "one"
        assert "Python" in answer.headers["Server"]


async def test_longest_path_and_nearest_domain_win(world: World, upstream: Upstream) -> None:
    other = await world.start_upstream("two")
    await world.envoy.apply(
        RouteTable(
            routes=(
                Route(domain="shop.test", path="/", service=WEB),
                Route(domain="shop.test", path="/api", service=API),
                Route(domain="www.shop.test", path="/", service=WEB),
                Route(domain="*.shop.test", path="/", service=API),
            ),
            backends=(
                Backend(service=WEB, endpoints=(upstream.endpoint(),)),
                Backend(service=API, endpoints=(other.endpoint(),)),
            ),
        )
    )
    found = {
        (host, path): json.loads(await world.text(path, host=host))["name"]
        for host in ("SHOP.test", "www.shop.test:81", "a.b.shop.test")
        for path in ("/", "/api", "/api/x", "/apix")
    }
    assert found == {
        ("SHOP.test", "/"): "one",
        ("SHOP.test", "/api"): "two",
        ("SHOP.test", "/api/x"): "two",
        ("SHOP.test", "/apix"): "one",
        **{("www.shop.test:81", path): "one" for path in ("/", "/api", "/api/x", "/apix")},
        **{("a.b.shop.test", path): "two" for path in ("/", "/api", "/api/x", "/apix")},
    }


async def test_refused_connection_is_retried_elsewhere_even_for_a_post(
    world: World, upstream: Upstream
) -> None:
    gone = await world.start_upstream("gone")
    endpoint = gone.endpoint()
    await gone.stop()
    await world.serve(upstream.endpoint(), endpoint)
    for _ in range(20):
        async with world.get("/pay", method="POST", data=b"once") as answer:
            assert answer.status == 200
    assert upstream.requests == 20


async def test_only_endpoint_refusing_is_503_naming_the_service(world: World) -> None:
    gone = await world.start_upstream("gone")
    endpoint = gone.endpoint()
    await gone.stop()
    await world.serve(endpoint)
    async with world.get() as answer:
        assert answer.status == 503
        assert await answer.text() == "orca: no replica of shop/web accepts connections\n"


async def test_request_the_application_dropped_is_not_sent_twice(world: World) -> None:
    received = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        received += 1
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await world.serve(Endpoint(replica=ReplicaId("r"), address="127.0.0.1", port=port))
        async with world.get("/pay", method="POST", data=b"once") as answer:
            assert answer.status == 503
    assert received == 1


async def test_http2_with_prior_knowledge_is_understood(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    curl = await asyncio.create_subprocess_exec(
        *("curl", "-s", "--http2-prior-knowledge", "-w", "%{http_version}", "-o", "/dev/null"),
        *("-H", "Host: shop.test", world.url),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await curl.communicate()
    assert out == b"2"


async def test_access_log_has_one_line_per_request(world: World, upstream: Upstream) -> None:
    await world.serve(upstream.endpoint())
    async with world.get("/seen?secret=1") as answer:
        await answer.read()
    log = world.settings.directory / "access.log"
    async with asyncio.timeout(5):
        while not log.stat().st_size:
            await asyncio.sleep(0.05)
    line = json.loads(log.read_text().splitlines()[0])
    assert (line["status"], line["host"], line["service"]) == (200, "shop.test", "shop/web")
    assert line["endpoint"] == f"127.0.0.1:{upstream.port}"
    assert log.parent.stat().st_mode & 0o077 == 0


async def test_access_log_stays_empty_when_switched_off(world: World, upstream: Upstream) -> None:
    world.envoy.configure(replace(world.settings, access_log=False))
    await world.serve(upstream.endpoint())
    assert await world.status() == 200
    await world.envoy.stop(drain_seconds=0)  # flushes
    assert not (world.settings.directory / "access.log").exists()
