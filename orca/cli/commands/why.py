"""`orca why`: the cause of a service's state."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import output, session
from orca.cli.options import Connection, Format, Output
from orca.cli.render import why

EXAMPLES = ("orca why web", "orca why shop/web -o json")


def command(
    connection: Connection,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="name or project/name.")],
    output_format: Output = Format.TABLE,
) -> None:
    """Explain the state of a service: one causal line from its spec to its traffic."""
    body = session.call(connection, lambda client: client.why(service))
    output.emit(body, output_format, lambda: why.why(body))
