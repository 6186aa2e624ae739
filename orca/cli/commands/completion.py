"""`orca completion`: a script for the shell."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from orca.cli.completions.scripts import SCRIPTS

EXAMPLES = (
    "source <(orca completion bash)",
    "orca completion fish > ~/.config/fish/completions/orca.fish",
)


class Shell(StrEnum):
    """Shells there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def command(
    shell: Annotated[
        Shell, typer.Argument(metavar="bash|zsh|fish", help="Which shell.", show_default=False)
    ],
) -> None:
    """Print a completion script. It completes commands, options and the names of services."""
    sys.stdout.write(SCRIPTS[shell])
