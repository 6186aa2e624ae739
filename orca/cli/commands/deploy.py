"""`orca deploy`: bring services to what their files say."""

from __future__ import annotations

from typing import Annotated

import typer

from orca.cli import files, follow, output, session, terminal, tracing
from orca.cli.options import ConfigDir, Connection, Format, Output, Waiting, Yes
from orca.cli.render import plan
from orca.cli.results import Outcome
from orca.client.schema import DeployRequest, PlanResponse

EXAMPLES = (
    "orca deploy",
    "orca deploy web -y",
    "orca deploy shop --timeout 120",
    "orca deploy -y --detach -o json",
)


def command(
    connection: Connection,
    waiting: Waiting,
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SERVICE]...", help="name, project/name, or project. Default: all."
        ),
    ] = None,
    config_dir: ConfigDir = None,
    yes: Yes = False,
    output_format: Output = Format.TABLE,
) -> None:
    """Bring services to what their files say.

    Shows the plan, asks, and follows the rollouts to their end. A rollout that fails leaves the old
    revision serving; the exit code is then 1.
    """
    loaded = files.usable(config_dir)
    selected = files.select(loaded.services, services or ())
    files.warn_unsupported(selected)
    request = DeployRequest(services=selected)
    planned = session.call(connection, lambda client: client.plan(request))
    if not planned.changes_anything:
        _say_nothing_to_do(planned, output_format)
        return
    terminal.note(plan.plan(planned))
    terminal.confirm("Deploy?", yes=yes)
    endpoint = loaded.cluster.observability.otlp_endpoint or ""
    with tracing.deployment(endpoint, tuple(spec.ref for spec in selected)) as trace:
        agreed = request.model_copy(update={"expect": _expected(planned), "trace": trace})
        done = session.call(connection, lambda client: client.deploy(agreed))
        follow.finish(
            connection, done.deployed, unchanged=done.unchanged, waiting=waiting, form=output_format
        )


def _expected(planned: PlanResponse) -> dict[str, int]:
    """What the user agreed to is what is deployed: anything else is a conflict."""
    return {service.service: service.version for service in planned.services}


def _say_nothing_to_do(planned: PlanResponse, form: str) -> None:
    nothing = Outcome(unchanged=tuple(service.service for service in planned.services))
    output.emit(nothing, form, lambda: plan.plan(planned))
