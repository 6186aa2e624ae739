"""Options that several commands share, so that they are spelled and explained once.

A command takes a group of them as one parameter whose type is a dataclass below; `loader` gives typer
the single options and the command the dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class WideFormat(StrEnum):
    """How a status is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="ORCA_HOME",
        metavar="DIR",
        help="Where orca keeps its state. Default: ~/.orca.",
        show_default=False,
    ),
]
Api = Annotated[
    str | None,
    typer.Option(
        "--api",
        envvar="ORCA_API",
        metavar="URL",
        help="Which server to talk to. Default: the one of this host.",
        show_default=False,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="ORCA_TOKEN",
        metavar="TOKEN",
        help="Credential for the server. Default: HOME/cluster.token.",
        show_default=False,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "-C",
        "--config-dir",
        envvar="ORCA_CONFIG_DIR",
        metavar="DIR",
        help="Where the configuration is. Default: found upwards from here.",
        show_default=False,
    ),
]
Output = Annotated[Format, typer.Option("-o", "--output", help="How to print the result.")]
WideOutput = Annotated[WideFormat, typer.Option("-o", "--output", help="How to print the result.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Answer yes to every question.")]
Detach = Annotated[
    bool, typer.Option("--detach", help="Return once the change is committed; do not wait for it.")
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0,
        metavar="SECONDS",
        help="Wait no longer than this; the rollout goes on. Default: until it has ended.",
        show_default=False,
    ),
]
Project = Annotated[
    str, typer.Option("--project", metavar="PROJECT", help="Scope. Default: the whole cluster.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach the server; `None` leaves it to the client's own rules."""

    home: Home = None
    api: Api = None
    token: Token = None

    def __repr__(self) -> str:
        return f"Connection(home={self.home!r}, api={self.api!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Whether and how long to watch the rollouts that a command begins."""

    detach: Detach = False
    timeout: Timeout = None
