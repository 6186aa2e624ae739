"""`orca start`: services that were stopped, as they were."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import follow, many, session
from orca.cli.options import Connection, Format, Output, Waiting

EXAMPLES = ("orca start web", "orca start shop/web shop/db", "orca start --all")


def command(
    connection: Connection,
    waiting: Waiting,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help="name or project/name."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All stopped services.")] = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Start stopped services at the revision they had, dependencies first."""
    many.either(services, every, example="orca start web")
    done = session.call(
        connection,
        lambda client: client.start_services(services) if services else client.start_all(),
    )
    follow.finish(
        connection, done.deployed, unchanged=done.unchanged, waiting=waiting, form=output_format
    )
