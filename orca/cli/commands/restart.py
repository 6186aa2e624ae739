"""`orca restart`: new replicas of the same revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orca.cli import follow, many, session
from orca.cli.options import Connection, Format, Output, Waiting
from orca.client.schema import Accepted

if TYPE_CHECKING:
    from orca.client.http import OrcaClient

EXAMPLES = ("orca restart web", "orca restart web api --detach")


def command(
    connection: Connection,
    waiting: Waiting,
    services: Annotated[
        list[str], typer.Argument(metavar="SERVICE...", help="name or project/name.")
    ],
    output_format: Output = Format.TABLE,
) -> None:
    """Replace every replica, without changing the revision.

    As in a deploy, an old replica serves until its replacement is ready.
    """

    async def work(client: OrcaClient) -> list[Accepted]:
        await many.require(client, services)
        return [await client.restart(service) for service in services]

    accepted = session.call(connection, work)
    follow.finish(connection, accepted, waiting=waiting, form=output_format)
