"""`orca status`: what runs."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from orca import errors
from orca.cli import exits, output, session, watching
from orca.cli.options import Connection, WideFormat, WideOutput
from orca.cli.render import status
from orca.client.schema import StatusResponse

if TYPE_CHECKING:
    from orca.client.http import OrcaClient

EXAMPLES = (
    "orca status",
    "orca status shop -o wide",
    "orca status web --watch",
    "orca status --ready -o json     # exit code 1 unless everything runs",
)


def command(
    connection: Connection,
    name: Annotated[
        str,
        typer.Argument(
            metavar="[PROJECT|SERVICE]",
            help="project, name or project/name. Default: all.",
            show_default=False,
        ),
    ] = "",
    output_format: WideOutput = WideFormat.TABLE,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again after every change.")
    ] = False,
    ready: Annotated[
        bool, typer.Option("--ready", help="Exit with 1 unless every service runs in full.")
    ] = False,
) -> None:
    """Show services, and with `-o wide` their replicas, the nodes and the proxies.

    What was not confirmed lately is shown as unknown, with its age.
    """
    response = session.call(connection, lambda client: _named(client, name))
    if watch:
        session.call(connection, lambda client: _watch(client, name, response, output_format))
        return
    output.emit(response, output_format, lambda: _table(response, output_format))
    if ready and not status.is_all_running(response):
        raise typer.Exit(exits.NEGATIVE)


async def _named(client: OrcaClient, name: str) -> StatusResponse:
    """The status of what has this name, be it a service or a project."""
    if not name:
        return await client.status()
    try:
        return await client.status(service=name)
    except errors.NotFound as no_service:
        if "/" in name:
            raise
        try:
            return await client.status(project=name)
        except errors.NotFound:
            raise no_service from None


async def _watch(client: OrcaClient, name: str, first: StatusResponse, form: WideFormat) -> None:
    is_service = any(name in (service.name, status.ref(service)) for service in first.services)
    stream = client.watch_status(service=name) if is_service else client.watch_status(project=name)
    with watching.screen(form) as screen:
        async with aclosing(stream) as responses:
            async for response in responses:
                screen.show(response, lambda body: _table(body, form))


def _table(response: StatusResponse, form: str) -> Text:
    return status.status(response, now=time.time(), wide=form == WideFormat.WIDE)
