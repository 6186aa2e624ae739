"""`orca scale`: another number of replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orca import errors
from orca.cli import follow, many, session
from orca.cli.options import Connection, Format, Output, Waiting
from orca.client.schema import Accepted

if TYPE_CHECKING:
    from orca.client.http import OrcaClient

EXAMPLES = ("orca scale web=3", "orca scale web=3 shop/api=2", "orca scale web 3")

_HINT = "Say SERVICE=N, for example `orca scale web=3`."


def command(
    connection: Connection,
    waiting: Waiting,
    targets: Annotated[
        list[str],
        typer.Argument(metavar="SERVICE=N...", help="name or project/name, and how many."),
    ],
    output_format: Output = Format.TABLE,
) -> None:
    """Change the number of replicas until the next deploy says otherwise."""
    wanted = parse(targets)

    async def work(client: OrcaClient) -> list[Accepted]:
        await many.require(client, wanted)
        return [await client.scale(service, count) for service, count in wanted.items()]

    accepted = session.call(connection, work)
    follow.finish(connection, accepted, waiting=waiting, form=output_format)


def parse(words: list[str]) -> dict[str, int]:
    """Replicas by service, from `web=3 api=2` or `web 3`. Raises `errors.UserError`."""
    if len(words) == 2 and "=" not in words[0] + words[1]:
        words = [f"{words[0]}={words[1]}"]
    wanted: dict[str, int] = {}
    for word in words:
        service, _, count = word.partition("=")
        if not service or not (count.isascii() and count.isdigit()):
            raise errors.UserError(f"{word!r} is not a service and a number.", hint=_HINT)
        if service in wanted:
            raise errors.UserError(f"{service} is named twice.", hint=_HINT)
        wanted[service] = int(count)
    return wanted
