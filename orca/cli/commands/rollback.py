"""`orca rollback`: a rollout to an earlier revision."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import follow, session
from orca.cli.options import Connection, Format, Output, Waiting

EXAMPLES = ("orca rollback web", "orca rollback shop/web --to 3")


def command(
    connection: Connection,
    waiting: Waiting,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="name or project/name.")],
    to: Annotated[
        int,
        typer.Option(
            "--to",
            min=0,
            metavar="REVISION",
            help="Where to go back to. Default: the last good one before the present.",
            show_default=False,
        ),
    ] = 0,
    output_format: Output = Format.TABLE,
) -> None:
    """Go back to an earlier revision.

    It is a rollout like any other: the present revision serves until the earlier one is ready.
    `orca history SERVICE` lists the revisions.
    """
    accepted = session.call(connection, lambda client: client.rollback(service, to))
    follow.finish(connection, (accepted,), waiting=waiting, form=output_format)
