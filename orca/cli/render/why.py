"""Why a service is as it is."""

from __future__ import annotations

from rich.text import Text

from orca.cli.render import colors, records
from orca.cli.render.grid import Cell, foreign, lines, stack
from orca.client.schema import EventView, Why

_EVENTS_SHOWN = 10


def why(body: Why) -> Text:
    """The summary, what leads to it, the last output, the newest events, and what to do."""
    return stack(
        Text.assemble((body.service, "bold"), "  ", colors.state(body.status), f"  {body.summary}"),
        _causes(body.causes),
        _block("Last output:", [f"  | {foreign(line)}" for line in body.last_lines]),
        _block("Events:", [_indented(event) for event in body.events[-_EVENTS_SHOWN:]]),
        Text(f"→ {body.advice}", style="bold") if body.advice else None,
    )


def _causes(causes: tuple[str, ...]) -> Text | None:
    # Outermost first: each line is caused by the one below it.
    return lines("  " * depth + f"└ {cause}" for depth, cause in enumerate(causes)) or None


def _block(title: str, content: list[Cell]) -> Text | None:
    return lines([title, *content]) if content else None


def _indented(event: EventView) -> Text:
    return Text("  ").append_text(records.event(event))
