"""What is killed comes back, and what is healthy is left alone, on real processes."""

from __future__ import annotations

import os
import signal

import pytest
from service_files import WEB_ONE, web

from orca.testing.host import Host, eventually, is_alive
from orca.testing.load import background

DOMAIN = "shop.example"
REPLACED_SECONDS = 10.0
TRUE_STATUS_SECONDS = 5.0
RATE = 50.0


@pytest.fixture(scope="module", autouse=True)
def shop(server: Host) -> None:
    """A service of two replicas, deployed once for all tests."""
    server.write("shop", web(DOMAIN, replicas=2))
    server.deploy()


@pytest.fixture(autouse=True)
def settled(server: Host) -> None:
    """Every test begins with a server and everything ready."""
    if not server.server_pid():
        server.start()
    eventually(server.runs("web", 2), what="web runs")
    eventually(server.serves(DOMAIN), what="web serves")


def container_ids(host: Host) -> set[str]:
    return {str(i["container_id"]) for i in host.instances("web")}


def test_a_killed_container_is_started_again_and_serves(server: Host) -> None:
    victim = server.instances("web")[0]

    server.engine.docker("kill", victim["container_name"])

    eventually(
        lambda: server.instances("web")[0]["attempt"] == victim["attempt"] + 1,
        within=REPLACED_SECONDS,
        what="a new attempt",
    )
    eventually(server.runs("web", 2), within=REPLACED_SECONDS, what="both replicas ready")
    eventually(server.serves(DOMAIN), within=REPLACED_SECONDS)
    assert server.instances("web")[0]["restarts"] == victim["restarts"] + 1


def test_a_removed_container_is_made_again_and_serves(server: Host) -> None:
    victim = server.instances("web")[1]

    server.engine.docker("rm", "-f", victim["container_name"])

    def replaced() -> bool:
        found = server.instances("web")[1]
        return bool(found["ready"]) and found["container_id"] != victim["container_id"]

    eventually(replaced, within=REPLACED_SECONDS, what="another container for the slot")
    eventually(server.serves(DOMAIN), within=REPLACED_SECONDS)
    assert set(server.containers()) == {"orca-web", "orca-web-1"}


def test_all_containers_killed_at_once_serve_again_through_the_proxy(server: Host) -> None:
    server.engine.docker("kill", *server.containers())

    eventually(server.runs("web", 2), within=REPLACED_SECONDS, what="both replicas ready")
    eventually(server.serves(DOMAIN, "one"), within=REPLACED_SECONDS)


def test_requests_of_clients_do_not_notice_a_replica_that_is_killed_while_another_serves(
    server: Host,
) -> None:
    # The request that is inside a killed container is lost with it, so the proxy has to stop
    # asking it: what arrives after the death is answered by the other one.
    server.engine.docker("kill", "orca-web")
    with background(server.ports.http, domain=DOMAIN, rate=RATE) as load:
        eventually(server.runs("web", 2), within=REPLACED_SECONDS)
        report = load.stop()

    assert report.failures == 0, report.reasons


def test_orca_killed_and_started_again_finds_its_containers_untouched(server: Host) -> None:
    before, restarts = container_ids(server), [i["restarts"] for i in server.instances("web")]
    processes = server.etcd_pid(), server.envoy_pid()

    with background(server.ports.http, domain=DOMAIN, rate=RATE) as load:
        server.kill_server()
        assert server.get(DOMAIN).status == 200  # nobody is there to hear of a failure
        server.start()
        eventually(server.runs("web", 2), within=TRUE_STATUS_SECONDS, what="true status")
        report = load.stop()

    assert container_ids(server) == before
    assert report.failures == 0, report.reasons
    assert report.requests > RATE
    assert (server.etcd_pid(), server.envoy_pid()) == processes
    assert [i["restarts"] for i in server.instances("web")] == restarts


def test_orca_shut_down_and_started_again_finds_its_containers_untouched(server: Host) -> None:
    before = container_ids(server)
    envoy, etcd, master = server.envoy_pid(), server.etcd_pid(), server.server_pid()

    with background(server.ports.http, domain=DOMAIN, rate=RATE) as load:
        server.orca("shutdown")
        assert server.get(DOMAIN).status == 200
        assert not is_alive(master)
        assert not is_alive(etcd)
        assert server.envoy_pid() == envoy
        assert len(server.containers(all=False)) == 2
        server.start()
        eventually(server.runs("web", 2), within=TRUE_STATUS_SECONDS, what="true status")
        report = load.stop()

    assert container_ids(server) == before
    assert server.envoy_pid() == envoy
    assert report.failures == 0, report.reasons


def test_sigterm_ends_the_control_plane_like_a_shutdown(server: Host) -> None:
    envoy, etcd, master = server.envoy_pid(), server.etcd_pid(), server.server_pid()

    os.kill(master, signal.SIGTERM)

    eventually(lambda: not is_alive(master), what="orca has ended")
    assert not is_alive(etcd)
    assert server.envoy_pid() == envoy
    assert server.get(DOMAIN).status == 200


def test_what_happened_while_orca_was_away_is_known_when_it_is_back(server: Host) -> None:
    victim = server.instances("web")[0]
    server.kill_server()
    server.engine.docker("rm", "-f", victim["container_name"])

    server.start()

    eventually(server.runs("web", 2), within=REPLACED_SECONDS, what="both replicas ready")
    assert server.instances("web")[0]["container_id"] != victim["container_id"]
    eventually(server.serves(DOMAIN), within=REPLACED_SECONDS)


def test_envoy_killed_alone_is_started_again(server: Host) -> None:
    envoy, before = server.envoy_pid(), container_ids(server)

    os.kill(envoy, signal.SIGKILL)

    eventually(
        lambda: server.envoy_pid() not in (0, envoy), within=REPLACED_SECONDS, what="a new Envoy"
    )
    eventually(server.serves(DOMAIN), within=REPLACED_SECONDS)
    assert container_ids(server) == before


def test_envoy_killed_while_orca_is_away_is_started_again_with_it(server: Host) -> None:
    server.kill_server()
    os.kill(server.envoy_pid(), signal.SIGKILL)

    server.start()

    eventually(server.serves(DOMAIN), within=REPLACED_SECONDS)


def test_etcd_killed_alone_is_started_again_and_takes_changes(server: Host) -> None:
    etcd, before = server.etcd_pid(), container_ids(server)

    with background(server.ports.http, domain=DOMAIN, rate=RATE) as load:
        os.kill(etcd, signal.SIGKILL)
        eventually(
            lambda: server.etcd_pid() not in (0, etcd), within=REPLACED_SECONDS, what="a new etcd"
        )
        eventually(server.runs("web", 2), within=REPLACED_SECONDS)
        report = load.stop()

    assert report.failures == 0, report.reasons
    assert container_ids(server) == before

    def scaled() -> bool:
        return server.orca("scale", "web=3", code=None).code == 0

    eventually(scaled, within=REPLACED_SECONDS, what="orca takes changes again")
    server.orca("scale", "web=2")


def test_a_container_that_nobody_asked_for_is_removed_and_a_strangers_is_not(server: Host) -> None:
    docker = server.engine.docker
    labels = {
        key: docker("inspect", "-f", f'{{{{index .Config.Labels "{key}"}}}}', "orca-web")
        for key in ("orca.cluster", "orca.node", "orca.project", "orca.service", "orca.revision")
    }
    flags = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    server.kill_server()
    docker(
        "run", "-d", "--init", "--name", "orca-ghost", *flags, "--label", "orca.replica=x", WEB_ONE
    )
    docker("run", "-d", "--init", "--name", "orca-web-9", WEB_ONE)
    try:
        server.start()
        eventually(lambda: "orca-ghost" not in server.containers(), what="the orphan is gone")
        assert docker("inspect", "-f", "{{.State.Running}}", "orca-web-9") == "true"
        eventually(server.runs("web", 2), within=TRUE_STATUS_SECONDS)
    finally:
        docker("rm", "-f", "orca-web-9", "orca-ghost", check=False)
