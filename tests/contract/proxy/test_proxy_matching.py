"""Envoy decides as `orca.proxy.matching` says: generated tables, generated requests, both asked."""

from __future__ import annotations

import random

import aiohttp
from proxy_upstreams import World

from orca.model.ids import ServiceId
from orca.model.route import Route, RouteTable
from orca.proxy.matching import match

_DOMAINS = ("a.test", "b.a.test", "*.a.test", "*.b.a.test", "C.test", "*")
_HOSTS = ("a.test", "A.Test:81", "b.a.test", "x.a.test", "x.b.a.test", "c.test", "other.test")
_SEGMENTS = ("a", "ab", "b")


def _random_path(rng: random.Random, *, final_slash: bool = True) -> str:
    path = "".join(f"/{rng.choice(_SEGMENTS)}" for _ in range(rng.randrange(4)))
    return path + ("/" if final_slash and rng.random() < 0.3 else "") or "/"


def _random_table(rng: random.Random) -> RouteTable:
    routes = tuple(
        Route(
            domain=rng.choice(_DOMAINS),
            path=_random_path(rng),
            service=ServiceId("p", f"s{number}"),
        )
        for number in range(rng.randrange(1, 25))
    )
    return RouteTable(routes=routes)


async def _envoys_choice(client: aiohttp.ClientSession, url: str, host: str) -> ServiceId | None:
    async with client.get(url, headers={"Host": host}) as answer:
        text = await answer.text()
        if answer.status == 404:
            return None
        return ServiceId.parse(text.split()[-1])  # "… no ready replica of p/s1"


async def test_envoy_chooses_the_service_that_the_reference_chooses(world: World) -> None:
    rng = random.Random(20)  # noqa: S311  has to be the same every time
    compared = 0
    for _ in range(15):
        table = _random_table(rng)
        await world.envoy.apply(table)
        for _ in range(40):
            host, path = rng.choice(_HOSTS), _random_path(rng) + rng.choice(("", "?q=/a/b"))
            expected = match(table, host=host, path=path)
            chosen = await _envoys_choice(world.client, world.url + path, host)
            assert chosen == expected, (host, path, table)
            compared += expected is not None
    assert compared > 200
