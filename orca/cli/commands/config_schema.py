"""`orca config schema`: what editors need to complete and check the files."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from orca.cli import terminal
from orca.spec import schema

EXAMPLES = (
    "orca config schema > service.schema.json",
    "orca config schema cluster > cluster.schema.json",
)


class Kind(StrEnum):
    """Which file."""

    SERVICE = "service"
    CLUSTER = "cluster"


def command(
    kind: Annotated[
        Kind, typer.Argument(metavar="[service|cluster]", help="Which file. Default: service.")
    ] = Kind.SERVICE,
) -> None:
    """Print the JSON Schema of service.toml or cluster.toml."""
    document = schema.service_schema() if kind is Kind.SERVICE else schema.cluster_schema()
    terminal.show(json.dumps(document, indent=2, ensure_ascii=False))
