"""`orca rm`: services that are no longer wanted."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import follow, many, session, terminal
from orca.cli.options import Connection, Format, Output, Waiting, Yes

EXAMPLES = ("orca rm web", "orca rm shop/web shop/db -y")


def command(
    connection: Connection,
    waiting: Waiting,
    services: Annotated[
        list[str], typer.Argument(metavar="SERVICE...", help="name or project/name.")
    ],
    yes: Yes = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Stop services and forget them and their history. Volumes stay. Asks first."""

    session.call(connection, lambda client: many.require(client, services))
    terminal.confirm(f"Remove {', '.join(services)}?", yes=yes)
    done = session.call(connection, lambda client: client.remove_services(services))
    follow.finish(
        connection, done.deployed, unchanged=done.unchanged, waiting=waiting, form=output_format
    )
