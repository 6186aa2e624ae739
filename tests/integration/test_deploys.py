"""What a deploy changes and what it leaves alone: revisions, order, volumes, scale, going back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from service_files import WEB_ONE, WEB_TWO, job, web

from orca.testing.engine import HTTPD
from orca.testing.host import Host, eventually, free_ports

_SERVICE_OF_EVENT = '{{index .Actor.Attributes "orca.service"}}'


def ids(host: Host, service: str) -> list[str]:
    return [str(i["container_id"]) for i in host.instances(service)]


def history(host: Host, service: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = host.orca("history", service, "-o", "json").json()["entries"]
    return found


# --- what is a change ---


def test_an_identical_redeploy_changes_nothing(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)
    before = ids(server, f"{project}/web"), server.service(f"{project}/web")["version"]

    planned = server.orca("plan", project, "--exit-code")
    done = server.deploy(project)

    assert "Nothing to change" in planned.out
    assert "Nothing to change" in done.out
    assert (ids(server, f"{project}/web"), server.service(f"{project}/web")["version"]) == before
    assert len(history(server, f"{project}/web")) == 1


CHANGES = {
    "environment": '[service.env]\nMODE = "b"',
    "limit": '[service.resources]\nmemory = "48Mi"',
    "probe": '[service.liveness]\npath = "/"',
    "label": '[service.labels]\nteam = "b"',
}


def test_each_changed_part_of_the_spec_is_a_change_and_gives_a_revision(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    before = ids(server, f"{project}/web")
    for part, table in CHANGES.items():
        server.write(project, web(domain, tables=table))
        done = server.orca("plan", project, "--exit-code", code=None)
        assert (done.code, "1 to update" in done.out) == (10, True), part

    server.deploy(project)

    assert server.service(f"{project}/web")["revision"] == 2
    assert ids(server, f"{project}/web") != before


def test_a_changed_domain_moves_the_route(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    eventually(server.serves(domain))

    server.write(project, web(f"new.{domain}"))
    server.deploy(project)

    eventually(server.serves(f"new.{domain}"))
    eventually(lambda: server.get(domain).status == 404, what="the old domain is gone")


def test_another_image_under_the_same_tag_is_a_change(
    server: Host, project: str, domain: str
) -> None:
    image = f"shop/{project}:1"
    server.engine.image(image, HTTPD, env={"BODY": "before"})
    server.write(project, web(domain, image=image))
    server.deploy(project)
    eventually(server.serves(domain, "before"))

    server.engine.image(image, HTTPD, env={"BODY": "after"})
    planned = server.orca("plan", project, "--exit-code", code=10)
    server.deploy(project)

    assert "image_id" in planned.out
    eventually(server.serves(domain, "after"))
    server.orca("rollback", f"{project}/web")
    eventually(server.serves(domain, "before"))


def test_a_plan_changes_nothing(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain))

    server.orca("plan", project, "--exit-code", code=10)

    server.orca("status", f"{project}/web", code=5)


def test_a_service_that_left_the_files_runs_on_and_is_named_by_the_plan(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain) + job())
    server.deploy(project)
    server.write(project, web(domain))

    planned = server.orca("plan", project)
    server.deploy(project)

    assert f"{project}/job" in planned.said
    assert server.runs(f"{project}/job")()


# --- order ---


def test_a_dependent_starts_after_its_dependency_is_ready_and_stops_before_it(
    server: Host, project: str
) -> None:
    slow = '[service.readiness]\ncommand = ["test", "-e", "/tmp/ready"]\ninterval_secs = 0.2\n'
    script = '["/bin/sh", "-c", "sleep 2; touch /tmp/ready; exec sleep 1000"]'
    server.write(
        project,
        job(name="app", keys='depends_on = ["db"]')
        + job(name="db", keys=f"command = {script}", tables=slow),
    )

    server.deploy(project, "--detach")
    eventually(lambda: server.service(f"{project}/db")["running_replicas"] == 1)
    assert server.instances(f"{project}/app") == []
    assert "db" in server.service(f"{project}/app")["reason"]
    eventually(server.runs(f"{project}/app"))
    (app,), (db,) = server.instances(f"{project}/app"), server.instances(f"{project}/db")
    assert app["started_at"] >= db["started_at"] + 2

    since = str(int(time.time()))
    server.orca("stop", f"{project}/db", f"{project}/app")

    assert server.containers(f"label=orca.project={project}") == {}
    died = server.engine.docker(
        *(
            "events",
            "--since",
            since,
            "--until",
            str(int(time.time()) + 1),
            "--filter",
            "event=die",
        ),
        *("--filter", f"label=orca.project={project}", "--format", _SERVICE_OF_EVENT),
    )
    assert died.split() == ["app", "db"]


def test_a_dependency_that_others_need_is_not_removed_alone(server: Host, project: str) -> None:
    server.write(project, job(name="app", keys='depends_on = ["db"]') + job(name="db"))
    server.deploy(project)

    done = server.orca("rm", "-y", f"{project}/db", code=6)

    assert f"{project}/app depends on {project}/db" in done.err
    server.orca("rm", "-y", f"{project}/db", f"{project}/app")
    server.orca("status", f"{project}/app", code=5)


# --- two copies that cannot coexist ---

VOLUME = '\n[[service.volumes]]\nsource = "data"\ntarget = "/data"\n'


def test_a_service_with_a_volume_is_replaced_stop_first_and_keeps_its_data(
    server: Host, project: str
) -> None:
    server.write(project, job(tables=VOLUME))
    server.deploy(project)
    server.orca("exec", f"{project}/job", "--", "sh", "-c", "echo precious > /data/file")
    first = ids(server, f"{project}/job")

    server.write(project, job(tables=VOLUME + '[service.env]\nVERSION = "2"\n'))
    assert "stop-first" in server.orca("plan", project).out
    server.deploy(project, "--detach")
    seen = _most_running(server, project, until=lambda: ids(server, f"{project}/job") != first)
    eventually(server.runs(f"{project}/job"))

    assert seen <= 1
    read = server.orca("exec", f"{project}/job", "--", "cat", "/data/file")
    assert read.out == "precious\n"

    server.orca("rm", "-y", f"{project}/job")
    volume = server.engine.docker("volume", "ls", "-q", "--filter", f"name={project}_data")
    assert volume == f"{project}_data", "data outlives its service"
    server.deploy(project)
    assert server.orca("exec", f"{project}/job", "--", "cat", "/data/file").out == "precious\n"


def test_a_service_with_a_fixed_port_is_replaced_stop_first(server: Host, project: str) -> None:
    (port,) = free_ports(1)
    text = job(image=WEB_ONE, keys=f"port = 80\nhost_port = {port}")
    server.write(project, text)
    server.deploy(project)
    first = ids(server, f"{project}/job")

    server.write(project, text.replace(WEB_ONE, WEB_TWO))
    server.deploy(project, "--detach")
    seen = _most_running(server, project, until=lambda: ids(server, f"{project}/job") != first)
    eventually(server.runs(f"{project}/job"))

    assert seen <= 1
    (name,) = server.containers(f"label=orca.project={project}")
    published = server.engine.docker("port", name, "80")
    assert published.splitlines()[0].endswith(f":{port}")
    refused = server.orca("scale", f"{project}/job=2", code=2)
    assert "host port" in refused.err


def _most_running(host: Host, project: str, *, until: Callable[[], bool]) -> int:
    """The largest number of the project's containers seen running at once, until something is so."""
    counts = [0]

    def look() -> bool:
        counts.append(len(host.containers(f"label=orca.project={project}", all=False)))
        return until()

    eventually(look, what="the new replica")
    return max(counts)


# --- moving without the files ---


def test_scaling_up_and_down_keeps_the_replicas_that_stay(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)
    two = ids(server, f"{project}/web")

    server.orca("scale", f"{project}/web=4")
    assert ids(server, f"{project}/web")[:2] == two
    assert server.service(f"{project}/web")["ready_replicas"] == 4

    server.orca("scale", f"{project}/web=1")
    assert ids(server, f"{project}/web") == two[:1]
    assert len(server.containers(f"label=orca.project={project}")) == 1
    assert server.service(f"{project}/web")["revision"] == 1

    server.orca("scale", f"{project}/web=0")
    assert server.containers(f"label=orca.project={project}") == {}
    assert server.get(domain).status == 503


def test_a_rollback_goes_back_and_back_again_never_forward(
    server: Host, project: str, domain: str
) -> None:
    for body in ("one", "two", "three"):
        server.write(project, web(domain, tables=f'[service.env]\nBODY = "{body}"\n'))
        server.deploy(project)
    eventually(server.serves(domain, "three"))

    server.orca("rollback", f"{project}/web")
    eventually(server.serves(domain, "two"))
    server.orca("rollback", f"{project}/web")
    eventually(server.serves(domain, "one"))

    done = server.orca("rollback", f"{project}/web", code=2)
    assert "no earlier revision" in done.err
    server.orca("rollback", f"{project}/web", "--to", "3")
    eventually(server.serves(domain, "three"))
    kinds = [(e["kind"], e["revision"], e["outcome"]) for e in history(server, f"{project}/web")]
    assert kinds == [
        ("rollback", 3, "complete"),
        ("rollback", 1, "complete"),
        ("rollback", 2, "complete"),
        ("deploy", 3, "complete"),
        ("deploy", 2, "complete"),
        ("deploy", 1, "complete"),
    ]


def test_a_restart_replaces_every_container_and_keeps_the_revision(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)
    before = ids(server, f"{project}/web")

    server.orca("restart", f"{project}/web")

    assert not set(before) & set(ids(server, f"{project}/web"))
    assert server.service(f"{project}/web")["revision"] == 1


def test_a_stopped_service_keeps_its_spec_and_starts_as_it_was(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)

    server.orca("stop", f"{project}/web")
    assert server.service(f"{project}/web")["status"] == "stopped"
    assert server.containers(f"label=orca.project={project}") == {}
    assert server.get(domain).status == 503

    server.orca("start", f"{project}/web")
    assert server.runs(f"{project}/web", 2)()
    eventually(server.serves(domain))
    assert server.service(f"{project}/web")["revision"] == 1


def test_a_deploy_starts_a_stopped_service(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    server.orca("stop", f"{project}/web")

    server.deploy(project)

    assert server.runs(f"{project}/web")()


def test_a_removed_service_leaves_no_container_route_or_network(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    eventually(server.serves(domain))

    server.orca("rm", "-y", f"{project}/web")

    server.orca("status", f"{project}/web", code=5)
    assert server.containers(f"label=orca.project={project}") == {}
    eventually(lambda: server.get(domain).status == 404)
    eventually(
        lambda: not server.engine.docker("network", "ls", "-q", "--filter", f"name=orca-{project}"),
        what="the network is gone",
    )


# --- the container as it was asked for ---


def test_containers_have_the_limits_labels_and_protections_of_their_spec(
    server: Host, project: str
) -> None:
    tables = '[service.resources]\nmemory = "64Mi"\ncpu = 0.5\n[service.labels]\nteam = "blue"\n'
    keys = 'tmpfs = ["/scratch"]\nread_only = true\naliases = ["worker"]\nlog_max_size = "1m"\n'
    server.write(project, job(keys=keys, tables=tables))
    server.deploy(project)

    (name,) = server.containers(f"label=orca.project={project}")
    asked = server.engine.docker(
        "inspect",
        "-f",
        "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.ReadonlyRootfs}} "
        "{{.HostConfig.SecurityOpt}} {{.HostConfig.LogConfig.Config}}",
        name,
    )
    labels = server.engine.docker("inspect", "-f", "{{json .Config.Labels}}", name)

    assert asked.startswith(f"{64 * 1024**2} 500000000 true [no-new-privileges")
    assert "max-size:1m" in asked
    for label in ("cluster", "project", "service", "replica", "revision", "spec"):
        assert f'"orca.{label}":' in labels
    assert '"team":"blue"' in labels
    assert server.orca("exec", f"{project}/job", "--", "touch", "/scratch/x").code == 0
    assert server.orca("exec", f"{project}/job", "--", "touch", "/x", code=None).code != 0


def test_services_of_a_project_find_each_other_by_name_and_others_do_not(
    server: Host, project: str, domain: str
) -> None:
    other = f"{project}-x"[-40:].strip("-")
    server.write(project, web(domain) + job(name="client"))
    server.write(other, job(name="foreigner"))
    server.deploy(project, other)
    ask = ("/bin/busybox", "nslookup", "web")

    found = server.orca("exec", f"{project}/client", "--", *ask).out
    assert server.instances(f"{project}/web")[0]["address"].split(":")[0] in found
    assert server.orca("exec", f"{other}/foreigner", "--", *ask, code=None).code != 0


def test_a_mount_is_relative_to_its_file_wherever_the_command_runs(
    server: Host, project: str, domain: str
) -> None:
    path = server.write(
        project,
        web(
            domain,
            keys='mounts = ["./site:/www:ro"]\ncommand = ["httpd","-f","-p","80","-h","/www"]',
        ),
    )
    (path.parent / "site").mkdir()
    (path.parent / "site" / "index.html").write_text("mounted\n")

    server.orca("deploy", "-y", project, "-C", str(server.config), cwd=server.root)

    eventually(server.serves(domain, "mounted"))


def test_two_projects_may_have_services_of_one_name(
    server: Host, project: str, domain: str
) -> None:
    other = f"{project}-y"[-40:].strip("-")
    server.write(project, web(domain))
    server.write(other, web(f"other.{domain}", image=WEB_TWO))
    server.deploy(project, other)

    eventually(server.serves(domain, "one"))
    eventually(server.serves(f"other.{domain}", "two"))
    assert "write one of" in server.orca("stop", "web", code=2).err


def test_a_service_that_may_not_be_restarted_fails_for_good(server: Host, project: str) -> None:
    def replica() -> dict[str, Any]:
        return server.instances(f"{project}/job")[0]

    server.write(project, job(keys="max_restarts = 1"))
    server.deploy(project)
    for ended in (lambda: replica()["attempt"] == 2, lambda: replica()["state"] == "failed"):
        (name,) = server.containers(f"label=orca.project={project}")
        server.engine.docker("kill", name)
        eventually(ended)
        eventually(lambda: replica()["state"] in ("running", "failed"))

    eventually(lambda: server.service(f"{project}/job")["status"] == "failed")
    assert "restarted once" in replica()["reason"]


def test_what_ran_out_of_memory_says_so(server: Host, project: str) -> None:
    hungry = '["/bin/sh", "-c", "sleep 0.5; exec dd if=/dev/zero of=/dev/null bs=64M"]'
    memory = '[service.resources]\nmemory = "16Mi"\n'
    server.write(project, job(keys=f"command = {hungry}", tables=memory))

    done = server.deploy(project, code=1)

    assert "memory" in done.err
    assert "memory" in server.orca("why", f"{project}/job").out
