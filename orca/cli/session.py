"""One conversation with the server: settings, an event loop, a client, and the end of all three.

Every call runs in an event loop of its own. Questions to the user are asked between calls, never
inside one, because a loop takes Ctrl-C away from `readline`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orca.cli.options import Connection
from orca.client.settings import ClientSettings, home_of

if TYPE_CHECKING:
    from orca.client.http import OrcaClient

T = TypeVar("T")


def call(connection: Connection, work: Callable[[OrcaClient], Awaitable[T]]) -> T:
    """Run `work` with a connected client. Raises `errors.OrcaError`."""

    from orca.client.http import OrcaClient  # half a second of imports: not for `--help`

    async def conversation() -> T:
        async with OrcaClient(settings(connection)) as client:
            return await work(client)

    return asyncio.run(conversation())


def settings(connection: Connection) -> ClientSettings:
    """What the flags and the environment say about the server."""
    return ClientSettings.discover(
        os.environ,
        connection.home and home(connection.home),
        url=connection.api or "",
        token=connection.token or "",
    )


def home(given: Path | None) -> Path:
    """The state directory, absolute."""
    return (given or home_of(os.environ)).expanduser().absolute()
