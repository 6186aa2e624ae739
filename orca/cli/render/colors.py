"""What colour a state has. Colour never says anything that the word does not."""

from __future__ import annotations

from rich.text import Text

_STYLES = {
    "running": "green",
    "ready": "green",
    "complete": "green",
    "succeeded": "green",
    "ok": "green",
    "create": "green",
    "progressing": "cyan",
    "starting": "cyan",
    "update": "yellow",
    "scale": "yellow",
    "retry": "yellow",
    "degraded": "yellow",
    "stopping": "yellow",
    "warning": "yellow",
    "unknown": "yellow",
    "failed": "red",
    "lost": "red",
    "error": "red",
    "rejected": "red",
    "docker_down": "red",
    "stopped": "dim",
    "unchanged": "dim",
}


def state(word: str) -> Text:
    """A state in its colour."""
    return Text(word, style=_STYLES.get(word, ""))
