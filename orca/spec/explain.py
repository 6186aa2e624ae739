"""pydantic's errors → faults in the words of the configuration.

Also the did-you-mean: the names that could have been meant are those of the model at the place of
the unknown key, so the path is walked through the models' types.
"""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from orca import errors
from orca.spec import problem, units
from orca.spec.fault import CUSTOM, Fault, Path

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}
_QUOTED = re.compile(r"'([^']*)'")
# What other tools call the same thing, where the spelling alone would not lead to it.
_ELSEWHERE = {
    "environment": "env",
    "ports": "extra_ports",
    "expose": "port",
    "healthcheck": "liveness",
    "hostname": "aliases",
    "restart": "max_restarts",
    "mem_limit": "resources",
    "cpus": "resources",
    "stop_grace_period": "stop_grace_secs",
    "args": "command",
    "networks": "network",
}
# What older files have, and what to write today.
_RETIRED = {
    "api_tokens": 'a token has a role now: [[token]] with name, role and value = "${secrets.NAME}"',
    "service": "services are written in services/<project>/service.toml",
}

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], data: object) -> M:
    """`data` as a `model`. Raises `errors.InvalidConfig` with one sentence per fault.

    For input without a file behind it, such as the body of a request.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise errors.InvalidConfig(tuple(str(fault) for fault in faults(error, model))) from error


def faults(error: ValidationError, model: type[BaseModel]) -> tuple[Fault, ...]:
    """Every fault of a failed validation of `model`, paths as in the validated data."""
    return tuple(
        fault for item in error.errors(include_url=False) for fault in _explain(dict(item), model)
    )


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """`; did you mean "…"?` when one of `names` is close to `wrong`, else nothing."""
    known = sorted(set(names))
    if _ELSEWHERE.get(wrong) in known:
        return f'; did you mean "{_ELSEWHERE[wrong]}"?'
    near = nearest(wrong, known)
    return f'; did you mean "{near}"?' if near else ""


def nearest(wrong: str, names: Iterable[str]) -> str:
    """The one of `names` that `wrong` is most probably a slip of, else nothing."""
    return next(iter(difflib.get_close_matches(wrong, sorted(set(names)), n=1, cutoff=0.6)), "")


def _explain(item: dict[str, Any], model: type[BaseModel]) -> list[Fault]:
    path: Path = tuple(item["loc"])
    kind, context, value = item["type"], item.get("ctx", {}), item["input"]
    if kind == CUSTOM:
        return [fault.under(path) for fault in context["faults"]]
    if kind == "extra_forbidden":
        return [_unknown_key(path, model)]
    if kind == "missing":
        return [Fault(path=path[:-1], message=f'the key "{path[-1]}" is required')]
    if kind == "literal_error":
        return [_no_choice(path, value, _QUOTED.findall(context["expected"]))]
    shown = "what is written" if problem.holds_secret(path) else units.shown(value)
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return [Fault(path=path, message=f"must be {words} {context[limit]:g}, not {shown}")]
    if kind == "string_too_short":
        count = context["min_length"]
        what = "must not be empty" if count == 1 else f"must have at least {count} characters"
        return [Fault(path=path, message=what)]
    if kind in _EXPECTED:
        hint = "remove the quotes" if _quoted_value(kind, value) else ""
        return [Fault(path=path, message=f"must be {_EXPECTED[kind]}, not {shown}", hint=hint)]
    return [Fault(path=path, message=item["msg"])]


def _quoted_value(kind: str, value: object) -> bool:
    """Whether a number or boolean was meant and only the quotes are wrong."""
    if not isinstance(value, str) or kind not in {"int_type", "float_type", "bool_type"}:
        return False
    return value in {"true", "false"} if kind == "bool_type" else value.strip("-").isdigit()


def _no_choice(path: Path, value: object, choices: list[str]) -> Fault:
    listed = ", ".join(f'"{choice}"' for choice in choices)
    near = did_you_mean(value, choices) if isinstance(value, str) else ""
    verb = "must be one of" if len(choices) > 1 else "must be"
    return Fault(path=path, message=f"{verb} {listed}, not {units.shown(value)}{near}")


def _unknown_key(path: Path, model: type[BaseModel]) -> Fault:
    key = str(path[-1])
    near = did_you_mean(key, known_keys(model, path[:-1]))
    hint = _RETIRED.get(key, "")
    return Fault(path=path, message=f'unknown key "{key}"{near}', hint=hint, at_key=True)


def known_keys(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys that the table at `path` inside `model` may have."""
    here: type[BaseModel] | None = model
    for part in path:
        if here is None:
            return ()
        if isinstance(part, str) and part in here.model_fields:
            here = _model_in(here.model_fields[part].annotation)
    if here is None:
        return ()
    return (*here.model_fields, *getattr(here, "other_spellings", ()))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X | None`, `tuple[X, ...]`, `Annotated[X, …]`."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in typing.get_args(annotation))
    return next((model for model in found if model is not None), None)
