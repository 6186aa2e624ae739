"""Rollouts while they move and when they have ended."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from orca.cli.render import colors, humanize
from orca.cli.render.grid import foreign, lines
from orca.client.schema import RolloutView

_INDENT = "    "


def progress(view: RolloutView) -> Text:
    """One line about one rollout."""
    line = Text.assemble((view.service, "bold"), "  ", colors.state(view.phase), "  ", counts(view))
    if view.phase == "failed" and view.reason:
        line.append(f", {view.reason}")
    elif view.phase == "progressing" and view.waiting:
        line.append(f", {view.waiting}", style="dim")
    return line


def board(views: Iterable[RolloutView]) -> Text:
    """All rollouts, one line each."""
    return lines(progress(view) for view in views)


def counts(view: RolloutView) -> str:
    """How far it is, in numbers."""
    said = f"revision {view.revision}, {view.ready}/{view.desired} ready"
    return f"{said}, {humanize.plural(view.old, 'old replica')} left" if view.old else said


def succeeded(view: RolloutView, urls: tuple[str, ...] = ()) -> Text:
    """The good end of a rollout, with what can be opened now."""
    took = view.finished_at - view.started_at if view.finished_at and view.started_at else 0.0
    line = Text.assemble(("✓ ", "green"), (view.service, "bold"))
    if view.desired:
        line.append(f"  revision {view.revision}, {view.ready}/{view.desired} ready")
    else:
        line.append("  stopped")
    if took > 0:
        line.append(f" after {humanize.duration(took)}")
    if urls:
        line.append(f"  {' '.join(urls)}")
    return line


def failed(view: RolloutView) -> Text:
    """The bad end: the cause, the last output, what still serves, what to do next."""
    parts: list[Text | str] = [
        Text.assemble(("✗ ", "red"), (view.service, "bold"), f"  revision {view.revision} failed"),
        f"{_INDENT}cause: {view.reason or 'not known'}",
    ]
    if view.last_lines:
        parts.append(f"{_INDENT}last output:")
        parts += [f"{_INDENT}  | {foreign(line)}" for line in view.last_lines]
    parts.append(f"{_INDENT}{still_serves(view)}")
    parts.append(f"{_INDENT}next: {'; '.join(next_commands(view.service))}")
    return lines(parts)


def still_serves(view: RolloutView) -> str:
    """What is left of the service."""
    if view.from_revision and view.old:
        return (
            f"Revision {view.from_revision} still serves ({humanize.plural(view.old, 'replica')})."
        )
    if view.from_revision:
        return f"No replica of revision {view.from_revision} is left."
    return "Nothing served before, so nothing serves now."


def next_commands(service: str) -> tuple[str, ...]:
    """What to type to learn more."""
    return (f"orca logs {service} --previous", f"orca why {service}")
