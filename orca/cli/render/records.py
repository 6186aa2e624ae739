"""History, events, secrets: things that are lists."""

from __future__ import annotations

from datetime import tzinfo

from rich.text import Text

from orca.cli.render import colors, humanize
from orca.cli.render.grid import Cell, grid
from orca.client.schema import (
    EventView,
    History,
    HistoryEntry,
    SecretInfo,
    SecretList,
    SecretUsages,
)


def history(body: History, *, now: float) -> Text:
    """The deployments of a service, newest first."""
    if not body.entries:
        return Text(f"{body.service} was never deployed.")
    header = ("REVISION", "KIND", "OUTCOME", "IMAGE", "WHEN", "TOOK", "BY", "REASON")
    return grid(header, (_deployment(entry, now) for entry in body.entries))


def _deployment(entry: HistoryEntry, now: float) -> tuple[Cell, ...]:
    marks = [word for word, set_ in (("current", entry.current), ("stable", entry.stable)) if set_]
    revision = f"{entry.revision} ({', '.join(marks)})" if marks else str(entry.revision)
    return (
        revision,
        entry.kind,
        colors.state(entry.outcome),
        entry.image,
        humanize.ago(entry.at, now),
        humanize.duration(entry.duration_seconds) if entry.duration_seconds else "-",
        entry.by or "-",
        entry.reason,
    )


def event(body: EventView, *, zone: tzinfo | None = None) -> Text:
    """One event on one line."""
    level = "" if body.level == "info" else f"{body.level}: "
    return Text.assemble(
        (humanize.moment(body.at, zone), "dim"),
        "  ",
        (body.service or body.node or "-", "bold"),
        "  ",
        (level, colors.state(body.level).style),
        body.message,
    )


def secrets(body: SecretList, *, now: float) -> Text:
    """Names and ages."""
    if not body.secrets:
        return Text("No secrets. `orca secrets set NAME` keeps one.")
    ordered = sorted(body.secrets, key=lambda secret: (secret.project, secret.name))
    header = ("NAME", "SCOPE", "VERSION", "UPDATED", "BY")
    return grid(header, (_secret(secret, now) for secret in ordered))


def _secret(secret: SecretInfo, now: float) -> tuple[Cell, ...]:
    return (
        secret.name,
        secret.project or "cluster",
        str(secret.version),
        humanize.ago(secret.updated_at, now),
        secret.updated_by or "-",
    )


def usages(body: SecretUsages) -> Text:
    """Where a secret is used, and whether what runs has its newest value."""
    if not body.usages:
        return Text(f"No service uses {body.name}.")
    rows = [
        (usage.service, usage.place, "newest" if usage.current else "older: redeploy to renew it")
        for usage in body.usages
    ]
    return grid(("SERVICE", "PLACE", "VALUE"), rows)
