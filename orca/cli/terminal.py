"""The door to the terminal: colours, questions, and which of the streams a person looks at.

Results go to stdout; everything said beside them (questions, progress, warnings) goes to stderr, so
that a pipe gets results only.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

import typer
from rich.console import Console
from rich.text import Text

from orca import errors
from orca.cli import exits


def show(text: Text | str) -> None:
    """Print a result."""
    write(text, sys.stdout)


def note(text: Text | str) -> None:
    """Say something beside the result."""
    write(text, sys.stderr)


def warn(message: str) -> None:
    """Say something that the user should look at."""
    note(Text.assemble(("warning: ", "yellow"), message))


def is_live(stream: TextIO) -> bool:
    """Whether text on this stream may be coloured and drawn over."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def console(stream: TextIO) -> Console:
    """A console that emits no escape sequence unless the stream is live."""
    live = is_live(stream)
    return Console(
        file=stream,
        force_terminal=live,
        color_system="auto" if live else None,
        no_color=not live,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def confirm(question: str, *, yes: bool) -> None:
    """Return when the user agrees. Raises `errors.UserError` when nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise errors.UserError(
            "This has to be confirmed, and there is no terminal to ask on.",
            hint="Say -y to agree beforehand.",
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip().lower()
    if answer not in ("y", "yes"):
        note("Nothing was changed.")
        raise typer.Exit(exits.NEGATIVE)


def write(text: Text | str, stream: TextIO) -> None:
    """Print a line or lines; styles of a `Text` show on a live stream only."""
    # A plain write keeps what a service printed byte for byte; rich would wrap and expand tabs.
    if is_live(stream) and isinstance(text, Text):
        console(stream).print(text, soft_wrap=True)
    else:
        stream.write(f"{text}\n")
        stream.flush()
