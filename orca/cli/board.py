"""Where the progress of rollouts is shown: redrawn on a terminal, a line per change elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.live import Live

from orca.cli import terminal
from orca.cli.render import rollout
from orca.client.schema import RolloutView


class Board(Protocol):
    """Shows rollouts while its `with` block runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def update(self, view: RolloutView) -> None:
        """Show the newest state of one rollout."""
        ...


def board(stream: TextIO | None = None) -> Board:
    """The board that suits the stream (stderr unless given)."""
    stream = stream or sys.stderr
    return LiveBoard(stream) if terminal.is_live(stream) else LineBoard(stream)


class LineBoard:
    """A line per change."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def update(self, view: RolloutView) -> None:
        """Print the rollout's line if it says something new."""
        line = rollout.progress(view).plain
        if self._shown.get(view.id) != line:
            self._shown[view.id] = line
            self._stream.write(line + "\n")
            self._stream.flush()


class LiveBoard:
    """All rollouts, redrawn in place, gone when it is left: the result says the same and stays."""

    def __init__(self, stream: TextIO) -> None:
        self._views: dict[str, RolloutView] = {}
        self._live = Live(
            console=terminal.console(stream), transient=True, auto_refresh=False, screen=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def update(self, view: RolloutView) -> None:
        """Redraw."""
        self._views[view.id] = view
        self._live.update(rollout.board(self._views.values()), refresh=True)
