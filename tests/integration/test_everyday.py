"""The commands of every day, on one running server: looking, logs, exec, reload, machine output."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_files import JOB, MUTE, job, web

from orca.testing.host import Host, HostError, eventually, free_ports, request, stranger_on

DOMAIN = "shop.example"


@pytest.fixture(scope="module", autouse=True)
def shop(server: Host) -> None:
    server.write("shop", web(DOMAIN, replicas=2) + job())
    server.deploy()
    server.orca("secrets", "set", "USED", stdin="x")


@pytest.fixture(autouse=True)
def files(server: Host) -> Iterator[None]:
    yield
    server.configure()
    server.write("shop", web(DOMAIN, replicas=2) + job())


# --- machine output ---

READING = (
    ("status",),
    ("status", "shop"),
    ("status", "web"),
    ("plan",),
    ("history", "web"),
    ("events",),
    ("events", "web", "--limit", "3"),
    ("why", "web"),
    ("secrets", "list"),
    ("secrets", "usages", "USED"),
    ("version",),
    ("config", "check"),
)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_every_reading_command_has_json_that_parses(server: Host, command: tuple[str, ...]) -> None:
    assert server.orca(*command, "-o", "json").json()


def test_every_reading_command_has_a_table_for_people(server: Host) -> None:
    for command in (("status", "-o", "wide"), ("history", "web"), ("events",), ("why", "web")):
        assert "web" in server.orca(*command).out


def test_logs_as_json_are_one_object_per_line(server: Host) -> None:
    lines = server.orca("logs", "shop/job", "--tail", "3", "-o", "json").out.splitlines()

    assert all({"replica", "stream", "line"} <= set(json.loads(line)) for line in lines)


def test_errors_as_json_are_problems_on_stderr(server: Host) -> None:
    done = server.orca("why", "nothing", "-o", "json", code=5)

    assert done.out == ""
    assert done.problem()["type"] == "not_found"
    assert done.problem()["exit_code"] == 5


def test_deploying_what_is_deployed_is_machine_readable(server: Host) -> None:
    found = server.deploy("-o", "json").json()

    assert set(found["unchanged"]) == {"shop/web", "shop/job"}


# --- looking ---


def test_status_ready_answers_with_its_exit_code(server: Host, project: str) -> None:
    server.orca("status", "--ready")
    server.write(project, web(f"{project}.example", image=MUTE, deadline=60))
    server.deploy(project, "--detach")

    server.orca("status", project, "--ready", code=1)
    server.orca("status", "shop", "--ready")
    server.orca("rm", "-y", f"{project}/web")


def test_a_watched_status_shows_changes(server: Host) -> None:
    process = server.start_orca("status", "web", "--watch", "-o", "json")
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())
        assert first["services"][0]["replicas"] == 2
        server.orca("scale", "web=3", "--detach")
        assert any(b'"replicas":3' in line.replace(b" ", b"") for line in process.stdout)
    finally:
        process.kill()
        process.communicate()
    server.orca("scale", "web=2")


def test_why_says_from_spec_to_traffic_why_a_service_is_as_it_is(server: Host) -> None:
    said = server.orca("why", "web").out

    for part in ("spec: revision", "rollout: complete", "slot 0", f"traffic: {DOMAIN} → 2"):
        assert part in said


def test_events_tell_what_happened_and_follow_what_happens(server: Host) -> None:
    kinds = {e["kind"] for e in server.orca("events", "web", "-o", "json").json()["events"]}
    assert {"service.deploy", "replica.assigned", "replica.ready", "rollout.complete"} <= kinds

    process = server.start_orca("events", "web", "-f", "--limit", "1")
    assert process.stdout is not None
    try:
        process.stdout.readline()
        server.engine.docker("kill", server.instances("web")[0]["container_name"])
        assert any(b"restart" in line for line in process.stdout)
    finally:
        process.kill()
        process.communicate()
    eventually(server.runs("web"))


# --- logs ---


def test_logs_keep_the_streams_apart(server: Host) -> None:
    done = server.orca("logs", "shop/job", "--tail", "-1")

    assert "begins\n" in done.out
    assert "oops\n" in done.err
    assert "oops" not in done.out


def test_logs_are_limited_by_lines_and_by_time(server: Host) -> None:
    assert len(server.orca("logs", "shop/job", "--tail", "2").out.splitlines()) == 2
    eventually(lambda: "tick 12\n" in server.orca("logs", "shop/job", "--tail", "-1").out)
    recent = server.orca("logs", "shop/job", "--tail", "-1", "--since", "1s").out
    assert "begins" not in recent
    assert "tick" in recent


def test_logs_follow(server: Host) -> None:
    process = server.start_orca("logs", "shop/job", "-f", "--tail", "1")
    assert process.stdout is not None
    try:
        seen = [process.stdout.readline() for _ in range(5)]
    finally:
        process.kill()
        process.communicate()
    numbers = [int(line.split()[-1]) for line in seen]
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_logs_of_all_replicas_say_which_is_which(server: Host, project: str) -> None:
    server.write(project, job(keys="replicas = 2"))
    server.deploy(project)

    both = server.orca("logs", f"{project}/job", "--tail", "1").out
    one = server.orca("logs", f"{project}/job", "--tail", "1", "--replica", "1").out

    assert len(both.splitlines()) == 2
    assert len(one.splitlines()) == 1


def test_logs_of_the_attempt_before_the_last_restart_are_there(server: Host, project: str) -> None:
    say = '["/bin/sh", "-c", "echo attempt of $(date +%s%N); exec sleep 1000"]'
    server.write(project, job(keys=f"command = {say}"))
    server.deploy(project)
    first = server.orca("logs", f"{project}/job").out
    (name,) = server.containers(f"label=orca.project={project}")

    server.engine.docker("kill", name)
    eventually(lambda: server.instances(f"{project}/job")[0]["attempt"] == 2)
    eventually(server.runs(f"{project}/job"))

    assert server.orca("logs", f"{project}/job", "--previous").out == first
    eventually(lambda: server.orca("logs", f"{project}/job").out not in ("", first))


# --- exec ---


def test_exec_passes_input_output_and_exit_code(server: Host) -> None:
    done = server.orca(
        *("exec", "web", "--", "sh", "-c", "cat; echo err >&2; exit 7"), code=7, stdin="hello\n"
    )

    assert (done.out, done.err) == ("hello\n", "err\n")


def test_exec_passes_bytes_unchanged(server: Host) -> None:
    data = bytes(range(256)) * 500
    process = server.start_orca("exec", "web", "-T", "--", "cat")

    out, _err = process.communicate(data, timeout=60)

    assert process.returncode == 0
    assert out == data


def test_exec_of_what_does_not_exist_says_so(server: Host) -> None:
    done = server.orca("exec", "web", "--", "no-such-program", code=None)

    assert done.code == 126
    assert "no-such-program" in done.said


# --- configuration ---


def test_a_reload_changes_the_level_of_the_log(server: Host) -> None:
    server.configure(cluster='log_level = "debug"')

    done = server.orca("config", "reload")

    assert "cluster.log_level" in done.out
    eventually(lambda: any(line["level"] == "debug" for line in server.log()))
    server.configure()
    server.orca("config", "reload")


def test_a_reload_moves_the_proxy_to_another_port(server: Host) -> None:
    text = (server.config / "cluster.toml").read_text()
    (port,) = free_ports(1)
    moved = text.replace(f"http_port = {server.ports.http}", f"http_port = {port}")
    (server.config / "cluster.toml").write_text(moved)

    done = server.orca("config", "reload")

    assert "proxy.http_port" in done.out
    ask = {"Host": DOMAIN}
    eventually(lambda: request(port, headers=ask).status == 200, what="the new port serves")
    eventually(lambda: server.get(DOMAIN).status == 0, what="the old port is closed")
    url = server.service("web")["urls"][0]
    assert f":{port}/" in url, "what status shows is where it is"

    (server.config / "cluster.toml").write_text(text)
    server.orca("config", "reload")
    eventually(server.serves(DOMAIN))


def test_a_reload_to_a_port_that_a_stranger_has_keeps_the_old_one_and_says_so(
    server: Host,
) -> None:
    text = (server.config / "cluster.toml").read_text()
    (port,) = free_ports(1)
    moved = text.replace(f"http_port = {server.ports.http}", f"http_port = {port}")
    (server.config / "cluster.toml").write_text(moved)

    with stranger_on(port):
        done = server.orca("config", "reload", code=None)
        assert server.serves(DOMAIN)()
        said = done.said + server.orca("status", "-o", "wide").out + server.orca("events").out
        assert str(port) in said

    (server.config / "cluster.toml").write_text(text)
    server.orca("config", "reload")
    eventually(server.serves(DOMAIN))


def test_a_reload_names_what_waits_for_a_restart(server: Host) -> None:
    text = (server.config / "cluster.toml").read_text()
    moved = text.replace(f"api_port = {server.ports.api}", "api_port = 9")
    (server.config / "cluster.toml").write_text(moved)

    for _ in range(2):
        done = server.orca("config", "reload")
        assert "cluster.api_port" in done.out
        assert "restart" in done.out
    server.orca("status")
    (server.config / "cluster.toml").write_text(text)
    server.orca("config", "reload")


def test_a_reload_of_a_broken_file_changes_nothing(server: Host) -> None:
    server.configure(cluster='log_level = "loud"')

    done = server.orca("config", "reload", code=2)

    assert "cluster.toml:" in done.err
    assert server.serves(DOMAIN)()


def test_a_token_of_the_file_works_after_a_reload_with_its_role(server: Host) -> None:
    server.orca("secrets", "set", "CI_TOKEN", stdin="a-token-for-the-pipeline")
    server.configure('[[token]]\nname = "ci"\nvalue = "${secrets.CI_TOKEN}"\nrole = "viewer"\n')
    server.orca("config", "reload")
    viewer = {"ORCA_TOKEN": "a-token-for-the-pipeline"}

    server.orca("status", env=viewer)
    done = server.orca("stop", "web", env=viewer, code=4)

    assert "viewer" in done.err
    server.configure()
    server.orca("config", "reload")
    server.orca("status", env=viewer, code=4)


# --- shells ---


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one_its_shell_accepts(server: Host, shell: str) -> None:
    script = server.orca("completion", shell).out
    assert "orca" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n"], input=script.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command",
    [("logs", "shop/job", "-f"), ("events", "-f"), ("status", "--watch", "-o", "json")],
    ids=lambda command: command[0],
)
def test_a_reader_that_stops_early_is_no_error(server: Host, command: tuple[str, ...]) -> None:
    process = server.start_orca(*command)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None

    server.engine.docker("kill", server.instances("web")[0]["container_name"])  # there is news
    _out, err = process.communicate(timeout=20)

    assert process.returncode == 141
    assert err == b""
    eventually(server.runs("web"))


# --- concurrent use ---


def test_of_two_deploys_at_once_one_is_told_to_look_again(server: Host, project: str) -> None:
    server.write(project, job(tables='[service.env]\nN = "1"\n'))
    server.deploy(project)
    other = server.root / "other"
    shutil.copytree(server.config, other)
    path = other / "services" / project / "service.toml"
    path.write_text(path.read_text().replace('N = "1"', 'N = "2"'))
    server.write(project, job(tables='[service.env]\nN = "3"\n'))

    processes = [
        server.start_orca("deploy", "-y", project),
        server.start_orca("deploy", "-y", project, cwd=other),
    ]
    codes = []
    for process in processes:
        process.communicate(timeout=60)
        codes.append(process.returncode)

    assert 0 in codes
    assert set(codes) <= {0, 1, 6}
    eventually(server.runs(f"{project}/job"))


def test_a_deploy_that_is_interrupted_goes_on(server: Host, project: str) -> None:
    late = '[service.readiness]\ncommand = ["test", "-e", "/tmp/ready"]\ninterval_secs = 0.2\n'
    script = '["/bin/sh", "-c", "sleep 2; touch /tmp/ready; exec sleep 1000"]'
    server.write(project, job(image=JOB, keys=f"command = {script}", tables=late))
    process = server.start_orca("deploy", "-y", project)

    def began() -> bool:
        try:
            return bool(server.instances(f"{project}/job"))
        except HostError:
            return False

    eventually(began)
    time.sleep(0.3)  # it is following the rollout now
    process.send_signal(2)
    _out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert b"goes on" in err
    eventually(server.runs(f"{project}/job"))


def test_a_second_run_of_the_same_commands_changes_nothing(server: Host) -> None:
    before = server.containers()

    for _ in range(2):
        server.orca("version", "-o", "json")
        server.orca("deploy", "-y", "-C", str(server.config))

    assert server.containers() == before
    assert server.orca("server", "-d", code=6).err


def test_the_keycloak_file_of_the_guide_passes_the_check_unchanged(server: Host) -> None:
    root = Path(__file__).parents[1] / "unit" / "spec" / "fixtures" / "breakpilot"

    done = server.orca("config", "check", "-C", str(root))

    assert done.out.startswith("ok:")
