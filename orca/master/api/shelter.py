"""Work that a client began and that goes on when the client leaves.

The task of a connection is cancelled when its client goes away. That ends streams and reads, but it must
not tear a change in two; changes run here, and the connection only waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from orca.telemetry import logs

T = TypeVar("T")

_log = logs.get_logger(__name__)


class Shelter:
    """Changes under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` to its end, whatever happens to the caller; its result if the caller stays."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def drain(self, timeout_seconds: float) -> None:
        """Wait for everything under way; cancel what is not done in time."""
        if not self._tasks:
            return
        _done, late = await asyncio.wait(self._tasks, timeout=timeout_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        # Retrieved here too: with the client gone, nobody else asks.
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.debug("A change ended with an error", error=str(error))
