"""What a deploy would do."""

from __future__ import annotations

from rich.text import Text

from orca.cli.render import colors, humanize
from orca.cli.render.grid import grid, lines, stack
from orca.client.schema import Change, PlanResponse, ServicePlan

_SIGNS = {"create": "+", "update": "~", "scale": "~", "retry": "~", "unchanged": " "}


def plan(response: PlanResponse) -> Text:
    """Every service with its changes below it, what is left alone, and a summary."""
    moving = [service for service in response.services if service.action != "unchanged"]
    return stack(
        *(_service(service) for service in moving),
        _unmanaged(response.unmanaged),
        lines(f"warning: {warning}" for warning in response.warnings) or None,
        summary(response),
    )


def summary(response: PlanResponse) -> Text:
    """One line: how many services are created, updated, left as they are."""
    if not response.changes_anything:
        count = humanize.plural(len(response.services), "service")
        return Text(f"Nothing to change: {count} already as configured.")
    counts: dict[str, int] = {}
    for service in response.services:
        counts[service.action] = counts.get(service.action, 0) + 1
    parts = (
        f"{counts[action]} {'unchanged' if action == 'unchanged' else f'to {action}'}"
        for action in _SIGNS
        if action in counts
    )
    return Text(f"Plan: {', '.join(parts)}.", style="bold")


def _service(service: ServicePlan) -> Text:
    head = Text.assemble(
        f"{_SIGNS.get(service.action, '~')} ",
        (service.service, "bold"),
        "  ",
        colors.state(service.action),
        f"  {_facts(service)}",
    )
    parts = [head]
    if service.changes:
        # One block, so that the columns of one service are aligned; the header is not needed.
        rows = grid(("", "", "", ""), (_change(change) for change in service.changes))
        parts += rows.split("\n")[1:]
    parts += [Text(f"    {step}", style="dim") for step in service.steps]
    return lines(parts)


def _facts(service: ServicePlan) -> str:
    replicas = humanize.plural(service.replicas_after, "replica")
    if service.action != "create" and service.replicas_before != service.replicas_after:
        replicas = f"{service.replicas_before} → {replicas}"
    facts = [f"revision {service.revision}", replicas]
    return ", ".join([*facts, service.order] if service.order else facts)


def _change(change: Change) -> tuple[Text, Text, str, Text]:
    return (
        Text(f"    {change.field}"),
        Text(change.before or "-", style="red" if change.before else "dim"),
        "→",
        Text(change.after or "-", style="green" if change.after else "dim"),
    )


def _unmanaged(names: tuple[str, ...]) -> Text | None:
    if not names:
        return None
    return Text(f"Left alone, because not part of this deploy: {', '.join(names)}", style="dim")
