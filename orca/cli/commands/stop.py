"""`orca stop`: no replicas, but the spec stays."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import follow, many, session, terminal
from orca.cli.options import Connection, Format, Output, Waiting, Yes

EXAMPLES = ("orca stop web", "orca stop --all -y")


def command(
    connection: Connection,
    waiting: Waiting,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help="name or project/name."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All services. Asks first.")] = False,
    yes: Yes = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Stop services, dependents first. `orca start` brings them back as they were."""
    many.either(services, every, example="orca stop web")
    if every:
        terminal.confirm("Stop all services?", yes=yes)
    done = session.call(
        connection,
        lambda client: client.stop_services(services) if services else client.stop_all(),
    )
    follow.finish(
        connection, done.deployed, unchanged=done.unchanged, waiting=waiting, form=output_format
    )
