"""The kinds of value that keys hold, each with its check and its entry in the JSON Schema.

A check raises one message that says what is expected; the messages of pydantic itself are only for
what no check here covers (`explain`). Numbers are strict: a port in quotes is a mistake, not a port.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from orca.spec import checks, references, units

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_NAME = re.compile(_LABEL)
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_ALIAS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_DOCKER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::\d+)?/|\[[0-9a-fA-F:]+\](?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_ROUTE = re.compile(r"/[^\s*?#]*\*?")
_URL = re.compile(r"https?://[^\s/]+(?:/\S*)?")
_URL_PATH = re.compile(r"/\S*")
_LOG_SIZE = re.compile(r"[1-9]\d*[kmg]")
_SECRET_NAME = re.compile(references.NAME_PATTERN)


class Spec(BaseModel):
    """Base of everything a user can write: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Keys that are accepted and turned into others, with their JSON Schema.
    other_spellings: ClassVar[Mapping[str, JsonDict]] = {}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        if cls.other_spellings:
            handler.resolve_ref_schema(schema)["properties"].update(cls.other_spellings)
        return schema


Name = Annotated[
    str,
    checks.text(
        _NAME,
        "a name",
        hint="use lower-case letters, digits and '-', beginning and ending with a letter or digit",
        longest=63,
    ),
    Field(json_schema_extra={"pattern": f"^{_LABEL}$", "maxLength": 63}),
]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Count = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Flag = Annotated[bool, Field(strict=True)]
Seconds = Annotated[
    float,
    checks.before(checks.seconds),
    Field(strict=True, ge=0, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "minimum": 0}),
]
Interval = Annotated[
    float,
    checks.before(checks.seconds),
    Field(strict=True, gt=0, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
Replicas = Annotated[
    int | Literal["auto"],
    checks.before(checks.replicas),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1000}, {"const": "auto"}]}
    ),
]
Memory = Annotated[
    int,
    checks.before(units.memory_bytes),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(Ki|Mi|Gi|Ti|k|M|G|T)?$"},
                {"type": "integer", "minimum": 1},
            ]
        }
    ),
]
Cpu = Annotated[
    float,
    checks.before(units.cpu_cores),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0.01},
                {"type": "string", "pattern": r"^\d+(\.\d+)?m?$"},
            ]
        }
    ),
]
Domain = Annotated[
    str,
    checks.before(checks.domain),
    checks.text(_HOST, "a domain", hint='write a host name such as "app.example.com"', longest=253),
]
Domains = Annotated[
    tuple[Domain, ...],
    BeforeValidator(checks.one_or_many),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Route = Annotated[
    str,
    checks.text(_ROUTE, "a route", hint='write a path that begins with "/", such as "/api/*"'),
    Field(json_schema_extra={"pattern": r"^/[^\s*?#]*\*?$"}),
]
Words = Annotated[tuple[str, ...], checks.before(checks.words)]
Variables = Annotated[
    dict[str, str],
    checks.before(checks.environment),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": ["string", "integer", "number", "boolean"]},
        }
    ),
]
Scalar = Annotated[
    str, BeforeValidator(checks.scalar), WithJsonSchema({"type": ["string", "integer"]})
]
SecretName = Annotated[
    str,
    checks.text(_SECRET_NAME, "a secret's name", hint='write the bare name, such as "DB_PASSWORD"'),
]
Image = Annotated[
    str,
    checks.text_or_secret(_IMAGE, "an image reference", hint='write "name:tag" or "host/name:tag"'),
]
Alias = Annotated[str, checks.text(_ALIAS, "a network alias", longest=253)]
DockerName = Annotated[
    str,
    checks.text(
        _DOCKER_NAME, "a name that Docker accepts", hint="use letters, digits, '_', '.', '-'"
    ),
]
UrlPath = Annotated[
    str,
    checks.text(_URL_PATH, "a path", hint='a path begins with "/" and has no spaces'),
    Field(json_schema_extra={"pattern": r"^/\S*$"}),
]
ContainerPath = Annotated[str, AfterValidator(checks.absolute)]
IpAddress = Annotated[str, AfterValidator(checks.ip)]
Url = Annotated[
    str, checks.text_or_secret(_URL, "an http(s) URL", hint='write "https://host/path"')
]
LogSize = Annotated[
    str,
    checks.text(_LOG_SIZE, "a log size", hint='write "10m": a number and k, m or g'),
    Field(json_schema_extra={"pattern": "^[1-9][0-9]*[kmg]$"}),
]
Capability = Annotated[str, AfterValidator(checks.capability)]
