"""`orca exec`: a command inside a replica."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orca.cli import remote, session, tty
from orca.cli.options import Connection
from orca.client.schema import ExecOpen

EXAMPLES = (
    "orca exec web -- sh",
    "orca exec db -T -- pg_dump shop > shop.sql",
    "orca exec web --replica 1 -- env",
)


def command(
    connection: Connection,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="name or project/name.")],
    words: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What to run, and its arguments.")
    ],
    replica: Annotated[
        str,
        typer.Option(
            "--replica",
            metavar="REPLICA",
            help="Slot or beginning of the id. Default: any that is ready.",
            show_default=False,
        ),
    ] = "",
    no_tty: Annotated[
        bool, typer.Option("-T", "--no-tty", help="No terminal, even if there is one here.")
    ] = False,
    user: Annotated[
        str, typer.Option("--user", metavar="USER", help="Run as.", show_default=False)
    ] = "",
) -> None:
    """Run a command inside a replica, with its input, output and exit code.

    On a terminal it gets a terminal; window resizes and Ctrl-C reach it.
    """
    on_terminal = not no_tty and sys.stdin.isatty() and sys.stdout.isatty()
    columns, rows = tty.size(sys.stdout.fileno()) if on_terminal else (0, 0)
    wish = ExecOpen(
        command=tuple(words),
        replica=replica,
        tty=on_terminal,
        stdin=True,
        user=user,
        columns=columns,
        rows=rows,
    )
    code = session.call(connection, lambda client: remote.run(client, service, wish))
    raise typer.Exit(code)
