"""A result that is shown again after every change: redrawn on a terminal, repeated elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from pydantic import BaseModel
from rich.live import Live
from rich.text import Text

from orca.cli import output, terminal

B = TypeVar("B", bound=BaseModel)


class Screen(Protocol):
    """Where results are shown one after the other."""

    def show(self, body: B, table: Callable[[B], Text]) -> None:
        """Show the newest one."""
        ...


@contextmanager
def screen(form: str) -> Iterator[Screen]:
    """The screen that suits the format and stdout."""
    if form in ("json", "yaml") or not terminal.is_live(sys.stdout):
        yield _Repeated(form)
        return
    with Live(console=terminal.console(sys.stdout), auto_refresh=False, screen=True) as live:
        yield _Redrawn(live)


class _Repeated:
    def __init__(self, form: str) -> None:
        self._form = form

    def show(self, body: B, table: Callable[[B], Text]) -> None:
        output.emit_one_of_many(body, self._form, lambda: Text.assemble(table(body), "\n"))


class _Redrawn:
    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, body: B, table: Callable[[B], Text]) -> None:
        self._live.update(table(body), refresh=True)
