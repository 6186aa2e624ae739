"""dockerd is restarted under a running orca, with its live-restore option and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from service_files import build_images, web

from orca.testing.engine import DockerEngine
from orca.testing.host import Host, eventually
from orca.testing.load import background

DOMAIN = "shop.example"
BACK_SECONDS = 10.0
"""From the daemon's return until everything serves."""
NOTICED_SECONDS = 10.0


@pytest.fixture(scope="module", params=[True, False], ids=["live-restore", "no-live-restore"])
def shop(request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host whose engine is its own, with two replicas behind the proxy."""
    with DockerEngine(live_restore=request.param) as engine, Host(engine) as host:
        build_images(engine)
        host.start()
        host.write("shop", web(DOMAIN, replicas=2))
        host.deploy()
        eventually(host.serves(DOMAIN))
        yield host


def keeps_containers(host: Host) -> bool:
    return host.engine.live_restore


def node(host: Host) -> dict[str, object]:
    found: dict[str, object] = host.status()["nodes"][0]
    return found


def test_a_restarted_dockerd_finds_its_containers_serving_again(shop: Host) -> None:
    before = {i["container_id"]: i for i in shop.instances("web")}

    with background(shop.ports.http, domain=DOMAIN, rate=50) as load:
        shop.engine.restart()
        eventually(shop.serves(DOMAIN), within=BACK_SECONDS)
        eventually(shop.runs("web", 2), within=BACK_SECONDS, what="status says that it runs")
        eventually(lambda: node(shop)["status"] == "ready", within=BACK_SECONDS)
        report = load.stop()

    after = {i["container_id"]: i for i in shop.instances("web")}
    assert set(after) == set(before), "containers are started again, not replaced"
    if keeps_containers(shop):
        assert report.failures == 0, report.reasons
        started = {id: i["started_at"] for id, i in before.items()}
        assert {id: i["started_at"] for id, i in after.items()} == started
    assert [i["restarts"] for i in after.values()] == [0, 0], "the daemon's end is no crash"


def test_status_tells_the_truth_while_dockerd_is_away(shop: Host) -> None:
    shop.engine.stop()
    try:
        eventually(lambda: node(shop)["status"] == "docker_down", within=NOTICED_SECONDS)
        if keeps_containers(shop):
            assert shop.get(DOMAIN).status == 200
            assert shop.service("web")["ready_replicas"] == 2
        else:
            eventually(lambda: shop.service("web")["ready_replicas"] == 0, within=NOTICED_SECONDS)
            assert shop.get(DOMAIN).status == 503
            assert shop.service("web")["status"] != "running"
        said = shop.orca("status", "-o", "wide").out
        assert "docker_down" in said
        assert "Docker" in str(node(shop)["reason"])
    finally:
        shop.engine.start()

    eventually(shop.serves(DOMAIN), within=BACK_SECONDS)
    eventually(shop.runs("web", 2), within=BACK_SECONDS)


def test_a_dockerd_killed_outright_loses_nothing(shop: Host) -> None:
    before = set(shop.containers())

    shop.engine.kill()
    shop.engine.start()

    eventually(shop.serves(DOMAIN), within=BACK_SECONDS)
    eventually(shop.runs("web", 2), within=BACK_SECONDS)
    assert set(shop.containers()) == before


def test_a_deploy_while_dockerd_is_away_is_refused_and_changes_nothing(shop: Host) -> None:
    shop.engine.stop()
    try:
        eventually(lambda: node(shop)["status"] == "docker_down", within=NOTICED_SECONDS)
        shop.write("shop", web(DOMAIN, image="shop/web:2", replicas=2))
        done = shop.deploy(code=7)
        assert "Docker" in done.err
        assert shop.service("web")["revision"] == 1
    finally:
        shop.engine.start()
    eventually(shop.runs("web", 2), within=BACK_SECONDS)
    assert shop.service("web")["image"] == "shop/web:1"
