"""`orca shutdown`: the end of the control plane of this host."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import output, session, terminal
from orca.cli.options import Format, Home, Output, Token, Yes
from orca.client.schema import Done

EXAMPLES = (
    "orca shutdown              # workloads and the proxy go on",
    "orca shutdown --proxy      # the proxy ends too; workloads go on",
    "orca shutdown --all -y     # nothing is left",
)


def command(
    home: Home = None,
    token: Token = None,
    proxy: Annotated[bool, typer.Option("--proxy", help="End the proxy too.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Stop all services and the proxy too. Asks first.")
    ] = False,
    yes: Yes = False,
    output_format: Output = Format.TABLE,
) -> None:
    """End the control plane and its etcd. Services keep running and the proxy keeps serving."""
    if every:
        terminal.confirm("Stop all services, the proxy and the control plane?", yes=yes)
    from orca.host import daemon  # not for `--help`

    daemon.shutdown(session.home(home), proxy=proxy or every, services=every, token=token)
    done = Done(message=_message(proxy=proxy, every=every))
    output.emit(done, output_format, lambda: done.message)


def _message(*, proxy: bool, every: bool) -> str:
    if every:
        return "Services, proxy and control plane have ended."
    if proxy:
        return "Proxy and control plane have ended; services run on, but nothing routes to them."
    return "The control plane has ended; services run on and the proxy serves them."
