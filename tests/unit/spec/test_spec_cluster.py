from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orca.spec import explain
from orca.spec.cluster import ClusterSpec, conflicting_spellings
from orca.spec.fault import Fault

HASH = "sha256:" + "0" * 64


def faults(data: dict[str, Any]) -> tuple[Fault, ...]:
    with pytest.raises(ValidationError) as caught:
        ClusterSpec.model_validate(data)
    return explain.faults(caught.value, ClusterSpec)


def test_defaults_are_those_of_the_documentation() -> None:
    found = ClusterSpec()
    assert (found.name, found.api_host, found.api_port, found.grpc_port) == (
        "orca",
        "127.0.0.1",
        6880,
        6881,
    )
    assert (found.proxy.http_port, found.proxy.https_port, found.log_level) == (80, 443, "info")
    assert found.store.endpoints == ()


def test_spec_survives_json() -> None:
    found = ClusterSpec.model_validate(
        {
            "cluster": {"name": "a", "acme_email": "a@b.de"},
            "token": [{"name": "ci", "value": HASH, "role": "deployer"}],
            "store": {"endpoints": ["https://etcd:2379", "[::1]:2379"]},
            "ai": {"provider": "ollama", "api_key": "${secrets.AI}"},
        }
    )
    assert ClusterSpec.model_validate(found.model_dump(mode="json")) == found


def test_secrets_may_stand_in_credentials_and_addresses() -> None:
    found = ClusterSpec.model_validate(
        {
            "observability": {"otlp_endpoint": "${secrets.OTLP}"},
            "token": [{"name": "ci", "value": "${secrets.CI}", "role": "viewer"}],
        }
    )
    assert found.token[0].value == "${secrets.CI}"


def test_either_spelling_of_the_acme_contact_is_understood() -> None:
    assert ClusterSpec.model_validate({"cluster": {"acme_email": "a@b.de"}}).acme_email == "a@b.de"
    assert ClusterSpec.model_validate({"acme": {"email": "a@b.de"}}).acme_email == "a@b.de"


def test_spellings_that_disagree_are_pointed_out_and_the_table_wins() -> None:
    found = ClusterSpec.model_validate(
        {"cluster": {"acme_email": "a@b.de"}, "acme": {"email": "c@d.de"}}
    )
    assert found.acme_email == "c@d.de"
    assert [one.path for one in conflicting_spellings(found)] == [("cluster", "acme_email")]


def test_spellings_that_agree_are_fine() -> None:
    found = ClusterSpec.model_validate(
        {"cluster": {"acme_email": "a@b.de"}, "acme": {"email": "a@b.de"}}
    )
    assert conflicting_spellings(found) == []


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        ({"api_tokens": ["x"]}, ("api_tokens",), "[[token]]"),
        ({"cluster": {"api_tokens": ["x"]}}, ("cluster", "api_tokens"), "[[token]]"),
        ({"service": []}, ("service",), "services/<project>/service.toml"),
        ({"proxi": {}}, ("proxi",), 'did you mean "proxy"?'),
        ({"cluster": {"nam": "x"}}, ("cluster", "nam"), 'did you mean "name"?'),
        ({"cluster": {"log_level": "warning"}}, ("cluster", "log_level"), 'did you mean "warn"?'),
        ({"cluster": {"api_port": 6881}}, ("cluster", "grpc_port"), "already cluster.api_port"),
        ({"proxy": {"http_port": 443}}, ("proxy", "https_port"), "already proxy.http_port"),
        ({"cluster": {"acme_email": "nobody"}}, ("cluster", "acme_email"), "e-mail"),
        ({"acme": {"directory": "example.com"}}, ("acme", "directory"), "https://"),
        ({"store": {"endpoints": ["etcd"]}}, ("store", "endpoints", 0), "host:2379"),
        ({"store": {"ca_file": "ca.pem"}}, ("store", "ca_file"), "needs endpoints"),
        (
            {"store": {"endpoints": ["a:1"], "cert_file": "c.pem"}},
            ("store", "cert_file"),
            "need each other",
        ),
        ({"store": {"prefix": "orca"}}, ("store", "prefix"), "begin and end"),
        ({"backup": {"enabled": True}}, ("backup",), "at least one"),
        ({"backup": {"targets": [{"type": "local"}]}}, ("backup", "targets", 0), '"path"'),
        ({"backup": {"targets": [{"type": "s3"}]}}, ("backup", "targets", 0), '"bucket"'),
        (
            {"backup": {"targets": [{"type": "local", "path": "/b", "bucket": "bbb"}]}},
            ("backup", "targets", 0, "bucket"),
            "no meaning",
        ),
        (
            {"backup": {"targets": [{"type": "s3", "bucket": "b"}]}},
            ("backup", "targets", 0, "bucket"),
            "at least 3",
        ),
        ({"node": [{"address": ""}]}, ("node", 0, "address"), "must not be empty"),
        ({"node": [{"address": "a"}, {"address": "a"}]}, ("node", 1, "address"), "there twice"),
        ({"token": [{"name": "a", "value": HASH}]}, ("token", 0), '"role" is required'),
        ({"ai": {}}, ("ai",), '"provider" is required'),
        ({"ai": {"provider": "x"}}, ("ai", "provider"), "must be one of"),
        ({"ai": {"provider": "ollama", "api_key": "${secrets.}"}}, ("ai", "api_key"), "malformed"),
    ],
)
def test_bad_value_is_refused_where_it_stands(
    data: dict[str, Any], path: tuple[str | int, ...], words: str
) -> None:
    (found,) = faults(data)
    assert found.path == path
    assert words in f"{found.message} {found.hint}"


@pytest.mark.parametrize("value", ["hunter2", "sha256:abc", "x${secrets.A}", ""])
def test_token_in_clear_text_is_refused_and_not_repeated(value: str) -> None:
    (found,) = faults({"token": [{"name": "ci", "value": value, "role": "admin"}]})
    assert "clear text" in found.message
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "schedule",
    ["0 0 3 * * *", "0 3 * * *", "*/5 * * * *", "0 0 1-5,9 JAN,mar MON-FRI", "0 0 * * 7", "@daily"],
)
def test_schedule_is_accepted(schedule: str) -> None:
    assert (
        ClusterSpec.model_validate({"backup": {"schedule": schedule}}).backup.schedule == schedule
    )


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("daily", "5 or 6 fields, not 1"),
        ("0 0 25 * * *", 'no valid hour: "25"'),
        ("60 3 * * *", 'no valid minute: "60"'),
        ("0 3 * FOO *", 'no valid month: "FOO"'),
        ("0 3 0 * *", 'no valid day of the month: "0"'),
        ("*/0 * * * *", 'no valid minute: "*/0"'),
        ("5-1 * * * *", 'no valid minute: "5-1"'),
        ("1,,2 * * * *", 'no valid minute: ""'),
        ("*-3 * * * *", "no valid minute"),
    ],
)
def test_schedule_that_is_none_names_its_field(schedule: str, words: str) -> None:
    (found,) = faults({"backup": {"schedule": schedule}})
    assert found.path == ("backup", "schedule")
    assert words in found.message
