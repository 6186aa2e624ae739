"""`orca shutdown` in its three extents: what ends, what stays, and what was never orca's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from service_files import WEB_ONE, job, web

from orca.processes import listener_of
from orca.testing.engine import DockerEngine
from orca.testing.host import Host, eventually, is_alive, stranger_on

DOMAIN = "shop.example"


@pytest.fixture(autouse=True)
def shop(server: Host) -> None:
    """A service with a volume and a published port, and one behind the proxy; the server runs."""
    if not server.server_pid():
        server.start()
    port = server.ports.https + 1
    volume = '\n[[service.volumes]]\nsource = "data"\ntarget = "/data"\n'
    server.write(
        "shop",
        web(DOMAIN, replicas=2)
        + job(name="store", keys=f'extra_ports = ["{port}:80"]', tables=volume),
    )
    server.deploy()
    if server.service("web")["status"] == "stopped":
        server.orca("start", "--all")
    eventually(server.serves(DOMAIN))


@pytest.fixture
def strangers(engine: DockerEngine) -> Iterator[list[str]]:
    """Things on the same engine that are not orca's, some with names as orca gives them."""
    docker = engine.docker
    docker("network", "create", "orca-shop-private")
    docker("volume", "create", "shop_data_of_mine")
    docker("run", "-d", "--init", "--name", "orca-shop", "--network", "orca-shop-private", WEB_ONE)
    labels = ("--label", "orca.cluster=another", "--label", "orca.replica=1")
    docker("run", "-d", "--init", "--name", "orca-web-7", *labels, WEB_ONE)
    yield ["orca-shop", "orca-web-7"]
    docker("rm", "-fv", "orca-shop", "orca-web-7")
    docker("network", "rm", "orca-shop-private")
    docker("volume", "rm", "shop_data_of_mine")


def ports_in_use(host: Host) -> dict[int, str]:
    ports = host.ports
    numbers = (ports.api, ports.grpc, ports.http, ports.https, ports.https + 1)
    return {n: who for n in numbers if (who := listener_of(n))}


def test_a_plain_shutdown_leaves_services_and_proxy_and_ends_the_rest(server: Host) -> None:
    envoy, etcd, master = server.envoy_pid(), server.etcd_pid(), server.server_pid()
    before = server.containers(all=False)

    done = server.orca("shutdown")

    assert "services run on" in done.out
    assert not is_alive(master)
    assert not is_alive(etcd)
    assert set(server.processes()) == {envoy}
    assert server.containers(all=False) == before
    assert server.get(DOMAIN).status == 200
    assert not {server.ports.api, server.ports.grpc} & set(ports_in_use(server))


def test_shutdown_with_the_proxy_ends_envoy_and_leaves_the_containers(server: Host) -> None:
    before = server.containers(all=False)

    server.orca("shutdown", "--proxy")

    assert server.processes() == {}
    assert server.get(DOMAIN).status == 0
    assert server.containers(all=False) == before

    server.start()
    eventually(server.serves(DOMAIN))
    assert server.containers(all=False) == before


def test_envoy_left_by_a_shutdown_can_be_ended_later(server: Host) -> None:
    server.orca("shutdown")
    assert server.envoy_pid()

    server.orca("shutdown", "--proxy")

    assert server.processes() == {}


def test_shutdown_of_everything_leaves_nothing_of_orca_and_all_of_strangers(
    server: Host, strangers: list[str]
) -> None:
    docker = server.engine.docker

    server.orca("shutdown", "--all", "-y")

    assert server.processes() == {}
    assert ports_in_use(server) == {}
    assert server.containers() == {}
    mine = f"label=orca.cluster={server.cluster}"
    assert docker("network", "ls", "-q", "--filter", mine) == ""
    assert docker("network", "ls", "-q", "--filter", "name=^orca-shop$") == ""
    for each in strangers:
        assert docker("inspect", "-f", "{{.State.Running}}", each) == "true"
    assert docker("network", "ls", "-q", "--filter", "name=orca-shop-private")
    assert docker("volume", "ls", "-q", "--filter", "name=shop_data_of_mine")
    assert docker("volume", "ls", "-q", "--filter", "name=shop_data"), "data is never removed"


def test_after_a_shutdown_of_everything_the_services_can_be_started_again(server: Host) -> None:
    server.orca("shutdown", "--all", "-y")

    server.start()
    assert server.service("web")["status"] == "stopped"
    server.orca("start", "--all")

    eventually(server.runs("web", 2))
    eventually(server.serves(DOMAIN))


def test_a_shutdown_of_everything_asks_first(server: Host) -> None:
    done = server.orca("shutdown", "--all", code=None)

    assert done.code != 0
    assert "-y" in done.said
    assert server.server_pid()
    assert server.runs("web", 2)()


def test_a_shutdown_of_everything_needs_a_server_that_can_stop_services(server: Host) -> None:
    server.orca("shutdown")
    before = server.containers(all=False)

    done = server.orca("shutdown", "--all", "-y", code=3)

    assert "orca server -d" in done.err
    assert server.containers(all=False) == before
    assert server.envoy_pid()


def test_a_shutdown_of_what_does_not_run_says_so(engine: DockerEngine) -> None:
    with Host(engine, cluster="idle") as idle:
        done = idle.orca("shutdown", code=3)

        assert "no orca server runs" in done.err
        assert not idle.home.exists()


def test_a_shutdown_does_not_end_a_stranger_on_the_ports_it_used(server: Host) -> None:
    server.orca("shutdown", "--proxy")
    with stranger_on(server.ports.http):
        done = server.orca("shutdown", "--proxy", code=3)

        assert "no orca server runs" in done.err
        assert listener_of(server.ports.http)
