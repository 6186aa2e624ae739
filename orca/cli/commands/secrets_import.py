"""`orca secrets import`: all values of a .env file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orca.cli import output, secret_input, session
from orca.cli.options import Connection, Format, Output, Project
from orca.cli.render import humanize

EXAMPLES = ("orca secrets import -f .env", "orca secrets import -f shop.env --project shop")


def command(
    connection: Connection,
    file: Annotated[
        Path, typer.Option("-f", "--file", metavar="FILE", help="NAME=value lines, as in .env.")
    ],
    project: Project = "",
    output_format: Output = Format.TABLE,
) -> None:
    """Keep all values of a .env file, all of them or none."""
    values = secret_input.read_dotenv(file)
    body = session.call(connection, lambda client: client.import_secrets(values, project=project))
    scope = f"project {project}" if project else "the cluster"
    count = humanize.plural(len(values), "secret")
    output.emit(body, output_format, lambda: f"Kept {count} for {scope}: {', '.join(values)}.")
