"""`orca events`: what happened."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from orca.cli import output, session
from orca.cli.options import Connection, Format, Output
from orca.cli.render import records
from orca.client.schema import EventView

if TYPE_CHECKING:
    from orca.client.http import OrcaClient

EXAMPLES = ("orca events", "orca events web -f", "orca events --limit 20 -o json")


def command(
    connection: Connection,
    service: Annotated[
        str,
        typer.Argument(
            metavar="[SERVICE]", help="Only those of a service. Default: all.", show_default=False
        ),
    ] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with new ones.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest.")] = 200,
    output_format: Output = Format.TABLE,
) -> None:
    """List what happened, oldest first."""

    def line(event: EventView) -> None:
        output.emit_one_of_many(event, output_format, lambda: records.event(event))

    async def work(client: OrcaClient) -> None:
        newest = await client.events(service=service, limit=limit)
        if not follow and output_format != Format.TABLE:
            output.emit(newest, output_format, lambda: "")
            return
        for event in newest.events:
            line(event)
        if follow:
            after = max((event.sequence for event in newest.events), default=0)
            async with aclosing(client.watch_events(after=after, service=service)) as events:
                async for event in events:
                    line(event)

    session.call(connection, work)
