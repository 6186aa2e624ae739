"""`orca logs`: the output of a service."""

from __future__ import annotations

import sys
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from orca.cli import exits, output, session, terminal
from orca.cli.moments import parse_since
from orca.cli.options import Connection, Format, Output
from orca.cli.render import logs
from orca.client.schema import LogLine

if TYPE_CHECKING:
    from orca.client.http import OrcaClient

EXAMPLES = (
    "orca logs web",
    "orca logs web -f --tail 20",
    "orca logs web --since 15m",
    "orca logs web --previous      # the output of the attempt before the last restart",
)


def command(
    connection: Connection,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="name or project/name.")],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with new lines.")] = False,
    tail: Annotated[
        int, typer.Option("--tail", min=-1, metavar="N", help="Lines per replica; -1 is all.")
    ] = 100,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Not older than this: 90s, 15m, 2h, 3d, or 2026-01-31T12:00.",
            show_default=False,
        ),
    ] = "",
    previous: Annotated[
        bool, typer.Option("--previous", help="Of the attempt before the present one.")
    ] = False,
    replica: Annotated[
        str,
        typer.Option(
            "--replica",
            metavar="REPLICA",
            help="Only one replica: slot, container name, or the beginning of its id.",
            show_default=False,
        ),
    ] = "",
    timestamps: Annotated[bool, typer.Option("--timestamps", help="When each line came.")] = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Print the output of all replicas; stdout and stderr go where they went in the container."""
    start = parse_since(since, now=time.time()) if since else 0.0
    failures: list[LogLine] = []

    async def work(client: OrcaClient) -> None:
        (status,) = (await client.status(service=service)).services
        several = len(status.instances) > 1 and not replica
        stream = client.logs(
            service,
            tail=tail,
            follow=follow,
            since=start,
            previous=previous,
            replica=replica,
            timestamps=timestamps,
        )
        async with aclosing(stream) as lines:
            async for line in lines:
                if line.error:
                    failures.append(line)
                _print(line, several=several, form=output_format)

    session.call(connection, work)
    if failures:
        raise typer.Exit(exits.NEGATIVE)


def _print(line: LogLine, *, several: bool, form: str) -> None:
    if form != Format.TABLE:
        output.emit_one_of_many(line, form, lambda: "")
    elif line.error:
        terminal.warn(f"log of replica {line.slot}: {line.error}")
    else:
        stream = sys.stderr if line.stream == "stderr" else sys.stdout
        terminal.write(logs.line(line, several=several), stream)
