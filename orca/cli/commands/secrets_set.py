"""`orca secrets set`: keep a value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orca.cli import output, secret_input, session
from orca.cli.options import Connection, Format, Output, Project

EXAMPLES = (
    "orca secrets set DB_PASSWORD                        # asks, and does not show it",
    "openssl rand -hex 32 | orca secrets set SESSION_KEY # one line end is taken off",
    "orca secrets set TLS_KEY --project shop --file key.pem",
)


def command(
    connection: Connection,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the secret.")],
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[VALUE]",
            help="Better not: it stays in the shell's history and other users can see it.",
            show_default=False,
        ),
    ] = None,
    project: Project = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Read the value from a file, byte for byte."),
    ] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Keep a value under a name, encrypted. It is asked for, or read from stdin or a file."""
    text = secret_input.read(name, argument=value, file=file)
    body = session.call(connection, lambda client: client.set_secret(name, text, project=project))
    scope = f"project {project}" if project else "the cluster"
    output.emit(body, output_format, lambda: f"Kept {name} for {scope}.")
