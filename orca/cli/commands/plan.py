"""`orca plan`: the preview of a deploy."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import exits, files, output, session
from orca.cli.options import ConfigDir, Connection, Format, Output
from orca.cli.render import plan
from orca.client.schema import DeployRequest

EXAMPLES = (
    "orca plan",
    "orca plan web shop/db",
    "orca plan --exit-code || orca deploy -y     # 10 when something would change",
)


def command(
    connection: Connection,
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SERVICE]...", help="name, project/name, or project. Default: all."
        ),
    ] = None,
    config_dir: ConfigDir = None,
    output_format: Output = Format.TABLE,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 10 when a deploy would change something.")
    ] = False,
) -> None:
    """Show what `orca deploy` would do, and change nothing."""
    selected = files.select(files.usable(config_dir).services, services or ())
    files.warn_unsupported(selected)
    request = DeployRequest(services=selected)
    response = session.call(connection, lambda client: client.plan(request))
    output.emit(response, output_format, lambda: plan.plan(response))
    if exit_code and response.changes_anything:
        raise typer.Exit(exits.CHANGES)
