"""The local terminal during `orca exec`: raw mode, its size, and its bytes as they come.

The hard part is to always give the terminal back as it was, whatever ends the command.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

_CHUNK_BYTES = 65536


@contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Every key goes through untouched, Ctrl-C too, until the block ends."""
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def size(descriptor: int) -> tuple[int, int]:
    """Columns and rows; 80 by 24 where the terminal does not know."""
    try:
        found = os.get_terminal_size(descriptor)
    except OSError:
        return 80, 24
    return found.columns or 80, found.lines or 24


@contextmanager
def on_resize(changed: Callable[[], None]) -> Iterator[None]:
    """Call `changed` in the running loop whenever the window has a new size."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


async def read(descriptor: int) -> AsyncIterator[bytes]:
    """What is typed or piped in, until its end.

    A regular file cannot be waited for with epoll and never blocks; it is read as it is.
    """
    try:
        while True:
            await _readable(descriptor)
            data = os.read(descriptor, _CHUNK_BYTES)
            if not data:
                return
            yield data
    except PermissionError:
        while data := os.read(descriptor, _CHUNK_BYTES):
            yield data


async def _readable(descriptor: int) -> None:
    # Watched for one read only: the loop would otherwise report the same bytes again before they are
    # taken, and the read after that would block everything.
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
