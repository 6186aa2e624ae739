"""Putting values where a configuration says `${secrets.NAME}`. Pure: values come from a lookup.

It happens at the last moment, on the way to the container, and what comes out is stored nowhere. A
name without a value is never passed on literally or as blank: all that lack one are named at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from orca import errors
from orca.secrets.envelope import set_command
from orca.secrets.names import CLUSTER, Scope
from orca.secrets.value import SecretValue
from orca.spec import references

Lookup = Callable[[str], SecretValue | None]
"""The value of a secret by name, or None when it has none."""


def scoped(
    project: Mapping[str, SecretValue], cluster: Mapping[str, SecretValue]
) -> Callable[[str], SecretValue | None]:
    """A lookup inside a project: the project's own value first, then the cluster's."""

    def lookup(name: str) -> SecretValue | None:
        value = project.get(name)
        return cluster.get(name) if value is None else value

    return lookup


def scope_of(name: str, *, project: str, known: Callable[[Scope, str], bool]) -> Scope | None:
    """Which scope supplies `name` inside `project`, where `known` says what exists; None is none."""
    candidates = (Scope(project), CLUSTER) if project else (CLUSTER,)
    return next((scope for scope in candidates if known(scope, name)), None)


def resolve(text: str, lookup: Lookup, *, place: str = "", project: str = "") -> str:
    """`text` with every reference replaced by its value; values are not searched for references.

    `place` says in errors where the text stands, `project` where a missing value belongs. Raises
    `errors.MissingSecret` naming every secret without a value, and `errors.UserError` for what only
    looks like a reference or for a value that is not text.
    """
    return resolve_mapping({place: text}, lookup, project=project)[place]


def resolve_mapping(
    texts: Mapping[str, str], lookup: Lookup, *, place: str = "", project: str = ""
) -> dict[str, str]:
    """Resolve every value of `texts`, all or nothing; keys are left alone.

    Raises as `resolve` does, once, for all values together.
    """
    wanted = {key: references.secret_names(text) for key, text in texts.items()}
    found = {name: lookup(name) for names in wanted.values() for name in names}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise _missing(missing, wanted, place=place, project=project)
    values = {name: value.reveal_text() for name, value in found.items() if value is not None}
    return {key: references.substitute(text, values.__getitem__) for key, text in texts.items()}


def _missing(
    missing: Iterable[str],
    wanted: Mapping[str, Iterable[str]],
    *,
    place: str,
    project: str,
) -> errors.MissingSecret:
    names = sorted(missing)
    uses = [f"{name} ({_uses(name, wanted, place=place)})" for name in names]
    noun = "secret has" if len(names) == 1 else "secrets have"
    commands = "; ".join(set_command(Scope(project), name) for name in names)
    return errors.MissingSecret(f"{len(names)} {noun} no value: {', '.join(uses)}", hint=commands)


def _uses(name: str, wanted: Mapping[str, Iterable[str]], *, place: str) -> str:
    keys = [key for key, names in wanted.items() if name in names]
    return ", ".join(".".join(filter(None, (place, key))) or "configuration" for key in keys)
