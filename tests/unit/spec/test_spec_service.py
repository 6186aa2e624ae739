from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orca import errors
from orca.spec import explain
from orca.spec.fault import Fault
from orca.spec.probes import LivenessProbe
from orca.spec.service import ServiceSpec
from orca.spec.storage import PortMapping

BASE: dict[str, Any] = {"name": "web", "project": "shop", "image": "web:1"}


def spec(**keys: Any) -> ServiceSpec:
    return ServiceSpec.model_validate(BASE | keys)


def faults(**keys: Any) -> tuple[Fault, ...]:
    with pytest.raises(ValidationError) as caught:
        ServiceSpec.model_validate({k: v for k, v in (BASE | keys).items() if v is not ...})
    return explain.faults(caught.value, ServiceSpec)


def fault(**keys: Any) -> Fault:
    found = faults(**keys)
    assert len(found) == 1, [str(one) for one in found]
    return found[0]


def test_defaults_are_those_of_the_documentation() -> None:
    found = spec()
    assert (found.replicas, found.routes, found.pull, found.runtime) == (
        1,
        ("/",),
        "auto",
        "docker",
    )
    assert (found.stop_grace_secs, found.max_restarts, found.init) == (10, None, True)
    assert (found.log_max_size, found.log_max_files) == ("10m", 3)
    assert (found.deploy.order, found.deploy.max_surge, found.deploy.max_unavailable) == (
        "auto",
        1,
        1,
    )
    assert (found.deploy.drain_secs, found.deploy.progress_deadline_secs) == (30, 300)


def test_ref_and_dependencies_are_qualified() -> None:
    found = spec(depends_on=["db", "infra/cache"])
    assert found.ref == "shop/web"
    assert found.dependencies == ("shop/db", "infra/cache")


def test_container_is_another_word_for_docker() -> None:
    assert spec(runtime="container") == spec(runtime="docker") == spec()


def test_domain_is_one_or_many_and_lower_case() -> None:
    one = spec(domain="A.Example.com", port=80)
    assert one.domains == ("a.example.com",)
    assert spec(domains=["a.example.com"], port=80) == one
    assert spec(domain=["a.example.com", "*.b.de"], port=80).domains[1] == "*.b.de"


def test_health_is_a_liveness_probe() -> None:
    assert spec(health="/up", port=80) == spec(liveness={"path": "/up"}, port=80)


def test_volume_gets_a_name_from_the_service() -> None:
    found = spec(volume={"path": "/data", "size": "10Gi"}).volumes[0]
    assert (found.source, found.target, found.size) == ("web-data", "/data", 10 * 2**30)


@pytest.mark.parametrize(
    "pair", [("domain", "domains"), ("health", "liveness"), ("volume", "volumes")]
)
def test_both_spellings_at_once_are_refused(pair: tuple[str, str]) -> None:
    values: dict[str, Any] = {
        "domain": "a.b",
        "domains": ["c.d"],
        "health": "/x",
        "liveness": {"path": "/x"},
        "volume": {"path": "/d"},
        "volumes": ["x:/e"],
    }
    found = fault(port=80, **{key: values[key] for key in pair})
    assert found.message == f'both "{pair[0]}" and "{pair[1]}" are given'


def test_environment_values_become_text() -> None:
    assert spec(env={"A": 1, "B": True, "C": 1.5, "D": "x"}).env == {
        "A": "1",
        "B": "true",
        "C": "1.5",
        "D": "x",
    }


def test_every_bad_variable_is_named() -> None:
    found = faults(env={"A=B": "x", "L": [1], "T": {}})
    assert [one.path for one in found] == [("env", "A=B"), ("env", "L"), ("env", "T")]


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("22222:22", PortMapping(host_port=22222, container_port=22)),
        (
            "127.0.0.1:5432:5432",
            PortMapping(host_ip="127.0.0.1", host_port=5432, container_port=5432),
        ),
        ("53:53/udp", PortMapping(host_port=53, container_port=53, protocol="udp")),
        ("[::1]:80:8080", PortMapping(host_ip="::1", host_port=80, container_port=8080)),
    ],
)
def test_extra_ports_are_read(text: str, mapping: PortMapping) -> None:
    assert spec(extra_ports=[text]).extra_ports == (mapping,)
    assert spec(extra_ports=[str(mapping)]).extra_ports == (mapping,)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("80", '"80:80"'),
        (80, '"80:80"'),
        ("1-2:1-2", "one entry per port"),
        ("x:80", "22222:22"),
        ("70000:80", "at most 65535"),
        ("53:53/icmp", '"tcp", "udp"'),
        ("999.0.0.1:80:80", "IP address"),
    ],
)
def test_extra_ports_that_are_no_mapping_are_refused(entry: object, words: str) -> None:
    found = fault(extra_ports=[entry])
    assert found.path[:2] == ("extra_ports", 0)
    assert words in f"{found.message} {found.hint}"


def test_mounts_and_volumes_have_a_short_form() -> None:
    found = spec(mounts=["/etc/app:/etc/app:ro"], volumes=["data:/data"])
    assert found == spec(
        mounts=[{"source": "/etc/app", "target": "/etc/app", "read_only": True}],
        volumes=[{"source": "data", "target": "/data"}],
    )


@pytest.mark.parametrize(
    ("keys", "path", "words"),
    [
        ({"mounts": ["/a"]}, ("mounts", 0), "source:/target"),
        ({"mounts": ["/a:/b:rx"]}, ("mounts", 0), "source:/target"),
        ({"mounts": ["~/a:/b"]}, ("mounts", 0, "source"), "absolute path"),
        ({"mounts": ["/a:b"]}, ("mounts", 0, "target"), 'write "/b"'),
        ({"volumes": ["./a:/b"]}, ("volumes", 0, "source"), "[[service.mounts]]"),
        ({"volume": "/data"}, ("volume",), 'write volume = { path = "/data" }'),
        ({"volume": {"size": "1Gi"}}, ("volume",), '"path" is required'),
        ({"tmpfs": ["/tmp"], "volumes": ["t:/tmp/"]}, ("tmpfs", 0), "already taken by volumes"),
        ({"mounts": ["/:/"]}, ("mounts", 0, "target"), "root cannot be replaced"),
        ({"image": ...}, (), '"image" is required'),
        ({"image": "Foo:1"}, ("image",), "not an image"),
        ({"image": "https://x/y"}, ("image",), "not an image"),
        ({"name": "Web"}, ("name",), "lower-case"),
        ({"name": "a" * 64}, ("name",), "longer than 63"),
        ({"name": "${secrets.X}"}, ("name",), "secret cannot be used"),
        ({"replicas": "two"}, ("replicas",), '"auto"'),
        ({"replicas": -1}, ("replicas",), "from 0 to 1000"),
        ({"replicas": True}, ("replicas",), "not true"),
        ({"replicas": 1.5}, ("replicas",), "not 1.5"),
        ({"port": 0}, ("port",), "at least 1, not 0"),
        ({"port": 65536}, ("port",), "at most 65535"),
        ({"port": "80"}, ("port",), "remove the quotes"),
        ({"port": 80.0}, ("port",), "whole number"),
        ({"internal": "true"}, ("internal",), "remove the quotes"),
        ({"command": "run -a 'b c'"}, ("command",), 'write ["run", "-a", "b c"]'),
        ({"command": "run 'x"}, ("command",), "list of words"),
        ({"stop_grace_secs": "1m"}, ("stop_grace_secs",), "write 60"),
        ({"stop_grace_secs": "soon"}, ("stop_grace_secs",), "number of seconds"),
        ({"stop_grace_secs": float("inf")}, ("stop_grace_secs",), "finite"),
        ({"log_max_size": "10MB"}, ("log_max_size",), '"10m"'),
        ({"pull": "allways"}, ("pull",), 'did you mean "always"?'),
        ({"labels": {"orca.service": "x"}}, ("labels", "orca.service"), "belong to orca"),
        ({"labels": {"a": 1}}, ("labels", "a"), "must be text"),
        ({"depends_on": ["a b"]}, ("depends_on", 0), "project/db"),
        ({"depends_on": ["a", "a"]}, ("depends_on", 1), "there twice"),
        ({"secrets": ["${secrets.X}"]}, ("secrets", 0), ""),
        ({"secrets": ["a b"]}, ("secrets", 0), "bare name"),
        ({"env": {"A": "${secrets.}"}}, ("env", "A"), "malformed"),
        ({"domain": "a.b"}, ("domains",), "needs a port"),
        ({"domain": "a b", "port": 1}, ("domains", 0), "not a domain"),
        ({"domain": "http://a.b/x", "port": 1}, ("domains", 0), 'write "a.b"'),
        ({"domain": "a.b", "port": 1, "internal": True}, ("domains",), "no domain"),
        ({"routes": ["/api"]}, ("routes",), "need a domain"),
        ({"domain": "a.b", "port": 1, "routes": ["api"]}, ("routes", 0), "begins with"),
        ({"domain": "a.b", "port": 1, "routes": ["/*/x"]}, ("routes", 0), "not a route"),
        ({"host_port": 80}, ("host_port",), "needs port"),
        ({"host_port": 80, "port": 80, "replicas": 2}, ("replicas",), "only one copy"),
        ({"extra_ports": ["22:22"], "replicas": 3}, ("replicas",), "host's port 22"),
        (
            {"extra_ports": ["22:22"], "deploy": {"order": "start-first"}},
            ("deploy", "order"),
            "stop-first",
        ),
        ({"deploy": {"max_surge": 0, "max_unavailable": 0}}, ("deploy",), "never move"),
        ({"resources": {"memory": "1Mi"}}, ("resources", "memory"), "at least 6Mi"),
        ({"resources": {"memory": "512MB"}}, ("resources", "memory"), '"512Mi"'),
        ({"liveness": {"path": "/x"}}, ("liveness",), "no port to ask"),
        ({"tls_cert": "a.pem"}, ("tls_cert",), "need each other"),
        ({"module": "x.wasm"}, ("module",), 'runtime = "wasm"'),
        ({"runtime": "wasm", "image": ...}, (), '"module"'),
        (
            {"runtime": "wasm", "module": "x", "triggers": ["often"]},
            ("triggers", 0),
            "cron:schedule",
        ),
        ({"resources": 5}, ("resources",), "must be a table"),
        ({"env": "A=B"}, ("env",), "must be a table"),
        ({"depends_on": "db"}, ("depends_on",), "must be a list"),
    ],
)
def test_bad_value_is_refused_where_it_stands(
    keys: dict[str, Any], path: tuple[str | int, ...], words: str
) -> None:
    found = fault(**keys)
    assert found.path == path
    assert words in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("liveless", "liveness"),
        ("environment", "env"),
        ("ports", "extra_ports"),
        ("domian", "domain"),
    ],
)
def test_unknown_key_is_refused_with_a_guess(key: str, meant: str) -> None:
    assert fault(**{key: 1}).message == f'unknown key "{key}"; did you mean "{meant}"?'


def test_unknown_key_in_a_table_is_compared_with_that_table() -> None:
    found = fault(deploy={"stratgy": "rolling"})
    assert found.path == ("deploy", "stratgy")
    assert found.message == 'unknown key "stratgy"; did you mean "strategy"?'
    assert "did you mean" not in fault(deploy={"zzz": 1}).message


def test_all_faults_of_a_service_are_named_at_once() -> None:
    assert len(faults(port=0, replicas="x", nope=1, resources={"memory": "1MB", "cpu": "x"})) == 5


def test_secret_is_not_repeated_in_a_message() -> None:
    with pytest.raises(errors.InvalidConfig) as caught:
        explain.validated(ServiceSpec, BASE | {"env": {"TOKEN": ["hunter2"]}})
    assert "hunter2" not in "".join(caught.value.problems)
    assert caught.value.problems == (
        "env.TOKEN: must be text, a number or true/false (one value per variable)",
    )


# --- probes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"path": "/x"}, "http"),
        ({"path": "/x", "port": 9000}, "http"),
        ({"port": 9000}, "tcp"),
        ({"tcp": True}, "tcp"),
        ({"kind": "tcp"}, "tcp"),
        ({"command": ["true"]}, "exec"),
    ],
)
def test_kind_of_a_probe_follows_from_its_keys(written: dict[str, Any], kind: str) -> None:
    found = spec(port=80, liveness=written).liveness
    assert found is not None
    assert found.kind == kind
    assert LivenessProbe.model_validate(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({}, "does not say what to ask"),
        ({"interval_secs": 3}, "does not say what to ask"),
        ({"path": "/x", "command": ["a"]}, "in two ways at once: http and exec"),
        ({"path": "/x", "tcp": True}, "in two ways at once: http and tcp"),
        ({"kind": "http"}, "needs a path"),
        ({"kind": "exec", "command": []}, "needs a command"),
        ({"kind": "grpc", "path": "/x"}, "must be one of"),
        ({"path": "/x", "tcp": False}, 'unknown key "tcp"'),
        ({"path": "x"}, "begin"),
        ({"path": "/x", "interval_secs": 0}, "more than 0"),
        ({"path": "/x", "failure_threshold": 0}, "at least 1"),
    ],
)
def test_probe_that_is_unclear_is_refused(written: dict[str, Any], words: str) -> None:
    found = fault(port=80, liveness=written)
    assert found.path[0] == "liveness"
    assert words in f"{found.message} {found.hint}"


def test_probes_have_defaults_of_their_own() -> None:
    found = spec(port=80, startup={"tcp": True}, readiness={"tcp": True}, liveness={"tcp": True})
    assert found.startup is not None
    assert found.readiness is not None
    assert found.liveness is not None
    assert (found.startup.interval_secs, found.startup.failure_threshold) == (1, 300)
    assert (found.readiness.interval_secs, found.readiness.initial_delay_secs) == (2, 0)
    assert (found.liveness.interval_secs, found.liveness.initial_delay_secs) == (10, 5)
    assert found.probe_port(found.liveness) == 80


# --- round trip -----------------------------------------------------------------------------------

OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "replicas": st.integers(0, 5) | st.just("auto"),
    "env": st.dictionaries(st.from_regex("[A-Z]{1,4}", fullmatch=True), st.text(alphabet="ab $")),
    "command": st.lists(st.text(max_size=4), max_size=3),
    "resources": st.sampled_from([{"memory": "512Mi"}, {"cpu": "250m"}, {"gpu": {"count": 2}}]),
    "volume": st.just({"path": "/data", "size": "1Gi"}),
    "mounts": st.just(["/a:/b:ro"]),
    "health": st.just("/up"),
    "readiness": st.sampled_from([{"path": "/r"}, {"tcp": True}, {"command": ["x"]}]),
    "domain": st.sampled_from(["a.b", ["a.b", "c.d"]]),
    "deploy": st.sampled_from([{"strategy": "canary"}, {"order": "stop-first"}]),
    "user": st.sampled_from([1000, "app"]),
    "max_restarts": st.none() | st.integers(0, 9),
    "cap_add": st.just(["cap_net_admin"]),
    "backup": st.just({"pre_hook": "dump"}),
}


@given(st.fixed_dictionaries({"port": st.integers(1, 65535)}, optional=OPTIONAL))
def test_spec_survives_json(keys: dict[str, Any]) -> None:
    found = spec(**keys)
    assert ServiceSpec.model_validate(found.model_dump(mode="json")) == found
    assert ServiceSpec.model_validate_json(found.model_dump_json()) == found


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
        ),
    ),
    st.sampled_from([*ServiceSpec.model_fields, "domain", "volume", "health", "nonsense"]),
)
def test_any_value_of_any_key_is_taken_or_refused_in_words(value: Any, key: str) -> None:
    try:
        ServiceSpec.model_validate(BASE | {key: value})
    except ValidationError as error:
        found = explain.faults(error, ServiceSpec)
        assert found
        assert all(one.message for one in found)
