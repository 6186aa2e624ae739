"""`orca config reload`: cluster.toml without a restart."""

from __future__ import annotations

from orca.cli import output, session
from orca.cli.options import Connection, Format, Output
from orca.client.schema import ReloadResponse

EXAMPLES = ("orca config reload",)


def command(connection: Connection, output_format: Output = Format.TABLE) -> None:
    """Make the server read cluster.toml again; names the keys that wait for a restart."""
    body = session.call(connection, lambda client: client.reload())
    output.emit(body, output_format, lambda: _text(body))


def _text(body: ReloadResponse) -> str:
    lines = [f"in force now: {', '.join(body.changed)}"] if body.changed else []
    if body.needs_restart:
        lines.append(f"after a restart of the server: {', '.join(body.needs_restart)}")
    return "\n".join(lines) or "Nothing has changed."
