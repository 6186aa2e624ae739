"""The configuration as a command wants it: found, loaded, said where, and narrowed to what was named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from orca import errors
from orca.cli import terminal
from orca.spec import discover, explain, load, support
from orca.spec.service import ServiceSpec


def read(config_dir: Path | None) -> load.Loaded:
    """Load the configuration root and say on stderr which one. Raises `errors.UserError`."""
    root = discover.find_root(Path.cwd(), explicit=config_dir)
    terminal.note(f"config: {root}")
    return load.load(root)


def usable(config_dir: Path | None) -> load.Loaded:
    """The same, with warnings said. Raises `errors.InvalidConfig` with every problem of every file."""
    loaded = read(config_dir).require()
    for problem in loaded.warnings:
        terminal.note(problem.render())
    return loaded


def select(services: Iterable[ServiceSpec], names: Sequence[str]) -> tuple[ServiceSpec, ...]:
    """The services named: `name`, `project/name`, or `project` for all of it. No names: all services.

    Raises `errors.NotFound` for what does not exist, `errors.UserError` for what is ambiguous.
    """
    known = tuple(services)
    if not names:
        return known
    chosen = {spec.ref for name in names for spec in _named(known, name)}
    return tuple(spec for spec in known if spec.ref in chosen)


def warn_unsupported(services: Iterable[ServiceSpec]) -> None:
    """Say which of the services need what does not exist yet; the server refuses those."""
    for spec in services:
        for sentence in support.unsupported(spec):
            terminal.warn(f"{spec.ref}: {sentence}")


def _named(known: Sequence[ServiceSpec], name: str) -> tuple[ServiceSpec, ...]:
    found = tuple(spec for spec in known if name in (spec.name, spec.ref))
    if len(found) > 1:
        refs = " or ".join(spec.ref for spec in found)
        raise errors.UserError(f"{name} is the name of several services.", hint=f"Say {refs}.")
    found = found or tuple(spec for spec in known if spec.project == name)
    if not found:
        near = explain.did_you_mean(name, [part for s in known for part in (s.name, s.ref)])
        raise errors.NotFound(
            f"The configuration has no service or project {name}{near}",
            hint="`orca config check` lists what it has.",
        )
    return found
