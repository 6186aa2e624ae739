"""Small pure parts: image references, names, obituaries, Docker's error texts, timestamps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orca.model.container import ContainerSpec, PortMapping, PullPolicy, VolumeMount
from orca.model.ids import Epoch, NodeId, ReplicaId, RevisionNumber, ServiceId
from orca.model.replica import Replica
from orca.node import images, naming
from orca.node.docker import api, containers, failures
from orca.node.replica.obituary import Obituary
from orca.node.runtime import Container, ContainerRequest, ContainerState
from orca.rpc.messages import Assignment

DIGEST = "sha256:" + "0" * 64

# --- images ---


MOVING = """
    web web:latest registry:5000/web ghcr.io/a/web:main web:edge web:Stable
    postgres:16 nginx:1.27 nginx:v2 postgres:16-alpine debian:stable-slim
"""
FINAL = """
    web:1.27.3 web:v1.2.3 web:1.2.3-alpine web:1.2.3.4 registry:5000/web:2.0.1
    web:0d1f3c9 web:20240501 web:1234567 web:bookworm
"""


@pytest.mark.parametrize("image", MOVING.split())
def test_moving_tags_are_mutable(image: str) -> None:
    assert images.is_mutable(image)


@pytest.mark.parametrize("image", [*FINAL.split(), DIGEST, f"web@{DIGEST}", f"web:latest@{DIGEST}"])
def test_final_tags_and_digests_are_not_mutable(image: str) -> None:
    assert not images.is_mutable(image)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("web", ("web", "")),
        ("web:1", ("web", "1")),
        ("localhost:5000/web", ("localhost:5000/web", "")),
        ("localhost:5000/web:1.2", ("localhost:5000/web", "1.2")),
        (f"a/b:1@{DIGEST}", ("a/b", "1")),
    ],
)
def test_reference_is_split_at_its_tag(image: str, expected: tuple[str, str]) -> None:
    assert images.split(image) == expected


@pytest.mark.parametrize(
    ("pull", "image", "present", "from_registry", "expected"),
    [
        (PullPolicy.NEVER, "web:latest", False, False, False),
        (PullPolicy.ALWAYS, "web:1.2.3", True, True, True),
        (PullPolicy.IF_MISSING, "web:latest", True, True, False),
        (PullPolicy.IF_MISSING, "web:latest", False, False, True),
        (PullPolicy.AUTO, "web:latest", True, True, True),
        (PullPolicy.AUTO, "web:latest", True, False, False),
        (PullPolicy.AUTO, "web:1.2.3", True, True, False),
        (PullPolicy.AUTO, "web:1.2.3", False, False, True),
    ],
)
def test_registry_is_asked_as_the_policy_says(
    pull: PullPolicy, image: str, present: bool, from_registry: bool, expected: bool
) -> None:
    asked = images.must_pull(image, pull=pull, present=present, from_registry=from_registry)
    assert asked is expected


# --- names ---

REPLICA = Replica(
    id=ReplicaId("r-abcdef123456"),
    service=ServiceId("shop", "web"),
    revision=RevisionNumber(3),
    generation=1,
    slot=0,
    node=NodeId("n"),
    epoch=Epoch(7),
)


def assignment(**spec: object) -> Assignment:
    container = ContainerSpec(image="web", **spec)  # type: ignore[arg-type]
    return Assignment(replica=REPLICA, container=container, spec_hash="hash")


def test_names_of_a_slot() -> None:
    assert naming.newcomer(REPLICA) == "orca-web-0-r3-123456"
    assert naming.settled(REPLICA) == ("orca-web", "orca-shop-web")
    assert naming.settled(replace(REPLICA, slot=2)) == ("orca-web-2", "orca-shop-web-2")


def test_users_labels_do_not_replace_orcas() -> None:
    found = naming.labels(
        assignment(labels={"orca.replica": "forged", "team": "a"}),
        cluster="main",
        node=NodeId("n"),
    )
    assert found["orca.replica"] == REPLICA.id
    assert found["team"] == "a"
    assert found["orca.cluster"] == "main"
    assert found["orca.epoch"] == "7"


def test_host_network_has_no_aliases() -> None:
    assert naming.aliases(assignment(network="host")) == ()
    assert naming.aliases(assignment(aliases=("web", "www"))) == ("web", "www")


# --- why a run ended ---

CONTAINER = Container(
    id="c", name="c", labels={}, state=ContainerState.EXITED, exit_code=1, started_at=1.0
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "exited with code 1"),
        ({"exit_code": 0}, "exited with code 0"),
        ({"exit_code": 139}, "killed by SIGSEGV (exit code 139)"),
        ({"exit_code": 255}, "exited with code 255"),
        ({"exit_code": 137, "oom_killed": True}, "killed: out of memory"),
        ({"error": "no such device"}, "Docker: no such device"),
    ],
)
def test_obituary_says_how_it_ended(changes: dict[str, object], reason: str) -> None:
    container = replace(CONTAINER, **changes)  # type: ignore[arg-type]
    assert Obituary().of(container).reason.startswith(reason)


def test_obituary_says_why_orca_ended_it_once() -> None:
    first = Obituary().because("its liveness probe failed").of(CONTAINER)
    assert first.reason == "its liveness probe failed"
    assert first.of(CONTAINER).reason == "exited with code 1"


# --- Docker's texts ---


@pytest.mark.parametrize(
    ("text", "says", "permanent"),
    [
        ("manifest for web:9 not found: manifest unknown", "no such image or tag", True),
        ("pull access denied for web, repository does not exist", "may not be read", True),
        ("unauthorized: authentication required", "refuses the credentials", True),
        ("toomanyrequests: You have reached your pull rate limit", "limits how often", False),
        ("net/http: TLS handshake timeout", "did not answer in time", False),
        ("context deadline exceeded", "did not answer in time", False),
        ("dial tcp: lookup nowhere: no such host", "cannot be reached", False),
        ("write /var/lib/docker/x: no space left on device", "no space left", False),
        ("no matching manifest for linux/arm64/v8", "not built for this host", True),
        ("something new", "Docker could not pull it (something new)", False),
    ],
)
def test_image_failures_carry_advice(text: str, says: str, permanent: bool) -> None:
    error = failures.image_error("web:9", text)
    assert says in error.message
    assert "web:9" in error.message
    assert error.permanent is permanent
    assert error.hint or "something new" in text


@pytest.mark.parametrize(
    ("text", "says", "permanent"),
    [
        ("Bind for 0.0.0.0:8080 failed: port is already allocated", "host port 8080", False),
        ("listen tcp4 0.0.0.0:80: bind: address already in use", "host port 80 ", False),
        ('exec: "x": executable file not found in $PATH: unknown', "does not exist", True),
        ("invalid mount config: bind source path does not exist: /x", "on this host", True),
        ("unable to find user nobodyx: no matching entries", "user does not exist", True),
        ("Minimum memory limit allowed is 6MB", "does not accept its settings", True),
        ("driver failed", "Docker refuses it", False),
    ],
)
def test_container_failures_carry_advice(text: str, says: str, permanent: bool) -> None:
    error = failures.container_error("orca-web", text)
    assert says in error.message
    assert error.permanent is permanent


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0001-01-01T00:00:00Z", 0.0),
        ("nonsense", 0.0),
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01T00:00:00.5Z", 1767225600.5),
        ("2026-01-01T01:00:00.250000000+01:00", 1767225600.25),
    ],
)
def test_dockers_timestamps_are_unix_seconds(text: str, seconds: float) -> None:
    assert containers.unix_seconds(text) == seconds


def test_docker_is_found_by_its_environment() -> None:
    assert api.find_host({"DOCKER_HOST": "tcp://10.0.0.1:2375"}) == "tcp://10.0.0.1:2375"
    assert api.find_host({}).startswith("unix:///")


def test_request_shows_no_secret() -> None:
    spec = ContainerSpec(image="web", env={"PASSWORD": "s3cret"})
    assert "s3cret" not in repr(ContainerRequest(name="n", image="web", spec=spec))


def test_request_body_publishes_ports_and_labels_volumes() -> None:
    spec = ContainerSpec(
        image="web",
        ports=(PortMapping(host_port=8080, container_port=80, host_ip="127.0.0.1"),),
        privileged=True,
    )
    request = ContainerRequest(
        name="n",
        image="web",
        spec=spec,
        networks=("orca-shop",),
        owner={"orca.cluster": "main"},
        volumes=(VolumeMount(source="shop_data", target="/data", read_only=True),),
    )
    body = containers.create_body(request, init=False)
    config = body["HostConfig"]
    assert body["ExposedPorts"] == {"80/tcp": {}}
    assert config["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    assert config["Mounts"][0]["VolumeOptions"] == {"Labels": {"orca.cluster": "main"}}
    assert config["Mounts"][0]["ReadOnly"]
    assert config["SecurityOpt"] == []
    assert not config["Init"]
