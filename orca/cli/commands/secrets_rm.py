"""`orca secrets rm`: a value that is no longer wanted."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import output, session, terminal
from orca.cli.options import Connection, Format, Output, Project, Yes

EXAMPLES = ("orca secrets rm OLD_TOKEN", "orca secrets rm DB_PASSWORD --project shop -y")


def command(
    connection: Connection,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the secret.")],
    project: Project = "",
    yes: Yes = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Forget a secret. Refused while a service uses it. Asks first."""
    terminal.confirm(f"Forget {name}? Its value cannot be brought back.", yes=yes)
    body = session.call(connection, lambda client: client.remove_secret(name, project=project))
    output.emit(body, output_format, lambda: body.message or f"Forgot {name}.")
