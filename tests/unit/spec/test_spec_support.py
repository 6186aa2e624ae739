from __future__ import annotations

from typing import Any

import pytest

from orca.spec import support
from orca.spec.cluster import ClusterSpec
from orca.spec.service import ServiceSpec


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"deploy": {"strategy": "canary"}}, 'deploy.strategy = "canary": not supported yet'),
        (
            {"deploy": {"strategy": "blue-green"}},
            'deploy.strategy = "blue-green": not supported yet',
        ),
        ({"replicas": "auto"}, 'replicas = "auto": not supported yet'),
        ({"resources": {"gpu": {}}}, "resources.gpu: not supported yet"),
        ({"placement": {"requires_gpu": True}}, "placement.requires_gpu: not supported yet"),
        ({"volume": {"path": "/d", "size": "1Gi"}}, "volumes.size: not supported yet"),
        ({"build": {"repo": "git@x:y.git"}}, "build: not supported yet"),
        ({"backup": {"pre_hook": "dump"}}, "backup: not supported yet"),
    ],
)
def test_service_that_needs_a_later_feature_says_so(keys: dict[str, Any], sentence: str) -> None:
    spec = ServiceSpec.model_validate({"name": "a", "image": "a"} | keys)
    assert support.unsupported(spec) == (sentence,)


def test_wasm_service_is_not_supported() -> None:
    spec = ServiceSpec.model_validate(
        {"name": "a", "runtime": "wasm", "module": "a.wasm", "triggers": ["http:/x"], "assets": "d"}
    )
    assert support.unsupported(spec) == (
        'runtime = "wasm": not supported yet',
        "module: not supported yet",
        "triggers: not supported yet",
        "assets: not supported yet",
    )


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"acme": {"email": "a@b.de"}}, "acme: not supported yet"),
        ({"cluster": {"acme_email": "a@b.de"}}, "cluster.acme_email: not supported yet"),
        ({"cluster": {"api_host": "10.0.0.1"}}, 'cluster.api_host = "10.0.0.1": not supported yet'),
        ({"cluster": {"network": {}}}, "cluster.network: not supported yet"),
        ({"network": {}}, "network: not supported yet"),
        ({"store": {"prefix": "/x/"}}, 'store.prefix = "/x/": not supported yet'),
        ({"node": [{"address": "a"}]}, "node: not supported yet"),
        ({"observability": {"alerts": {}}}, "observability.alerts: not supported yet"),
        ({"ai": {"provider": "ollama"}}, "ai: not supported yet"),
        (
            {"backup": {"enabled": True, "targets": [{"type": "local", "path": "/b"}]}},
            "backup.enabled = true: not supported yet",
        ),
    ],
)
def test_cluster_that_needs_a_later_feature_says_so(data: dict[str, Any], sentence: str) -> None:
    assert support.unsupported(ClusterSpec.model_validate(data)) == (sentence,)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_plain_specs_need_nothing_later(host: str) -> None:
    assert support.unsupported(ServiceSpec(name="a", image="a")) == ()
    assert support.unsupported(ClusterSpec.model_validate({"cluster": {"api_host": host}})) == ()


def test_every_rule_names_a_key_that_exists() -> None:
    for rules, model in (
        (support.SERVICE_RULES, ServiceSpec),
        (support.CLUSTER_RULES, ClusterSpec),
    ):
        for rule in rules:
            assert rule.key.split(".")[0] in model.model_fields
