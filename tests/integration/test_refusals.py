"""Bad input: one clear message, the documented exit code, and nothing has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_files import JOB, WEB_ONE, job, web

from orca.testing.engine import DockerEngine
from orca.testing.host import Done, Host, eventually, free_ports, stranger_on

INVALID, NO_SERVER, DENIED, NOT_FOUND, CONFLICT, UNAVAILABLE = 2, 3, 4, 5, 6, 7
DOMAIN = "shop.example"


@pytest.fixture(scope="module", autouse=True)
def shop(server: Host) -> None:
    """What runs, and must not be touched by anything here."""
    server.write("shop", web(DOMAIN, replicas=2))
    server.deploy()
    eventually(server.runs("web", 2))


@pytest.fixture(autouse=True)
def unchanged(server: Host) -> Iterator[None]:
    """Every test here leaves the cluster as it was."""
    before = state(server)
    yield
    shutil.rmtree(server.config / "services")
    server.configure()
    server.write("shop", web(DOMAIN, replicas=2))
    assert state(server) == before


def state(host: Host) -> dict[str, Any]:
    """All that a command could have changed."""
    status = host.status()
    return {
        "services": {s["name"]: (s["version"], s["revision"]) for s in status["services"]},
        "containers": host.containers(),
        "secrets": host.api("/api/v1/secrets").body,
        "history": host.api("/api/v1/services/web/history").body,
        "epoch": status["epoch"],
        "pids": (host.server_pid(), host.etcd_pid(), host.envoy_pid()),
    }


def is_one_clear_message(done: Done) -> bool:
    return "Traceback" not in done.said and done.err.count("error:") == 1


@pytest.fixture
def fresh(engine: DockerEngine) -> Iterator[Host]:
    """Another host, on which nothing was ever started."""
    with Host(engine, cluster="fresh") as found:
        yield found


def assert_nothing_was_started(host: Host) -> None:
    assert host.processes() == {}
    assert host.server_pid() == 0


# --- files ---


def test_a_broken_toml_is_refused_with_its_place(server: Host) -> None:
    server.write("shop", '[[service]]\nname = "web\n')

    for command in (("deploy", "-y"), ("plan",), ("config", "check")):
        done = server.orca(*command, code=INVALID)
        assert "services/shop/service.toml:2:" in done.said
        assert 'name = "web' in done.said


def test_an_unknown_key_is_refused_with_what_was_probably_meant(server: Host) -> None:
    server.write("shop", web(DOMAIN, keys="replcias = 2"))

    done = server.deploy(code=INVALID)

    assert 'unknown key "replcias"' in done.err
    assert 'did you mean "replicas"?' in done.err


@pytest.mark.parametrize("port", ["0", "70000", '"http"'])
def test_a_bad_port_is_refused_with_its_place(server: Host, port: str) -> None:
    server.write("shop", f'[[service]]\nname = "web"\nimage = "{WEB_ONE}"\nport = {port}\n')

    done = server.deploy(code=INVALID)

    assert "services/shop/service.toml:4:" in done.err
    assert "port" in done.err


def test_all_mistakes_of_all_files_are_said_at_once(server: Host) -> None:
    server.write("shop", '[[service]]\nname = "web"\nimage = "x:1"\nport = 0\n')
    server.write("mail", '[[service]]\nname = "smtp"\nimage = "x:1"\nmemroy = 1\n')
    server.write("wiki", '[[service]]\nname = "wiki"\nimage = "x:1"\ndepends_on = ["db"]\n')

    done = server.orca("config", "check", code=INVALID)

    for place in ("shop/service.toml:4", "mail/service.toml:4", "wiki/service.toml:4"):
        assert place in done.said


def test_a_mistake_of_one_service_deploys_none(server: Host) -> None:
    server.write("shop", web(DOMAIN, image="shop/web:2", replicas=2) + job(keys="prot = 1"))

    server.deploy(code=INVALID)


def test_a_circle_of_dependencies_is_named(server: Host) -> None:
    server.write(
        "ring", job(name="a", keys='depends_on = ["b"]') + job(name="b", keys='depends_on = ["a"]')
    )

    done = server.deploy("ring", code=INVALID)

    assert "a → b → a" in done.err


def test_no_configuration_is_said_with_where_it_was_looked_for(server: Host) -> None:
    done = server.orca("plan", code=INVALID, cwd=Path("/"))

    assert "cluster.toml" in done.err
    assert "-C" in done.err


@pytest.mark.parametrize(
    "tables",
    [
        'strategy = "canary"',
        "[service.build]\nrepo = 'https://git.example/web'",
        "[service.resources.gpu]\ncount = 1",
        "[service.backup]\nenabled = true",
    ],
)
def test_what_comes_later_is_refused_as_not_supported_yet(server: Host, tables: str) -> None:
    server.write("shop", web(DOMAIN, replicas=2, tables=tables))

    done = server.deploy(code=INVALID)

    assert "not supported yet" in done.err


def test_a_domain_that_another_service_has_is_refused(server: Host) -> None:
    server.write("thief", web(DOMAIN))

    done = server.deploy("thief", code=INVALID)

    assert '"shop.example/" already leads to the service "shop/web"' in " ".join(done.err.split())


# --- names, credentials, secrets ---


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "wbe"),
        ("deploy", "-y", "wbe"),
        ("status", "wbe"),
        ("logs", "wbe"),
        ("exec", "wbe", "--", "true"),
        ("restart", "wbe"),
        ("stop", "wbe"),
        ("start", "wbe"),
        ("rm", "-y", "wbe"),
        ("scale", "wbe=3"),
        ("history", "wbe"),
        ("rollback", "wbe"),
        ("events", "wbe"),
        ("why", "wbe"),
    ],
    ids=lambda command: command[0],
)
def test_an_unknown_service_is_refused_by_every_command(
    server: Host, command: tuple[str, ...]
) -> None:
    done = server.orca(*command, code=NOT_FOUND)

    assert is_one_clear_message(done)
    assert "wbe" in done.err
    assert "web" in done.err.replace("wbe", ""), "what was probably meant"


def test_one_unknown_service_among_known_ones_changes_nothing(server: Host) -> None:
    server.orca("restart", "web", "wbe", code=NOT_FOUND)
    server.orca("scale", "web=3", "wbe=3", code=NOT_FOUND)
    server.orca("stop", "web", "wbe", code=NOT_FOUND)


def test_an_unknown_revision_is_refused_with_those_that_exist(server: Host) -> None:
    done = server.orca("rollback", "web", "--to", "99", code=NOT_FOUND)

    assert "revision 99" in done.err


def test_an_unknown_replica_is_refused_with_those_that_exist(server: Host) -> None:
    done = server.orca("exec", "web", "--replica", "7", "--", "true", code=NOT_FOUND)

    assert "0, 1" in done.err


def test_a_missing_secret_refuses_the_deploy_and_names_the_place(server: Host) -> None:
    server.write("shop", web(DOMAIN, tables='[service.env]\nPASSWORD = "${secrets.DB_PASSWORD}"'))

    done = server.deploy(code=INVALID)

    assert is_one_clear_message(done)
    assert "DB_PASSWORD (shop/web, env.PASSWORD)" in done.err
    assert "orca secrets set DB_PASSWORD --project shop" in done.err


@pytest.mark.parametrize("command", [("status",), ("deploy", "-y"), ("stop", "web")])
def test_a_wrong_token_is_refused(server: Host, command: tuple[str, ...]) -> None:
    done = server.orca(*command, code=DENIED, env={"ORCA_TOKEN": "guessed"})

    assert is_one_clear_message(done)


def test_a_mistyped_command_is_refused_with_the_documented_code(server: Host) -> None:
    assert server.orca("deplyo", code=INVALID).err
    assert server.orca("scale", "web=many", code=INVALID).err
    assert server.orca("logs", "web", "--tail", "some", code=INVALID).err


# --- servers ---


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("plan",),
        ("deploy", "-y"),
        ("logs", "web"),
        ("exec", "web", "--", "true"),
        ("events",),
        ("secrets", "list"),
        ("config", "reload"),
        ("shutdown",),
    ],
    ids=lambda command: command[0],
)
def test_without_a_server_every_command_says_so(fresh: Host, command: tuple[str, ...]) -> None:
    fresh.write("shop", web(DOMAIN))

    done = fresh.orca(*command, code=NO_SERVER)

    assert is_one_clear_message(done)
    assert not fresh.home.exists()


def test_a_second_server_on_the_same_home_is_refused(server: Host) -> None:
    for detached in ((), ("-d",)):
        done = server.orca("server", *detached, code=CONFLICT)
        assert is_one_clear_message(done)
        assert str(server.server_pid()) in done.err


@pytest.mark.parametrize("which", ["api", "grpc", "http"])
def test_a_port_that_a_stranger_has_is_named_with_its_holder(fresh: Host, which: str) -> None:
    port = getattr(fresh.ports, which)
    with stranger_on(port):
        done = fresh.orca("server", "-d", code=CONFLICT)

    assert is_one_clear_message(done)
    assert str(port) in done.err
    assert "pid" in done.err, "who has it"
    assert_nothing_was_started(fresh)


def test_a_port_that_was_given_back_lets_the_server_start(fresh: Host) -> None:
    with stranger_on(fresh.ports.http):
        fresh.orca("server", "-d", code=CONFLICT)

    fresh.start()

    assert fresh.server_pid()


def test_an_extra_port_that_a_stranger_has_fails_the_deploy_with_the_port(server: Host) -> None:
    (port,) = free_ports(1)
    server.write("side", job(image=JOB, keys=f'extra_ports = ["{port}:80"]', deadline=4))
    try:
        with stranger_on(port):
            done = server.deploy("side", code=1)
        assert str(port) in done.err
        assert "already in use" in done.err or "in use" in done.err
    finally:
        server.orca("rm", "-y", "side/job")


def test_a_server_with_broken_files_does_not_start(fresh: Host) -> None:
    (fresh.config / "cluster.toml").write_text("[cluster]\napi_prot = 1\n")

    done = fresh.orca("server", "-d", code=INVALID)

    assert "cluster.toml:2:1" in done.err
    assert 'did you mean "api_port"?' in done.err
    assert_nothing_was_started(fresh)


def test_without_docker_the_server_does_not_start(fresh: Host) -> None:
    for detached in ((), ("-d",)):
        done = fresh.orca(
            "server", *detached, code=UNAVAILABLE, env={"DOCKER_HOST": "unix:///nowhere.sock"}
        )
        assert is_one_clear_message(done)
        assert "/nowhere.sock" in done.err
        assert_nothing_was_started(fresh)


def test_an_answer_of_no_changes_nothing(server: Host) -> None:
    server.write("shop", web(DOMAIN, image="shop/web:2", replicas=2))
    script = "import pty,sys; sys.exit(pty.spawn(sys.argv[1:])>>8)"
    command = [str(Path(sys.executable).with_name("orca")), "deploy"]

    done = subprocess.run(
        [sys.executable, "-c", script, *command],
        input=b"n\n",
        cwd=server.config,
        env=server.environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert b"Deploy?" in done.stdout
