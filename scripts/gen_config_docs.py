"""Write docs/configuration.md from the models of `orca.spec`; `--check` only says whether it is fresh.

Keys, types, defaults and descriptions come from the code, so the page cannot promise a key that is not
there or forget one that is. The words around the tables are here.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orca.spec import schema, support
from orca.spec.cluster_sections import ClusterKeys
from orca.spec.service_keys import ServiceKeys

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"

INTRO = """\
# Configuration

<!-- Written by scripts/gen_config_docs.py from orca/spec. Change those, then run it again. -->

A configuration is a directory, best kept in git:

```
cluster.toml                      what is true for the whole cluster (may be missing: defaults)
services/<project>/service.toml   the services of one project, as many [[service]] as you like
services/<project>/config/…       files that services mount
```

orca finds it by walking up from the current directory to the first one that holds `cluster.toml` or
`services/`; `-C DIR` or `ORCA_CONFIG_DIR` names it outright. Nothing else depends on the current directory.

`orca config check` reads all of it and reports everything that is wrong, each with file, line and column:

```
services/keycloak/service.toml:14:1: service[1] "keycloak": unknown key "liveless"; did you mean "liveness"?
   14 | liveless = 3
      | ^^^^^^^^
```

`orca config schema` prints JSON Schemas for editors. Keys marked **not supported yet** are checked like all
others, and a deploy that needs one is refused; they are never ignored.

- **Secrets.** `${secrets.NAME}` may stand in any text that orca does not have to know itself: environment,
  commands, labels, images, credentials. It is replaced when the container starts, and nowhere else. Names,
  domains and routes cannot be secret.
- **Paths.** The source of a mount is relative to its `service.toml`; `./services/…` is relative to the
  configuration root. Files of `[store]` are relative to the root.
- **Order.** In TOML a key belongs to the last header above it: `[service.env]` belongs to the last
  `[[service]]`, and `port = 80` below it would be a variable. Keys of the service come first, tables after.
- **Seconds.** Keys that end in `_secs` are numbers of seconds, fractions allowed.
"""

EXAMPLE = """\
## A service with its database

```toml
[[service]]
name = "db"
image = "postgres:16-alpine"

[service.env]
POSTGRES_PASSWORD = "${secrets.DB_PASSWORD}"

[[service.volumes]]
source = "app-db-data"
target = "/var/lib/postgresql/data"

[service.readiness]
command = ["pg_isready", "-U", "postgres"]

[[service]]
name = "app"
image = "registry.example.com/app:1.4.2"
replicas = 2
domain = "app.example.com"
port = 8080
depends_on = ["db"]

[service.env]
DATABASE_URL = "postgres://postgres:${secrets.DB_PASSWORD}@db/postgres"

[service.readiness]
path = "/healthz"

[service.resources]
memory = "512Mi"
cpu = 0.5
```
"""


def page() -> str:
    """The whole page."""
    service = schema.service_schema()
    cluster = schema.cluster_schema()
    parts = [
        INTRO,
        EXAMPLE,
        "## service.toml\n",
        *_tables(ServiceKeys, "", service["$defs"]["Service"], service, support.SERVICE_RULES),
        "## cluster.toml\n",
        *_tables(ClusterKeys, "", cluster, cluster, support.CLUSTER_RULES),
    ]
    return "\n".join(parts)


def _tables(
    model: type[BaseModel],
    prefix: str,
    table: dict[str, Any],
    root: dict[str, Any],
    rules: Sequence[support.Rule[Any]],
) -> Iterator[str]:
    """One Markdown table for `model`, then one for each table inside it."""
    table = _resolved(table, root)
    name = "service" if model is ServiceKeys else ""
    if prefix or name:
        header = ".".join(
            part for part in ("service" * (root["title"].endswith("service.toml")), prefix) if part
        )
        yield f"### `{_brackets(prefix, header, model, root)}`\n"
        if prefix:
            yield f"{inspect.cleandoc(model.__doc__ or '')}\n"
    rows = list(_rows(model, prefix, table, root, rules))
    if rows:
        yield "| key | type | default | meaning |\n|---|---|---|---|"
        yield "\n".join(rows) + "\n"
    for key, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None and key != "extra_ports":
            yield from _tables(
                inner, f"{prefix}.{key}".strip("."), table["properties"][key], root, rules
            )


def _brackets(prefix: str, header: str, model: type[BaseModel], root: dict[str, Any]) -> str:
    many = not prefix or prefix in {
        "volumes",
        "mounts",
        "node",
        "token",
        "backup.targets",
        "node.gpus",
    }
    return f"[[{header}]]" if many else f"[{header}]"


def _rows(
    model: type[BaseModel],
    prefix: str,
    table: dict[str, Any],
    root: dict[str, Any],
    rules: Sequence[support.Rule[Any]],
) -> Iterator[str]:
    for key, entry in table["properties"].items():
        field = model.model_fields.get(key)
        inner = _model_in(field.annotation) if field else None
        if inner is not None and key != "extra_ports" and not prefix and model is ClusterKeys:
            continue  # only tables at the top: each has its own section
        default = _default(field, entry)
        mark = _mark(f"{prefix}.{key}".strip("."), rules)
        meaning = (entry.get("description") or (field.description if field else "") or "") + mark
        kind = (
            "table, see below" if inner is not None and key != "extra_ports" else _type(entry, root)
        )
        yield f"| `{key}` | {kind} | {default} | {_escaped(meaning)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _mark(key: str, rules: Sequence[support.Rule[Any]]) -> str:
    for rule in rules:
        if rule.key == key:
            which = f" ({', '.join(rule.only)})" if rule.only else ""
            return f" **Not supported yet{which}.**"
        if key.startswith(f"{rule.key}."):
            return " **Not supported yet.**"
    return ""


def _default(field: FieldInfo | None, entry: dict[str, Any]) -> str:
    if field is not None and field.is_required():
        return "required"
    value = entry.get("default")
    if value in (None, [], {}, ""):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _type(entry: dict[str, Any], root: dict[str, Any]) -> str:
    """The type in words, from the JSON Schema that editors get."""
    entry = _resolved(entry, root)
    if "enum" in entry:
        return ", ".join(f'`"{choice}"`' for choice in entry["enum"])
    if "const" in entry:
        return f'`"{entry["const"]}"`'
    if "anyOf" in entry:
        kinds = (_type(choice, root) for choice in entry["anyOf"] if choice.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    kind = entry.get("type", "string")
    if isinstance(kind, list):
        return " or ".join(_WORDS[one] for one in kind)
    if kind == "array":
        return f"list of {_PLURALS.get(_type(entry['items'], root), 'tables')}"
    if kind == "object" and "additionalProperties" in entry and "properties" not in entry:
        return "table of text"
    return _WORDS[kind] + _bounds(entry)


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true/false",
    "object": "table",
    "array": "list",
}
_PLURALS = {"text": "texts"}


def _bounds(entry: dict[str, Any]) -> str:
    low = entry.get("minimum", entry.get("exclusiveMinimum"))
    high = entry.get("maximum")
    if high is not None:
        return f" {low or 0}–{high}"
    if "exclusiveMinimum" in entry:
        return f" > {low}"
    return f" ≥ {low}" if low is not None else ""


def _resolved(entry: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and look through `X or nothing` and `X, or text for short`."""
    while True:
        if "$ref" in entry:
            entry = root["$defs"][entry["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in entry and any(
            "$ref" in choice or "properties" in choice for choice in entry["anyOf"]
        ):
            entry = entry["anyOf"][0]
        elif entry.get("type") == "array" and "$ref" in entry.get("items", {}):
            entry = entry["items"]
        else:
            return entry


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in typing.get_args(annotation))
    return next((model for model in found if model is not None), None)


def main(arguments: Sequence[str]) -> int:
    """0 when the page is fresh or was written, 1 when `--check` found it stale."""
    text = page()
    if "--check" in arguments:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print(f"{PAGE.name} is {'fresh' if fresh else 'stale: run scripts/gen_config_docs.py'}")
        return 0 if fresh else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
