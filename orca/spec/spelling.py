"""Keys with two spellings: the one people write and the canonical one.

`domain` and `domains`, `volume` and `volumes`, `health` and `liveness` say the same thing. Models hold
the canonical form only; `written` leads back, so that a message points at what stands in the file.
"""

from __future__ import annotations

from typing import Any

from pydantic.config import JsonDict

from orca.spec.fault import Path, refusal

_PAIRS = {"domain": "domains", "volume": "volumes", "health": "liveness"}

SCHEMA: dict[str, JsonDict] = {
    "domain": {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": "Another spelling of `domains`.",
    },
    "volume": {
        "type": "object",
        "description": "One volume, named `SERVICE-data`.",
        "properties": {
            "path": {"type": "string", "description": "Absolute path in the container."},
            "size": {"type": ["string", "integer"], "description": "Largest size, such as 10Gi."},
            "read_only": {
                "type": "boolean",
                "description": "Whether the container may only read it.",
            },
        },
        "required": ["path"],
        "additionalProperties": False,
    },
    "health": {
        "type": "string",
        "pattern": r"^/\S*$",
        "description": "Short for an http liveness probe on this path.",
    },
}


def canonical(data: dict[str, Any]) -> dict[str, Any]:
    """`data` of a service with canonical keys only. Refuses both spellings at once."""
    data = dict(data)
    for other, key in _PAIRS.items():
        if other not in data:
            continue
        if data.get(key):
            raise refusal(
                f'both "{other}" and "{key}" are given', hint="keep one", path=(other,), at_key=True
            )
        data[key] = _CONVERT[other](data.pop(other), data)
    return data


def written(path: Path, data: dict[str, Any]) -> Path:
    """The path in the file's own spelling; `path` is relative to the service, `data` as parsed."""
    for other, key in _PAIRS.items():
        if not path or path[0] != key or key in data or other not in data:
            continue
        if other == "health":
            return (other,)
        if other == "volume":
            rest = tuple("path" if part == "target" else part for part in path[2:])
            return (other, *rest)
        return (other, *path[1:]) if isinstance(data[other], list) else (other,)
    return path


def _volumes(value: Any, data: dict[str, Any]) -> Any:
    if not isinstance(value, dict):
        raise refusal(
            "must be a table with path", hint='write volume = { path = "/data" }', path=("volume",)
        )
    if "path" not in value:
        raise refusal('the key "path" is required', path=("volume",), at_key=True)
    rest = {key: item for key, item in value.items() if key != "path"}
    return [{"source": f"{data.get('name')}-data", "target": value["path"], **rest}]


def _liveness(value: Any, _data: dict[str, Any]) -> Any:
    return {"path": value}


def _domains(value: Any, _data: dict[str, Any]) -> Any:
    return value


_CONVERT = {"domain": _domains, "volume": _volumes, "health": _liveness}
