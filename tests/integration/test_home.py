"""Parts of the home are lost while orca is away: what `docs/operations.md` says of each is so."""

from __future__ import annotations

import shutil

import pytest
from service_files import job, web

from orca.testing.host import Host, eventually

DOMAIN = "shop.example"


@pytest.fixture(autouse=True)
def shop(server: Host) -> None:
    if not server.server_pid():
        server.start()
    server.write("shop", web(DOMAIN, replicas=2) + job(keys='secrets = ["KEY"]'))
    server.orca("secrets", "set", "KEY", stdin="value")
    server.deploy()
    eventually(server.serves(DOMAIN))


def lose(host: Host, *names: str) -> None:
    for name in names:
        path = host.home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.mark.parametrize("names", [("certs",), ("cluster.token", "api.url", "orca.log")])
def test_what_can_be_made_anew_is_and_nothing_is_touched(
    server: Host, names: tuple[str, ...]
) -> None:
    before = server.containers()
    server.orca("shutdown")
    lose(server, *names)

    server.start()

    eventually(server.runs("web", 2))
    assert server.containers() == before
    eventually(server.serves(DOMAIN))


def test_a_lost_part_of_the_node_is_read_from_the_containers_again(server: Host) -> None:
    before = server.containers()
    server.orca("shutdown")
    lose(server, "node")

    server.start()

    eventually(server.runs("web", 2))
    assert server.containers() == before


def test_a_lost_part_of_the_proxy_is_written_again(server: Host) -> None:
    before = server.containers()
    server.orca("shutdown", "--proxy")
    lose(server, "proxy")

    server.start()

    eventually(server.serves(DOMAIN))
    assert server.containers() == before


def test_a_lost_key_opens_no_secret_and_says_so(server: Host) -> None:
    before = server.containers()
    key = (server.home / "master.key").read_bytes()
    server.orca("shutdown")
    lose(server, "master.key")
    server.start()
    eventually(server.runs("job"))

    done = server.orca("deploy", "-y", code=2)

    assert "was sealed with the master key" in done.err
    assert server.containers() == before
    server.orca("shutdown")
    (server.home / "master.key").write_bytes(key)
    (server.home / "master.key").chmod(0o600)
    server.start()
    server.deploy()


def test_a_home_that_is_put_back_from_its_copy_goes_on_where_it_was(server: Host) -> None:
    before = server.containers()
    server.orca("shutdown")
    copy = server.home.with_name("copy")
    shutil.copytree(server.home, copy, ignore=shutil.ignore_patterns("*.sock"))
    lose(server, "etcd", "node", "certs", "master.key")
    shutil.copytree(copy, server.home, dirs_exist_ok=True)

    server.start()

    eventually(server.runs("web", 2))
    assert server.containers() == before
    eventually(server.serves(DOMAIN))
    shutil.rmtree(copy)


def test_with_the_state_lost_the_page_says_how_to_begin_again(server: Host) -> None:
    docker = server.engine.docker
    server.orca("shutdown", "--proxy")
    docker("rm", "-f", *server.containers())
    old = server.home.rename(server.home.with_name("lost"))
    server.home.mkdir(mode=0o700)
    shutil.copy2(old / "master.key", server.home)
    server.start()

    server.orca("secrets", "set", "KEY", stdin="value")
    server.deploy()

    eventually(server.serves(DOMAIN))
    assert server.service("web")["revision"] == 1


def test_etcds_data_lost_alone_is_said_at_the_start_and_ends_no_container(server: Host) -> None:
    before = server.containers()
    server.orca("shutdown")
    lose(server, "etcd")

    done = server.orca("server", "-d", code=8, timeout=90)

    assert "the state in etcd was lost or replaced" in done.err
    assert server.containers() == before
    eventually(server.serves(DOMAIN))
