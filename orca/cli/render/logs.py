"""Lines of logs."""

from __future__ import annotations

from rich.text import Text

from orca.client.schema import LogLine

_SLOT_STYLES = ("cyan", "magenta", "green", "yellow", "blue")


def line(body: LogLine, *, several: bool) -> Text | str:
    """The line as it came; with the replica's slot before it when there are several.

    Escape sequences of the service's own are kept only where nothing is added to them.
    """
    if not several:
        return body.line
    return Text.assemble(
        (f"{body.slot} | ", _SLOT_STYLES[body.slot % len(_SLOT_STYLES)]), Text.from_ansi(body.line)
    )
