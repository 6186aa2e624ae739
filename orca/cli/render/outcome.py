"""The result of a command that changes services."""

from __future__ import annotations

from rich.text import Text

from orca.cli.render import rollout
from orca.cli.render.grid import lines
from orca.cli.results import Outcome
from orca.client.schema import Accepted, RolloutView


def outcome(result: Outcome) -> Text:
    """One line per service that went well or was left alone; `failures` has the others."""
    ended = {view.id: view for view in result.rollouts}
    parts = [_line(accepted, ended, result) for accepted in result.accepted]
    parts += [Text(f"  {service}  unchanged", style="dim") for service in result.unchanged]
    return lines(part for part in parts if part is not None)


def failures(result: Outcome) -> Text:
    """A block per rollout that failed."""
    return lines(rollout.failed(view) for view in result.failed)


def _line(accepted: Accepted, ended: dict[str, RolloutView], result: Outcome) -> Text | None:
    view = ended.get(accepted.rollout)
    if view is None:
        return _accepted(accepted)
    if view.phase == "failed":
        return None
    return rollout.succeeded(view, result.urls.get(accepted.service, ()))


def _accepted(accepted: Accepted) -> Text:
    said = f"  {accepted.action}, revision {accepted.revision}"
    goes_on = ", goes on in the background" if accepted.rollout else ""
    return Text.assemble(("✓ ", "green"), (accepted.service, "bold"), said, goes_on)
