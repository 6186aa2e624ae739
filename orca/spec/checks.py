"""The checks behind `fields`: each takes what was written and gives what is meant, or refuses it."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable
from typing import Any

from pydantic import AfterValidator, BeforeValidator

from orca import errors
from orca.spec import references, units
from orca.spec.fault import Fault, refusal, refusals

_VARIABLE = re.compile(r"[^=\x00\s]+")


def before(parse: Callable[[Any], object]) -> BeforeValidator:
    """A validator from a parser that raises `UserError`."""

    def validate(value: Any) -> object:
        try:
            return parse(value)
        except errors.UserError as error:
            raise refusal(error.message, hint=error.hint) from error

    return BeforeValidator(validate)


def text(
    pattern: re.Pattern[str], what: str, *, hint: str = "", longest: int = 0
) -> AfterValidator:
    """Text of one form. A secret cannot stand in for it: orca has to know the value to plan."""

    def validate(value: str) -> str:
        if references.refers(value):
            raise refusal("a secret cannot be used here", hint="orca must know this value to plan")
        if not pattern.fullmatch(value):
            raise refusal(f'not {what}: "{value}"', hint=hint)
        if longest and len(value) > longest:
            raise refusal(f'longer than {longest} characters: "{value}"')
        return value

    return AfterValidator(validate)


def text_or_secret(pattern: re.Pattern[str], what: str, *, hint: str = "") -> AfterValidator:
    """Text of one form, or text with references whose form is only known once they are resolved."""

    def validate(value: str) -> str:
        if not references.refers(value) and not pattern.fullmatch(value):
            raise refusal(f'not {what}: "{value}"', hint=hint)
        return value

    return AfterValidator(validate)


def domain(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        host = value.split("://", 1)[1].split("/", 1)[0]
        raise errors.UserError(f'must be a domain, not a URL: "{value}"', hint=f'write "{host}"')
    return value.lower() if isinstance(value, str) else value


def one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def words(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        words = shlex.split(value)
    except ValueError:
        words = [value]
    listed = ", ".join(f'"{word}"' for word in words)
    raise errors.UserError("must be a list of words, not one text", hint=f"write [{listed}]")


def scalar(value: object) -> object:
    """TOML's numbers and booleans as the text that a program reads from its environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def environment(value: object) -> object:
    if not isinstance(value, dict):
        return value
    faults = [
        Fault(path=(name,), message=f'not a variable name: "{name}"', at_key=True)
        for name in value
        if isinstance(name, str) and not _VARIABLE.fullmatch(name)
    ]
    faults += [
        Fault(
            path=(name,),
            message="must be text, a number or true/false",
            hint="one value per variable",
        )
        for name, item in value.items()
        if not isinstance(item, str | int | float)
    ]
    if faults:
        raise refusals(faults)
    return {name: scalar(item) for name, item in value.items()}


def seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    message = f'must be a number of seconds, not the text "{value}"'
    try:
        seconds = units.duration_seconds(value)
    except errors.UserError:
        raise errors.UserError(message) from None
    raise errors.UserError(message, hint=f"write {seconds:g}")


def replicas(value: object) -> object:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value == "auto" or (whole and isinstance(value, int) and 0 <= value <= 1000):
        return value
    raise errors.UserError(
        f'must be a whole number from 0 to 1000, or "auto", not {units.shown(value)}'
    )


def ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise refusal(f'not an IP address: "{value}"') from error


def absolute(value: str) -> str:
    if not value.startswith("/"):
        raise refusal(
            f'must be an absolute path in the container: "{value}"', hint=f'write "/{value}"'
        )
    return value


def capability(value: str) -> str:
    return value.upper().removeprefix("CAP_")
