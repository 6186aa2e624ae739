from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orca.spec import schema
from orca.spec.load import load

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("make", [schema.service_schema, schema.cluster_schema])
def test_every_key_is_described(make: Any) -> None:
    described = list(properties(make()))
    assert len(described) > 40
    assert [name for name, entry in described if not entry.get("description")] == []


def properties(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(data, dict):
        yield from data.get("properties", {}).items()
        for inner in data.values():
            yield from properties(inner)
    elif isinstance(data, list):
        for inner in data:
            yield from properties(inner)


def test_references_inside_the_schemas_lead_somewhere() -> None:
    for made in (schema.service_schema(), schema.cluster_schema()):
        names = set(re.findall(r"#/\$defs/(\w+)", repr(made)))
        assert names
        assert names <= set(made["$defs"])


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('name = "a"\nimage = "a"', True),
        ('name = "a"\nimage = "a"\ndomain = "a.b"\nport = 80\nhealth = "/x"', True),
        ('name = "a"\nimage = "a"\nmounts = ["./a:/b:ro", { source = "/a", target = "/c" }]', True),
        ('name = "a"\nimage = "a"\nextra_ports = ["53:53/udp"]\nruntime = "container"', True),
        ('name = "a"\nimage = "a"\nresources = { memory = "1.5Gi", cpu = "500m" }', True),
        ('name = "a"\nimage = "a"\nliveness = { tcp = true }\nenv = { A = 1, B = true }', True),
        ('name = "a"\nimage = "a"\nreplicas = "auto"', True),
        ('image = "a"', False),
        ('name = "A"\nimage = "a"', False),
        ('name = "a"\nimage = "a"\nliveless = 1', False),
        ('name = "a"\nimage = "a"\nreplicas = "two"', False),
        ('name = "a"\nimage = "a"\nport = 70000', False),
        ('name = "a"\nimage = "a"\nmounts = ["./a"]', False),
        ('name = "a"\nimage = "a"\nresources = { memory = "512MB" }', False),
    ],
)
def test_schema_of_services_accepts_what_loads(text: str, valid: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema.service_schema())
    assert validator.is_valid(tomllib.loads("[[service]]\n" + text)) is valid


def test_schemas_accept_the_configuration_of_the_guide(breakpilot: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for file, made in (
        ("cluster.toml", schema.cluster_schema()),
        ("services/keycloak/service.toml", schema.service_schema()),
    ):
        jsonschema.Draft202012Validator.check_schema(made)
        data = tomllib.loads((breakpilot / file).read_text())
        jsonschema.Draft202012Validator(made).validate(data)


# --- the reference page ---------------------------------------------------------------------------


def test_reference_page_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import gen_config_docs

    monkeypatch.delitem(sys.modules, "gen_config_docs")
    assert gen_config_docs.PAGE.read_text(encoding="utf-8") == gen_config_docs.page()


def test_examples_of_the_reference_page_load(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, re.S)
    assert examples
    for number, text in enumerate(examples):
        directory = tmp_path / str(number) / "services" / "app"
        directory.mkdir(parents=True)
        (directory / "service.toml").write_text(text)
        loaded = load(tmp_path / str(number)).require()
        assert loaded.services
        assert not loaded.unsupported
