"""`orca server`: the control plane of this host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orca.cli import output, session, terminal
from orca.cli.options import ConfigDir, Format, Home, Output
from orca.client.schema import Done
from orca.spec import discover

EXAMPLES = (
    "orca server                          # in the foreground; Ctrl-C ends it, workloads go on",
    "orca server -d                       # in the background; returns when the API is ready",
    "orca server -d -C ~/orca --home /var/lib/orca --proxy-port 8080",
)


def command(
    detach: Annotated[
        bool, typer.Option("-d", "--detach", help="Go on in the background; return when ready.")
    ] = False,
    config_dir: ConfigDir = None,
    home: Home = None,
    proxy_port: Annotated[
        int | None,
        typer.Option(
            "--proxy-port",
            min=1,
            max=65535,
            metavar="PORT",
            help="HTTP port of the proxy, instead of the one in cluster.toml.",
            show_default=False,
        ),
    ] = None,
    output_format: Output = Format.TABLE,
) -> None:
    """Run the control plane, a node and a proxy on this host.

    Containers that run are adopted, not restarted. What the server keeps is in --home.
    """
    from orca.host import daemon, server  # the whole control plane: only when it is run
    from orca.host.options import ServerOptions

    root = discover.find_root(Path.cwd(), explicit=config_dir)
    terminal.note(f"config: {root}")
    options = ServerOptions(home=session.home(home), config_root=root, proxy_http_port=proxy_port)
    if not detach:
        server.run(options)
        return
    for sentence in daemon.start(options):
        terminal.note(f"warning: {sentence}; deploys are refused until it is removed")
    done = Done(message=f"orca runs; its state is in {options.home}")
    output.emit(done, output_format, lambda: f"{done.message}. `orca deploy` comes next.")
