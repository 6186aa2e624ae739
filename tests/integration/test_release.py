"""New versions: good ones come without a failed request, bad ones leave the old one serving."""

from __future__ import annotations

from service_files import ABSENT, CRASHING, MUTE, PROBE, WEB_ONE, WEB_TWO, job, web

from orca.testing.host import Host, eventually
from orca.testing.load import background

RATE = 500.0


def test_redeploys_under_load_lose_no_request(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)
    eventually(server.serves(domain, "one"))

    with background(server.ports.http, domain=domain, rate=RATE) as load:
        for image in (WEB_TWO, WEB_ONE, WEB_TWO):
            server.write(project, web(domain, replicas=2, image=image))
            server.deploy(project)
        server.orca("rollback", f"{project}/web")
        server.orca("scale", f"{project}/web=1")
        report = load.stop()

    assert report.failures == 0, report.reasons
    assert set(report.bodies) == {"one", "two"}
    assert report.requests > RATE
    assert server.serves(domain, "one")()


def test_a_single_replica_is_replaced_without_a_failed_request(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    eventually(server.serves(domain, "one"))

    with background(server.ports.http, domain=domain, rate=100) as load:
        server.write(project, web(domain, image=WEB_TWO))
        server.deploy(project)
        report = load.stop()

    assert report.failures == 0, report.reasons
    assert server.serves(domain, "two")()


def test_a_crashing_image_is_refused_and_the_old_version_serves(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)
    before = {i["container_id"] for i in server.instances(f"{project}/web")}
    server.write(project, web(domain, replicas=2, image=CRASHING))

    with background(server.ports.http, domain=domain, rate=100) as load:
        done = server.deploy(project, code=1)
        report = load.stop()

    assert "code 3" in done.said
    assert "connecting to the database" in done.said
    assert "no route to host" in done.said
    assert report.failures == 0, report.reasons
    assert set(report.bodies) == {"one"}
    found = server.service(f"{project}/web")
    assert found["status"] == "degraded"
    assert "code 3" in found["reason"]
    assert found["revision"] == 1
    assert {i["container_id"] for i in server.instances(f"{project}/web")} == before
    eventually(
        lambda: len(server.containers(f"label=orca.project={project}")) == 2,
        what="the newcomers are removed",
    )


def test_an_image_that_is_never_ready_is_refused_after_its_deadline(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    server.write(project, web(domain, image=MUTE, deadline=3))

    done = server.deploy(project, code=1)

    assert "no progress for 3 s" in done.said
    assert "connection refused" in done.said
    assert "thinking" in done.said
    assert server.serves(domain, "one")()
    found = server.service(f"{project}/web")
    assert found["status"] == "degraded"
    assert "no progress" in found["reason"]


def test_an_image_that_does_not_exist_is_refused_and_nothing_is_written(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    server.write(project, web(domain, image=ABSENT))

    done = server.deploy(project, code=1)

    assert ABSENT in done.err
    assert server.serves(domain, "one")()
    assert server.service(f"{project}/web")["status"] == "running"
    assert len(server.orca("history", f"{project}/web", "-o", "json").json()["entries"]) == 1


def test_the_first_deploy_of_a_crashing_image_fails_with_its_last_lines(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, image=CRASHING))

    done = server.deploy(project, code=1)

    assert "no route to host" in done.said
    assert server.service(f"{project}/web")["status"] == "failed"
    assert server.get(domain).status == 503
    why = server.orca("why", f"{project}/web").out
    assert "code 3" in why
    assert "no route to host" in why


def test_the_first_deploy_of_an_image_that_does_not_exist_creates_nothing(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, image=ABSENT))

    done = server.deploy(project, code=1)

    assert ABSENT in done.err
    server.orca("status", f"{project}/web", code=5)
    assert server.containers(f"label=orca.project={project}") == {}


def test_a_failed_deploy_can_be_mended_by_the_next_one(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, image=CRASHING))
    server.deploy(project, code=1)

    server.write(project, web(domain, image=WEB_TWO))
    server.deploy(project)

    eventually(server.serves(domain, "two"))
    assert server.service(f"{project}/web")["status"] == "running"


def test_after_a_failed_deploy_a_rollback_puts_the_record_back(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    server.write(project, web(domain, image=CRASHING))
    server.deploy(project, code=1)
    before = {i["container_id"] for i in server.instances(f"{project}/web")}

    server.orca("rollback", f"{project}/web")

    assert server.service(f"{project}/web")["status"] == "running"
    assert {i["container_id"] for i in server.instances(f"{project}/web")} == before


def test_a_deploy_that_is_not_waited_for_goes_on(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain))

    done = server.deploy(project, "--detach", "-o", "json")

    assert done.json()
    eventually(server.runs(f"{project}/web"))


def test_a_deploy_that_takes_longer_than_its_timeout_says_that_it_goes_on(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, image=MUTE, deadline=60))

    done = server.deploy(project, "--timeout", "1", code=8)

    assert "goes on" in done.err
    assert server.service(f"{project}/web")["status"] == "progressing"


def test_a_service_that_gets_its_liveness_probe_refused_is_restarted(
    server: Host, project: str
) -> None:
    liveness = '\n[service.liveness]\ncommand = ["test", "-e", "/tmp/alive"]\n'
    liveness += "interval_secs = 0.3\nfailure_threshold = 2\ninitial_delay_secs = 0\n"
    script = '["/bin/sh", "-c", "touch /tmp/alive; exec sleep 1000"]'
    server.write(project, job(keys=f"command = {script}", tables=liveness))
    server.deploy(project)
    replica = server.instances(f"{project}/job")[0]

    server.orca("exec", f"{project}/job", "--", "rm", "/tmp/alive")

    eventually(
        lambda: server.instances(f"{project}/job")[0]["restarts"] > replica["restarts"],
        what="a restart by the liveness probe",
    )
    eventually(server.runs(f"{project}/job"))


def test_a_replica_that_is_not_ready_gets_no_traffic(
    server: Host, project: str, domain: str
) -> None:
    probe = PROBE.replace('path = "/"', 'path = "/ready"') + "failure_threshold = 1\n"
    server.write(project, web(domain, probe=probe))
    server.deploy(project, "--detach")
    eventually(lambda: bool(server.instances(f"{project}/web")))
    eventually(lambda: server.get(domain).status == 503, what="503 while nothing is ready")

    server.orca("exec", f"{project}/web", "--replica", "0", "--", "touch", "/www/ready")
    eventually(server.serves(domain))
    server.orca("exec", f"{project}/web", "--", "rm", "/www/ready")

    eventually(lambda: server.get(domain).status == 503, what="503 once it is not ready any more")
