"""`orca secrets usages`: where a value is used."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import output, session
from orca.cli.options import Connection, Format, Output, Project
from orca.cli.render import records

EXAMPLES = ("orca secrets usages DB_PASSWORD", "orca secrets usages DB_PASSWORD --project shop")


def command(
    connection: Connection,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the secret.")],
    project: Project = "",
    output_format: Output = Format.TABLE,
) -> None:
    """Show which services use a secret, and whether they run with its newest value."""
    body = session.call(connection, lambda client: client.secret_usages(name, project=project))
    output.emit(body, output_format, lambda: records.usages(body))
