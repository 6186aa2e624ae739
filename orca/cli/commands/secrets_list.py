"""`orca secrets list`: names, never values."""

from __future__ import annotations

import time

from orca.cli import output, session
from orca.cli.options import Connection, Format, Output, Project
from orca.cli.render import records

EXAMPLES = ("orca secrets list", "orca secrets list --project shop -o json")


def command(
    connection: Connection, project: Project = "", output_format: Output = Format.TABLE
) -> None:
    """List the names of secrets; with --project those of the project and of the cluster."""
    body = session.call(connection, lambda client: client.secrets(project=project))
    output.emit(body, output_format, lambda: records.secrets(body, now=time.time()))
