"""A secret reaches the container and nothing else: not the log, not the API, not etcd's files."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from service_files import job, web

from orca.testing.host import Host, eventually

CANARY = "c4n4ry-9f3b7a61d2e84c05"
OTHER = "0th3r-51ab88e04c7d4f2e"


@pytest.fixture(autouse=True)
def clean(server: Host, project: str) -> None:
    server.orca("secrets", "set", "PASSWORD", "--project", project, stdin=f"{CANARY}\n")


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def test_a_secret_reaches_the_environment_and_a_file_of_the_container(
    server: Host, project: str
) -> None:
    env = '[service.env]\nURL = "db://app:${secrets.PASSWORD}@db"\n'
    server.write(project, job(keys='secrets = ["PASSWORD"]', tables=env))
    server.deploy(project)

    shown = server.orca("exec", f"{project}/job", "--", "sh", "-c", "echo $URL")
    read = server.orca("exec", f"{project}/job", "--", "cat", "/run/secrets/PASSWORD")

    assert shown.out == f"db://app:{CANARY}@db\n"
    assert read.out == CANARY


def test_secret_files_are_gone_with_their_service(server: Host, project: str) -> None:
    server.orca("secrets", "set", "PASSWORD", "--project", project, stdin=OTHER)
    server.write(project, job(keys='secrets = ["PASSWORD"]'))
    server.deploy(project)
    held = [path for path in files_below(Path("/run/orca")) if path.read_text() == OTHER]
    assert held

    server.orca("rm", "-y", f"{project}/job")

    eventually(lambda: not any(path.exists() for path in held), what="no file of it is left")


def test_a_secret_is_in_no_log_answer_history_plan_or_file_of_the_home(
    server: Host, project: str
) -> None:
    env = '[service.env]\nURL = "db://app:${secrets.PASSWORD}@db"\n'
    server.write(project, job(keys='secrets = ["PASSWORD"]', tables=env))
    said = [server.orca("plan", project), server.deploy(project)]
    server.write(project, job(tables=env + 'EXTRA = "1"\n'))
    said += [server.orca("plan", project, "-o", "json"), server.deploy(project, "-o", "json")]
    for command in (
        ("history", f"{project}/job"),
        ("why", f"{project}/job"),
        ("events",),
        ("status",),
        ("secrets", "list", "--project", project),
        ("secrets", "usages", "PASSWORD", "--project", project),
    ):
        said.append(server.orca(*command, "-o", "json"))
    said.append(server.orca("status", "-o", "wide"))

    assert not [done for done in said if CANARY in done.said]
    needles = [CANARY.encode(), base64.b64encode(CANARY.encode()).rstrip(b"=")]
    found = [
        (path, needle)
        for path in files_below(server.home)
        for needle in needles
        if needle in path.read_bytes()
    ]
    assert found == []
    assert [path for path in files_below(server.home / "etcd") if path.stat().st_size > 0]


def test_a_failing_service_that_is_given_a_secret_does_not_put_it_into_orcas_log(
    server: Host, project: str
) -> None:
    script = '["/bin/sh", "-c", "echo cannot log in with $PASSWORD; exit 1"]'
    env = '[service.env]\nPASSWORD = "${secrets.PASSWORD}"\n'
    server.write(project, job(keys=f"command = {script}", tables=env))

    done = server.deploy(project, code=1)

    assert "cannot log in" in done.said
    assert CANARY not in (server.home / "orca.log").read_text()
    assert not [p for p in files_below(server.home / "etcd") if CANARY.encode() in p.read_bytes()]


def test_a_rotated_secret_is_a_change_that_the_next_deploy_brings(
    server: Host, project: str
) -> None:
    env = '[service.env]\nPASSWORD = "${secrets.PASSWORD}"\n'
    server.write(project, job(tables=env))
    server.deploy(project)
    server.orca("plan", project, "--exit-code")

    server.orca("secrets", "set", "PASSWORD", "--project", project, stdin=OTHER)
    usages = server.orca("secrets", "usages", "PASSWORD", "--project", project, "-o", "json")
    assert [u["current"] for u in usages.json()["usages"]] == [False]
    planned = server.orca("plan", project, "--exit-code", code=10)
    server.deploy(project)

    assert "PASSWORD" in planned.out
    shown = server.orca("exec", f"{project}/job", "--", "sh", "-c", "echo $PASSWORD")
    assert shown.out == f"{OTHER}\n"


def test_a_secret_in_use_is_not_removed(server: Host, project: str) -> None:
    server.write(project, job(keys='secrets = ["PASSWORD"]'))
    server.deploy(project)

    done = server.orca("secrets", "rm", "PASSWORD", "--project", project, "-y", code=6)

    assert f"{project}/job" in done.err


def test_several_missing_secrets_are_named_with_their_places_at_once(
    server: Host, project: str, domain: str
) -> None:
    env = '[service.env]\nA = "${secrets.FIRST}"\nB = "${secrets.SECOND}"\n'
    server.write(project, web(domain, tables=env))

    done = server.deploy(project, code=2)

    assert f"FIRST ({project}/web, env.A)" in done.err
    assert f"SECOND ({project}/web, env.B)" in done.err
    server.orca("status", f"{project}/web", code=5)


def test_a_project_does_not_see_the_secrets_of_another(server: Host, project: str) -> None:
    server.orca("secrets", "set", "MINE", "--project", "somebody-else", stdin="x")
    server.write(project, job(keys='secrets = ["MINE"]'))

    done = server.deploy(project, code=2)

    assert "MINE" in done.err


def test_a_secret_of_the_cluster_holds_until_the_project_has_its_own(
    server: Host, project: str
) -> None:
    server.orca("secrets", "set", "SHARED", stdin="of the cluster")
    server.write(project, job(tables='[service.env]\nSHARED = "${secrets.SHARED}"\n'))
    server.deploy(project)
    show = ("exec", f"{project}/job", "--", "sh", "-c", "echo $SHARED")
    assert server.orca(*show).out == "of the cluster\n"

    server.orca("secrets", "set", "SHARED", "--project", project, stdin="of the project")
    server.deploy(project)

    assert server.orca(*show).out == "of the project\n"


def test_an_env_file_is_imported_as_a_whole_or_not_at_all(server: Host, project: str) -> None:
    good, bad = server.root / "good.env", server.root / "bad.env"
    good.write_text("# shop\nexport ONE=1\nTWO='two words'\n")
    bad.write_text("THREE=3\nnot a line\n")

    server.orca("secrets", "import", "-f", str(good), "--project", project)
    done = server.orca("secrets", "import", "-f", str(bad), "--project", project, code=2)

    assert "bad.env:2" in done.err
    listed = server.orca("secrets", "list", "--project", project).out
    assert "ONE" in listed
    assert "TWO" in listed
    assert "THREE" not in listed


def test_a_secret_survives_a_restart_of_orca_and_the_key_is_private(
    server: Host, project: str
) -> None:
    server.write(project, job(keys='secrets = ["PASSWORD"]'))
    server.deploy(project)
    server.kill_server()
    server.start()
    server.orca("restart", f"{project}/job")

    read = server.orca("exec", f"{project}/job", "--", "cat", "/run/secrets/PASSWORD")

    assert read.out == CANARY
    for name in ("master.key", "cluster.token"):
        assert stat.S_IMODE((server.home / name).stat().st_mode) == 0o600
