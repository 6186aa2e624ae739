"""`orca history`: the deployments of a service."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from orca.cli import output, session
from orca.cli.options import Connection, Format, Output
from orca.cli.render import records

EXAMPLES = ("orca history web", "orca history shop/web -o json")


def command(
    connection: Connection,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="name or project/name.")],
    output_format: Output = Format.TABLE,
) -> None:
    """List the deployments of a service, newest first."""
    body = session.call(connection, lambda client: client.history(service))
    output.emit(body, output_format, lambda: records.history(body, now=time.time()))
